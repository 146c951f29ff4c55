"""After a roll-back, an older version meets the schema of a later one, and works with it."""

from __future__ import annotations

from uuid import uuid4

import asyncpg
import pytest

from tests.console.test_cli import relayline
from tests.journal.storage import opened
from tests.postgres_server import MIGRATED, PostgresServer


@pytest.mark.slow
async def test_migrate_leaves_the_schema_of_a_later_version_as_it_is(
    postgres: PostgresServer,
) -> None:
    """The job runs again with every `up`, and must not keep the processes from starting."""
    dsn = postgres.create_database(f"test_{uuid4().hex}", MIGRATED)
    admin = await asyncpg.connect(dsn)
    await admin.execute("UPDATE relayline.alembic_version SET version_num = '9999'")
    ended = await relayline("migrate", env={"RELAYLINE_JOURNAL": dsn})
    assert (ended.code, ended.err) == (0, "")
    assert "is at 9999, of a later version: left as it is" in ended.out
    assert await admin.fetchval("SELECT version_num FROM relayline.alembic_version") == "9999"
    await admin.close()
    async with opened(dsn) as journal:
        await journal.check()
