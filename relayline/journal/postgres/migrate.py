"""Migrates the schema of the Postgres journal; the versions are in `migrations/`."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import NamedTuple

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from relayline.journal.postgres.database import (
    AT_START,
    FAULTS,
    RETRY_S,
    WAIT_S,
    Database,
)
from relayline.journal.postgres.journal import PostgresJournal
from relayline.journal.postgres.sql import REVISION, SCHEMA
from relayline.journal.tenants.tenant_keys import Ring

_HAS_ROWS = "0002"
"""The first revision with the runs table."""
_MARGIN_S = 60
_THIS_TRANSACTION = "SELECT pg_current_xact_id()::text::bigint"
_OLDEST_TRANSACTION = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
_NOTE_LATE_ONES = """
INSERT INTO relayline.stale_rows (run_id) SELECT run_id FROM relayline.runs
WHERE last_seq > 0
AND last_at_us >= (extract(epoch FROM clock_timestamp()) * 1000000)::bigint - $1::bigint
ON CONFLICT DO NOTHING
"""
_LOCK = int.from_bytes(b"Rlay")
"""Advisory lock: a second migration waits, and then has nothing to do."""


class Migrated(NamedTuple):
    """The result of a migration."""

    before: str | None
    """The previous revision, None for a new schema."""
    after: str
    """The current revision."""


async def migrate(dsn: str, ring: Ring | None = None) -> Migrated:
    """Create the schema or migrate it to the newest revision, in one transaction; then fill rows.

    The rows of runs that there are already are written some at a time; a migration that is stopped
    meanwhile continues where it was. Safe to repeat and to run concurrently. Processes of the
    previous version keep working during and after a migration. The schema of a later version stays
    unchanged: this version works with it.

    Args:
        dsn: Address of the database.
        ring: Wraps the keys of tenants, whose rows may have to be filled.

    Raises:
        JournalUnavailable: Postgres did not answer or refused; the schema was changed wholly or not
            at all.
    """
    database, began = Database(dsn), time.monotonic()
    await (await database.connect()).close()  # raises the port's errors
    done = await _migrate(dsn, database)
    if done.before is not None and done.before < _HAS_ROWS <= done.after:
        await _note_late_ones(database, time.monotonic() - began)
    journal = PostgresJournal(dsn, ring=ring)
    try:
        await journal.fill_rows()
    finally:
        await journal.close()
    return done


async def _migrate(dsn: str, database: Database) -> Migrated:

    async def connect() -> asyncpg.Connection[asyncpg.Record]:
        return await asyncpg.connect(dsn, timeout=WAIT_S, server_settings=AT_START)

    engine = create_async_engine("postgresql+asyncpg://", async_creator=connect, poolclass=NullPool)
    try:
        async with engine.begin() as connection:
            return await connection.run_sync(_upgrade)
    except FAULTS as error:
        raise database.unavailable(error) from error
    except DBAPIError as error:  # the cause is the error of the driver
        cause = error.orig.__cause__ if error.orig else None
        raise database.unavailable(cause if isinstance(cause, FAULTS) else error) from error
    finally:
        await engine.dispose()


async def _note_late_ones(database: Database, took_s: float) -> None:
    """Note the runs to which older processes appended during the migration, unseen by it."""
    connection = await database.connect()
    clock = time.monotonic
    try:
        newest = await connection.fetchval(_THIS_TRANSACTION)
        until = clock() + 2 * WAIT_S
        while await connection.fetchval(_OLDEST_TRANSACTION) <= newest and clock() < until:
            await asyncio.sleep(RETRY_S)
        await connection.execute(_NOTE_LATE_ONES, round((took_s + _MARGIN_S) * 1_000_000))
    except FAULTS as error:
        raise database.unavailable(error) from error
    finally:
        await connection.close()


def _upgrade(connection: Connection) -> Migrated:
    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    known = text("SELECT 1 FROM pg_namespace WHERE nspname = :schema")
    if connection.scalar(known, {"schema": SCHEMA}) is None:
        connection.execute(text(f"CREATE SCHEMA {SCHEMA}"))
    before = _revision(connection)
    if before is not None and before > REVISION:
        return Migrated(before, before)  # after a roll-back: Alembic does not know a later revision
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    after = _revision(connection)
    assert after is not None  # noqa: S101  an upgrade always sets a revision
    return Migrated(before, after)


def _revision(connection: Connection) -> str | None:
    """The revision of the schema, None if it has none."""
    context = MigrationContext.configure(connection, opts={"version_table_schema": SCHEMA})
    return context.get_current_revision()
