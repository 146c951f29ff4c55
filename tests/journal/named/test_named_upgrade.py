"""After an upgrade, receivers stay that runs may name which were open before."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import asyncpg

from relayline.journal.postgres.migrate import migrate
from relayline.journal.table import EVERY, Storage
from relayline.journal.webhooks import Receiver
from tests.journal.outbox import LATER, added, completed, now_us, planned, queued, told
from tests.journal.storage import new_storage, open_table
from tests.postgres_server import PostgresServer

OLDER = ("DROP INDEX {s}runs_of_webhook", "DROP TABLE {s}webhook_runs")
NO_TIME = "ALTER TABLE {s}webhooks DROP COLUMN named_us"


async def before(storage: str) -> tuple[str, Receiver, int]:
    """An open run that names a receiver, planned by an older version."""
    began = now_us()
    table = open_table(storage)
    it = await added(table, named_only=True, created_us=1, events=("run.completed",))
    run = await told(table, queued(webhook=it.webhook_id))
    await planned(table.webhooks, it)
    await table.close()
    return run, it, began


async def check(table: Storage, run: str, it: Receiver, began: int) -> None:
    assert await table.webhooks.forget(LATER, 10) == 0, "the run is open"
    await table.append(run, [completed()])
    assert await planned(table.webhooks, it) == [(run, 2)]
    assert await table.erase(EVERY, run)
    assert await table.webhooks.forget(began - 2_000_000, 10) == 0, "as if it was named just now"
    assert await table.webhooks.forget(LATER, 10) == 1
    await table.close()


async def test_an_older_sqlite_file_gets_the_table_with_its_open_runs(tmp_path: Path) -> None:
    storage = f"sqlite:{tmp_path / 'journal.db'}"
    run, it, began = await before(storage)
    with closing(sqlite3.connect(tmp_path / "journal.db")) as db, db:
        for statement in (*OLDER, NO_TIME):
            db.execute(statement.replace("{s}", ""))
    await check(open_table(storage), run, it, began)


async def test_a_migration_of_postgres_notes_the_runs_that_are_open(
    postgres: PostgresServer,
) -> None:
    storage = new_storage("postgres", Path(), lambda: postgres)
    run, it, began = await before(storage)
    dsn = storage.removeprefix("postgres:")
    db = await asyncpg.connect(dsn)
    try:
        for statement in (*OLDER, NO_TIME):
            await db.execute(statement.replace("{s}", "relayline."))
        await db.execute("DROP INDEX relayline.rows_ended")
        await db.execute("UPDATE relayline.alembic_version SET version_num = '0017'")
    finally:
        await db.close()
    await migrate(dsn)
    await check(open_table(storage), run, it, began)
