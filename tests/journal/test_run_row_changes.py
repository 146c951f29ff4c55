"""Changes of rows are told to whoever looks, once, and cost nothing while nobody does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager

import asyncpg
import pytest

from relayline.contracts.events import RunPaused
from relayline.journal.port import JournalUnavailable
from relayline.journal.postgres.journal import PostgresJournal
from relayline.journal.sqlite import run_rows
from relayline.journal.table import Storage
from tests.journal.rows import STARTED, fresh_id, keyed, queued
from tests.journal.samples import delta, tailing

Told = AsyncGenerator[frozenset[str] | None, None]


@asynccontextmanager
async def looking(table: Storage) -> AsyncIterator[Told]:
    """Looks at the list, and has read it once."""
    async with asyncio.timeout(20), aclosing(table.changed_runs()) as told:
        assert await anext(told) is None
        yield told


async def all_of(told: Told, expected: set[str]) -> int:
    """Wait until all of these are told, and nothing else; the number of wake-ups."""
    count = 0
    while expected:
        changed = await anext(told)
        assert changed is not None
        assert changed <= expected, "some were told twice, or are not expected"
        expected -= changed
        count += 1
    return count


async def test_who_looks_is_told_of_each_changed_row_whoever_changes_it(
    table: Storage, other_table: Storage
) -> None:
    runs = [fresh_id() for _ in range(3)]
    async with looking(table) as told:
        await table.append(runs[0], keyed(queued()))
        await all_of(told, {runs[0]})
        await other_table.append(runs[1], keyed(queued()))
        await all_of(told, {runs[1]})
        await other_table.note_attention({runs[0]: "no worker"})
        await all_of(told, {runs[0]})
        await table.append(runs[2], [delta()])
        await table.append(runs[1], keyed(queued(), STARTED))
        await all_of(told, {runs[1]})


async def test_what_is_told_can_be_read(table: Storage, other_table: Storage) -> None:
    """No change falls between the list that was read and the first one that is told."""
    runs = [fresh_id() for _ in range(40)]

    async def write() -> None:
        for run in runs:
            await other_table.append(run, keyed(queued()))

    writing = asyncio.create_task(write())
    async with asyncio.timeout(20), aclosing(table.changed_runs()) as told:
        seen: set[str] = set()
        while len(seen) < len(runs):
            changed = await anext(told)
            asked = runs if changed is None else changed
            found = [await table.listed("default", run) for run in asked]
            seen |= {it.row.run_id for it in found if it}
    await writing


async def test_what_changes_while_the_reader_is_busy_is_one_wake_up(
    table: Storage, other_table: Storage
) -> None:
    runs = {fresh_id() for _ in range(30)}
    async with looking(table) as told, looking(table) as marker:
        for run in runs:
            await other_table.append(run, keyed(queued()))
        await all_of(marker, set(runs))  # by now both have been told
        assert await all_of(told, set(runs)) == 1


async def test_an_append_that_changes_nothing_is_not_told_or_told_again_only(
    table: Storage, other_table: Storage
) -> None:
    run, last = fresh_id(), fresh_id()
    async with looking(table) as told:
        await other_table.append(run, keyed(queued(), STARTED))
        await all_of(told, {run})
        await other_table.append(run, [delta()])
        await other_table.note_attention({run: None})
        await other_table.append(last, keyed(queued()))
        await all_of(told, {last})


async def test_who_looks_at_lists_and_who_follows_a_run_do_not_disturb_each_other(
    table: Storage, other_table: Storage
) -> None:
    run = fresh_id()
    async with looking(table) as told, tailing(table, run) as tail:
        for number in range(5):
            await other_table.append(run, [delta(f"{number}")])
            assert [event.seq for event in await anext(tail)] == [number + 1]
        await other_table.append(run, keyed(queued()))
        assert [event.seq for event in await anext(tail)] == [6]
        await all_of(told, {run})
    async with tailing(table, run, 6) as tail:
        await other_table.append(run, [delta("later")])
        assert [event.seq for event in await anext(tail)] == [7]


async def test_a_journal_that_is_closed_tells_so(table: Storage) -> None:
    async with looking(table) as told:
        await table.close()
        with pytest.raises(JournalUnavailable, match="closed"):
            await anext(told)
    with pytest.raises(JournalUnavailable, match="closed"):
        await anext(table.changed_runs())


async def test_the_file_is_not_looked_at_while_nobody_looks(
    storage: str, table: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not storage.startswith("sqlite"):
        pytest.skip("Postgres tells by itself")
    async with looking(table):
        pass
    looked = 0
    newest_change = run_rows.newest_change

    def counted(*arguments: object) -> object:
        nonlocal looked
        looked += 1
        return newest_change(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(run_rows, "newest_change", counted)
    for _ in range(5):
        await table.append(fresh_id(), keyed(queued()))
        await asyncio.sleep(0.05)
    assert looked == 0
    async with looking(table):
        assert looked > 0


async def test_after_a_lost_connection_the_list_must_be_read_anew(storage: str) -> None:
    adapter, _, dsn = storage.partition(":")
    if adapter != "postgres":
        pytest.skip("SQLite has no connection to lose")
    table, admin, run = PostgresJournal(dsn), await asyncpg.connect(dsn), fresh_id()
    async with looking(table) as told:
        await admin.execute("""
            SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE datname = current_database() AND pid <> pg_backend_pid()
        """)
        assert await anext(told) is None
        await table.append(run, keyed(queued()))
        await all_of(told, {run})
    await admin.close()
    await table.close()


async def test_an_append_that_comes_again_tells_of_the_row_once_more(
    storage: str, table: Storage, other_table: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The writer died after its commit, before it could tell; the next attempt appends again."""
    if not storage.startswith("postgres"):
        pytest.skip("with SQLite, the file tells")
    run, events = fresh_id(), keyed(queued(), RunPaused())
    async with looking(table) as told:
        with monkeypatch.context() as patch:
            patch.setattr(
                "relayline.journal.postgres.writer.NOTIFY_ALL", "SELECT $1::text[], $2::text[]"
            )
            await other_table.append(run, events)
        await other_table.append(run, events)
        await all_of(told, {run})
