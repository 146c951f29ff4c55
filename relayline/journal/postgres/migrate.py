"""Migrates the schema of the Postgres journal; the versions are in `migrations/`."""

from __future__ import annotations

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

from relayline.journal.postgres.database import AT_START, FAULTS, WAIT_S, Database
from relayline.journal.postgres.sql import REVISION, SCHEMA

_LOCK = int.from_bytes(b"Rlay")
"""Advisory lock: a second migration waits, and then has nothing to do."""


class Migrated(NamedTuple):
    """The result of a migration."""

    before: str | None
    """The previous revision, None for a new schema."""
    after: str
    """The current revision."""


async def migrate(dsn: str) -> Migrated:
    """Create the schema or migrate it to the newest revision, in one transaction.

    Safe to repeat and to run concurrently. Processes of the previous version keep working during
    and after a migration. The schema of a later version stays unchanged: this version works with
    it.

    Raises:
        JournalUnavailable: Postgres did not answer or refused; nothing was changed.
    """
    database = Database(dsn)
    await (await database.connect()).close()  # raises the port's errors

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
