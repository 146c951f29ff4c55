"""Brings the schema of the Postgres journal up to date; the versions are in `migrations/`."""

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
"""Advisory lock: whoever comes second waits, and then finds nothing to do."""


class Migrated(NamedTuple):
    """What a migration did."""

    before: str | None
    """The revision that was there, None for a new schema."""
    after: str
    """The revision that is there now."""


async def migrate(dsn: str) -> Migrated:
    """Create the schema or bring it to the newest revision, in one transaction.

    Safe to run again and from several places at a time. Processes of the version before go on
    working meanwhile and afterwards. The schema of a later version is left as it is: this one
    works with it.

    Raises:
        JournalUnavailable: Postgres did not answer or refused; nothing was changed.
    """
    database = Database(dsn)
    await (await database.connect()).close()  # says what is wrong in the journal's words

    async def connect() -> asyncpg.Connection[asyncpg.Record]:
        return await asyncpg.connect(dsn, timeout=WAIT_S, server_settings=AT_START)

    engine = create_async_engine("postgresql+asyncpg://", async_creator=connect, poolclass=NullPool)
    try:
        async with engine.begin() as connection:
            return await connection.run_sync(_upgrade)
    except FAULTS as error:
        raise database.unavailable(error) from error
    except DBAPIError as error:  # Postgres's own is what alchemy's is made from
        said = error.orig.__cause__ if error.orig else None
        raise database.unavailable(said if isinstance(said, FAULTS) else error) from error
    finally:
        await engine.dispose()


def _upgrade(connection: Connection) -> Migrated:
    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    known = text("SELECT 1 FROM pg_namespace WHERE nspname = :schema")
    if connection.scalar(known, {"schema": SCHEMA}) is None:
        connection.execute(text(f"CREATE SCHEMA {SCHEMA}"))
    before = _revision(connection)
    if before is not None and before > REVISION:
        return Migrated(before, before)  # after a roll-back; alembic would not know it
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    after = _revision(connection)
    assert after is not None  # noqa: S101  an upgrade ends at some revision
    return Migrated(before, after)


def _revision(connection: Connection) -> str | None:
    """Where the schema stands."""
    context = MigrationContext.configure(connection, opts={"version_table_schema": SCHEMA})
    return context.get_current_revision()
