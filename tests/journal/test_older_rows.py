"""Facts of versions without a runs table: from before an upgrade, and beside this version."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text

from relayline.contracts.envelope import NewEvent
from relayline.contracts.events import RunCompleted, RunPaused, RunResumed, UserMessageEvent
from relayline.contracts.runs import RunStatus
from relayline.journal.postgres import migrate as migrating
from relayline.journal.postgres import writer
from relayline.journal.postgres.migrate import Migrated, migrate
from relayline.journal.postgres.sql import APPEND, REVISION
from relayline.journal.sqlite import sql
from relayline.journal.table import EVERY, RunFilter, Storage
from relayline.journal.tenants.stored_tenant_keys import StoredTenantKeys
from relayline.journal.tenants.tenant_keys import TenantKey
from tests.journal.rows import STARTED, fold_of, fresh_id, keyed, queued, row
from tests.journal.samples import delta
from tests.journal.storage import open_table, opened
from tests.postgres_server import PostgresServer

pytestmark = pytest.mark.slow

BEGUN = keyed(STARTED, UserMessageEvent(text="Fix the bug"))
OLD_APPEND = APPEND.replace("append_events", "append")


@pytest.fixture
def as_before(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """From now on, appends are those of a version that knows no rows; undone by `undo`."""

    monkeypatch.setattr(sql, "fold_in", lambda *_: True)
    monkeypatch.setattr(writer, "_append", _old_append)
    monkeypatch.setattr(StoredTenantKeys, "all", no_keys)
    return monkeypatch


async def no_keys(_: object) -> list[TenantKey]:
    """What a version that knows no keys of tenants has of them."""
    return []


async def test_facts_of_an_older_process_are_in_the_rows_at_the_next_look(
    table: Storage, other_table: Storage, as_before: pytest.MonkeyPatch
) -> None:
    runs = [fresh_id() for _ in range(120)]
    for run in runs:
        await table.append(run, [*BEGUN, delta()])
    as_before.undo()
    listed = await other_table.list_runs(EVERY, RunFilter(words=("bug",)), 200)
    assert {it.row.run_id for it in listed} == {*runs}
    assert await other_table.count_runs(EVERY, RunFilter()) == {RunStatus.RUNNING: 120}
    assert await row(table, runs[7]) == await fold_of(table, runs[7])
    assert await other_table.fill_rows() == 0


async def test_old_facts_and_new_ones_are_folded_in_order(
    table: Storage, as_before: pytest.MonkeyPatch
) -> None:
    run = fresh_id()
    await table.append(run, [*BEGUN, NewEvent(body=RunPaused(), key="p")])
    as_before.undo()
    await table.append(run, [NewEvent(body=RunResumed(), key="r")])
    found = await row(table, run)
    assert (found.status, found.title) == (RunStatus.RUNNING, "Fix the bug")
    assert found == await fold_of(table, run)


async def test_the_end_that_an_older_process_wrote_ends_the_row(
    table: Storage, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    run = fresh_id()
    await table.append(run, keyed(queued(), STARTED))
    patched = request.getfixturevalue("as_before")
    await table.append(run, [NewEvent(body=RunCompleted(), key="end")])
    patched.undo()
    ended = await table.list_runs(EVERY, RunFilter(open=False), 5)
    assert [it.row.run_id for it in ended] == [run]


async def test_a_file_from_before_gets_rows_when_it_is_first_asked(tmp_path: Path) -> None:
    path, runs, swept = tmp_path / "journal.db", [fresh_id() for _ in range(130)], fresh_id()
    before = open_table(f"sqlite:{path}")
    await before.append(swept, keyed(STARTED, RunCompleted()))
    await before.sweep(datetime.now(UTC) + timedelta(minutes=1))
    for run in runs:
        await before.append(run, BEGUN)
    await before.close()
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("DROP TRIGGER rows_go_stale")
        for name in ("run_rows", "run_labels", "run_words", "stale_rows"):
            db.execute(f"DROP TABLE {name}")
        assert db.execute("PRAGMA user_version").fetchone() == (1,)
    table, other = open_table(f"sqlite:{path}"), open_table(f"sqlite:{path}")
    counts = await asyncio.gather(*(it.count_runs(EVERY, RunFilter()) for it in (table, other)))
    assert counts == [{RunStatus.RUNNING: 130}] * 2
    assert await row(table, runs[9]) == await fold_of(table, runs[9])
    assert await table.listed(EVERY, swept) is None
    await asyncio.gather(table.close(), other.close())


async def test_migrate_fills_the_rows_of_older_runs(
    postgres: PostgresServer, as_before: pytest.MonkeyPatch
) -> None:
    dsn, runs = postgres.create_database(f"test_{uuid4().hex}"), [fresh_id() for _ in range(130)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(migrating, "_upgrade", upgrade_to_the_first)
        patch.setattr("relayline.journal.postgres.journal.PostgresJournal.fill_rows", nothing)
        await migrate(dsn)
    async with opened(dsn) as journal:
        for run in runs:
            await journal.append(run, BEGUN)
        as_before.undo()
        assert await migrate(dsn) == Migrated("0001", REVISION)
        admin = await asyncpg.connect(dsn)
        assert await admin.fetchval("SELECT count(*) FROM relayline.run_rows") == 130
        assert await admin.fetchval("SELECT count(*) FROM relayline.stale_rows") == 0
        await admin.close()
        assert await row(journal, runs[3]) == await fold_of(journal, runs[3])
        assert await journal.count_runs(EVERY, RunFilter()) == {RunStatus.RUNNING: 130}


async def test_a_migration_that_was_stopped_continues(
    postgres: PostgresServer, as_before: pytest.MonkeyPatch
) -> None:
    dsn = postgres.create_database(f"test_{uuid4().hex}", "migrated")
    async with opened(dsn) as journal:
        for _ in range(60):
            await journal.append(fresh_id(), BEGUN)
        as_before.undo()
        admin = await asyncpg.connect(dsn)
        await admin.execute("DELETE FROM relayline.stale_rows WHERE run_id > 'run-8'")
        left = await admin.fetchval("SELECT count(*) FROM relayline.stale_rows")
        assert await migrate(dsn) == Migrated(REVISION, REVISION)
        assert await admin.fetchval("SELECT count(*) FROM relayline.run_rows") == left
        await admin.close()


async def test_old_and_new_processes_that_write_to_one_run_leave_the_fold_of_its_facts(
    storage: str, table: Storage, other_table: Storage
) -> None:
    """The older one appends past the code of this version, as its own code does."""
    run = fresh_id()
    await table.append(run, keyed(queued(), STARTED))

    async def write(number: int) -> None:
        body = RunPaused() if number % 2 else RunResumed()
        await table.append(run, [NewEvent(body=body, key=f"new/{number}")])

    for number in range(12):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sql, "fold_in", lambda *_: True)
            patch.setattr(writer, "_append", _old_append)
            await other_table.append(run, [NewEvent(body=RunPaused(), key=f"old/{number}")])
        await asyncio.gather(write(2 * number), write(2 * number + 1))
        assert await row(other_table, run) == await fold_of(table, run)


async def _old_append(connection: asyncpg.Connection, group: Sequence, _: object) -> list:  # type: ignore[type-arg]
    return await connection.fetchmany(OLD_APPEND, [it.arguments for it in group])


def upgrade_to_the_first(connection: Connection) -> Migrated:
    """What `relayline migrate` did in the first version."""
    connection.execute(text("CREATE SCHEMA relayline"))
    config = Config()
    folder = Path(migrating.__file__).parent / "migrations"
    config.set_main_option("script_location", str(folder))
    config.attributes["connection"] = connection
    command.upgrade(config, "0001")
    return Migrated(None, "0001")


async def nothing(_: object) -> int:
    """Fills no rows."""
    return 0
