"""An erased run is gone from every table and file, and never comes back."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import aclosing, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest

from relayline.contracts.envelope import NewEvent
from relayline.contracts.events import RunCompleted, RunRewound
from relayline.journal.beats import beats_path
from relayline.journal.port import SEALED, Fence, Holder, RunErased, RunOpen
from relayline.journal.sqlite.beats import SqliteBeats
from relayline.journal.table import EVERY, RunFilter, Storage
from tests.journal.rows import keyed, queued
from tests.journal.samples import delta, end, fact, fresh_run, tailing
from tests.journal.test_processes import kill_after, start

MARK = "sesame-4711"
"""Is in every part of a run."""


async def ended(table: Storage, run: str, tenant: str = "acme") -> None:
    """A run that has ended, with something in every table."""
    told = queued(title=f"open {MARK}", tenant=tenant, metadata={"user": MARK})
    held = Fence("0/step/1", 1, Holder(f"worker {MARK}", "7", b"token"))
    await table.append(run, keyed(told), held)
    await table.append(run, [fact("said", MARK), *(delta(MARK) for _ in range(450))], held)
    await table.append(run, [NewEvent(body=RunCompleted(output=MARK), key="0/run/ended")])


def dump(storage: str) -> bytes:
    """The bytes of all files of the journal, freed space given back."""
    adapter, _, where = storage.partition(":")
    if adapter == "sqlite":
        files = [Path(where), beats_path(Path(where))]
        for file in filter(Path.exists, files):
            with closing(sqlite3.connect(file, isolation_level=None)) as db:
                db.execute("VACUUM")
                assert db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
        found = [path for file in files for path in file.parent.glob(f"{file.name}*")]
        return b"".join(path.read_bytes() for path in found)
    return asyncio.run(_tables(where))


async def _tables(dsn: str) -> bytes:
    """The files of all tables and indexes, as Postgres reads them."""
    db = await asyncpg.connect(dsn)
    try:
        await db.execute("VACUUM FULL")
        await db.execute("CHECKPOINT")
        files = await db.fetch(
            "SELECT pg_read_binary_file(pg_relation_filepath(c.oid)) FROM pg_class c "
            "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE relkind IN ('r', 'i', 't') "
            "AND n.nspname IN ('relayline', 'pg_toast')"
        )
        return b"".join(content for (content,) in files if content)
    finally:
        await db.close()


async def test_no_byte_of_an_erased_run_is_left_in_the_files(storage: str, table: Storage) -> None:
    run, other = fresh_run(), fresh_run()
    await ended(table, run)
    await table.append(other, [fact("said", "stays")])
    if storage.startswith("sqlite"):
        beats = SqliteBeats(Path(storage.partition(":")[2]))
        await beats.tell(run)
        await beats.close()
    before = await asyncio.to_thread(dump, storage)
    assert MARK.encode() in before
    assert run.encode() in before
    assert await table.erase(EVERY, run)
    await table.settle([run])
    await table.close()
    after = await asyncio.to_thread(dump, storage)
    assert MARK.encode() not in after
    assert run.encode() not in after
    assert b"stays" in after
    assert b"acme" in after  # the tombstone's


async def test_an_erased_run_is_in_no_list(table: Storage) -> None:
    run = fresh_run()
    await ended(table, run)
    wanted = RunFilter(metadata={"user": MARK})
    assert [it.row.run_id for it in await table.list_runs(EVERY, wanted, 10)] == [run]
    assert await table.erase("acme", run)
    for each in (RunFilter(), wanted, RunFilter(words=("sesame",))):
        assert await table.list_runs(EVERY, each, 10) == []
        assert await table.count_runs(EVERY, each) == {}
    assert await table.listed(EVERY, run) is None
    assert await table.read(EVERY, run) == []
    assert await table.get(EVERY, run, "said") is None
    assert await table.fenced(run, "0/step/1") == 0


@pytest.mark.parametrize(
    ("events", "fence"),
    [
        ([fact("late")], None),
        ([delta()], Fence("0/step/1", 2)),
        ([], Fence("0/step/9", SEALED)),
        ([NewEvent(body=RunRewound(to_seq=0, epoch=1), key="rewound")], None),
        (keyed(queued()), None),
        ([end()], None),
    ],
    ids=["fact", "deltas", "seal", "reset", "queued", "repeated end"],
)
async def test_nothing_is_appended_to_an_erased_run(
    table: Storage, other_table: Storage, events: list[NewEvent], fence: Fence | None
) -> None:
    run = fresh_run()
    await ended(table, run)
    await table.erase(EVERY, run)
    await table.settle([run])
    for each in (table, other_table):
        with pytest.raises(RunErased):
            await each.append(run, events, fence)
        with pytest.raises(RunErased):
            await each.head(EVERY, run)
        assert await each.read(EVERY, run) == []
        assert await each.list_runs(EVERY, RunFilter(), 10) == []


async def test_appends_to_others_in_the_same_commit_are_not_affected(table: Storage) -> None:
    run, other = fresh_run(), fresh_run()
    await ended(table, run)
    await table.erase(EVERY, run)
    fence = Fence("0/step/1", 1)
    results = await asyncio.gather(
        *(table.append(it, [delta()], fence) for it in (run, other) * 20),
        return_exceptions=True,
    )
    assert [isinstance(it, RunErased) for it in results] == [True, False] * 20
    head = await table.head(EVERY, other)
    assert head is not None
    assert head.last_seq == 20


async def test_an_open_run_is_not_erased(table: Storage) -> None:
    run = fresh_run()
    await table.append(run, keyed(queued()))
    with pytest.raises(RunOpen):
        await table.erase(EVERY, run)
    assert len(await table.read(EVERY, run)) == 1
    assert await table.unfinished(10) == []


async def test_a_run_that_an_operator_has_reopened_is_not_erased(table: Storage) -> None:
    run = fresh_run()
    await ended(table, run)
    await table.append(run, [NewEvent(body=RunRewound(to_seq=1, epoch=1), key="rewound")])
    with pytest.raises(RunOpen):
        await table.erase(EVERY, run)


async def test_another_tenant_can_neither_erase_a_run_nor_learn_that_it_was_erased(
    table: Storage,
) -> None:
    run = fresh_run()
    await ended(table, run)
    assert await table.erase("other", run) is None
    assert await table.head(EVERY, run) is not None
    for tenant in (EVERY, "acme", EVERY):
        assert await table.erase(tenant, run) == "acme"
        assert await table.erase("other", run) is None
    assert await table.erase(EVERY, fresh_run()) is None


async def test_a_run_whose_events_were_swept_can_be_erased(table: Storage) -> None:
    run = fresh_run()
    await ended(table, run)
    assert await table.sweep(datetime.now(UTC) + timedelta(hours=1)) == 1
    assert await table.erase("acme", run)
    assert await table.listed(EVERY, run) is None


async def test_an_erasure_is_unfinished_until_nothing_is_left(
    table: Storage, other_table: Storage
) -> None:
    first, second = fresh_run(), fresh_run()
    for run in (first, second):
        await ended(table, run)
        await table.erase(EVERY, run)
    assert [it.run_id for it in await other_table.unfinished(10)] == [first, second]
    await table.settle([], [first])
    assert [it.run_id for it in await other_table.unfinished(10)] == [second, first]
    assert [it.run_id for it in await other_table.unfinished(1)] == [second]
    await table.settle([second, first])
    assert await other_table.unfinished(10) == []
    assert await table.erase(EVERY, first)  # perhaps its history was restored
    assert [it.run_id for it in await other_table.unfinished(10)] == [first]


async def test_those_who_read_lists_are_told_of_an_erasure(
    table: Storage, other_table: Storage
) -> None:
    run = fresh_run()
    await ended(table, run)
    async with asyncio.timeout(20), aclosing(other_table.changed_runs()) as changes:
        assert await anext(changes) is None
        await table.erase(EVERY, run)
        async for changed in changes:
            if changed is None or run in changed:  # None says: read the list again
                break
    assert await other_table.list_runs(EVERY, RunFilter(), 10) == []


async def test_a_tail_gives_nothing_of_an_erased_run(table: Storage) -> None:
    run = fresh_run()
    await ended(table, run)
    await table.erase(EVERY, run)
    async with tailing(table, run) as batches:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await anext(batches)


async def test_erasing_beside_appends_leaves_all_or_nothing(
    table: Storage, other_table: Storage
) -> None:
    """Whoever comes first: the run is erased after its end, and nothing is written later."""
    for _ in range(10):
        run = fresh_run()
        await ended(table, run)
        late = [other_table.append(run, [fact(f"late/{n}")]) for n in range(5)]
        await asyncio.gather(table.erase(EVERY, run), *late, return_exceptions=True)
        assert await table.read(EVERY, run) == []
        with pytest.raises(RunErased):
            await other_table.append(run, [fact("later")])


async def test_rows_that_are_filled_beside_an_erasure_do_not_bring_it_back(
    storage: str, table: Storage, other_table: Storage
) -> None:
    run = fresh_run()
    await ended(table, run)
    await _note_stale(storage, run)
    await asyncio.gather(table.erase(EVERY, run), other_table.fill_rows())
    await _note_stale(storage, run)
    await other_table.fill_rows()
    assert await table.list_runs(EVERY, RunFilter(), 10) == []


async def _note_stale(storage: str, run: str) -> None:
    """As an older process does that has appended to it."""
    adapter, _, where = storage.partition(":")
    if adapter == "sqlite":
        with closing(sqlite3.connect(where)) as file, file:
            file.execute("INSERT OR IGNORE INTO stale_rows VALUES (?)", (run,))
        return
    db = await asyncpg.connect(where)
    note = "INSERT INTO relayline.stale_rows VALUES ($1) ON CONFLICT DO NOTHING"
    await db.execute(note, run)
    await db.close()


@pytest.mark.slow
async def test_an_erasure_that_was_killed_in_the_middle_is_finished(
    storage: str, table: Storage
) -> None:
    run = fresh_run()
    await table.head(EVERY, run)  # the file is there
    erasers = [await start("erase", storage, run, f"e{n}") for n in range(2)]
    said = await asyncio.gather(*(kill_after(eraser, 12) for eraser in erasers))
    for erasure in await table.unfinished(1000):
        assert await table.erase(EVERY, erasure.run_id)
        await table.settle([erasure.run_id])
    left = {it.row.run_id for it in await table.list_runs(EVERY, RunFilter(), 100)}
    assert left <= {lines[-1][1] for lines in said}  # killed before there was a tombstone
    for lines in said:
        for _, each in lines:
            assert len(await table.read(EVERY, each)) == (502 if each in left else 0)
