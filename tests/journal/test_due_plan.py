"""Which receivers are due is found by what waits: those that wait for nothing cost nothing."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import asyncpg

from relayline.journal import outbox_sql as sql
from relayline.journal.postgres.table import numbered
from tests.journal.outbox import now_us
from tests.journal.storage import new_storage, open_table
from tests.postgres_server import PostgresServer

IDLE = """
INSERT INTO relayline.webhooks (webhook_id, tenant, url, named_only, secret_id, created_us)
SELECT 'wh_' || n, 'default', 'https://x.test/', 1, 'default', 1 FROM generate_series(1, 3000) n
"""


async def test_sqlite_reads_only_receivers_that_wait_for_something(tmp_path: Path) -> None:
    file = tmp_path / "journal.db"
    storage = open_table(f"sqlite:{file}")
    assert await storage.webhooks.due(now_us(), 10) == []
    await storage.close()
    with closing(sqlite3.connect(file)) as db:
        query = f"EXPLAIN QUERY PLAN {sql.DUE.replace('{s}', '')}"
        plan = [line for *_, line in db.execute(query, (1, 1, 1, 10))]
    assert {it for it in plan if it.startswith("SCAN")} == {"SCAN waiting"}, plan


async def test_postgres_reads_only_receivers_that_wait_for_something(
    postgres: PostgresServer,
) -> None:
    dsn = new_storage("postgres", Path(), lambda: postgres).removeprefix("postgres:")
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(f"{IDLE}; ANALYZE relayline.webhooks")
        query = numbered(sql.DUE.replace("{s}", "relayline."))
        found = await connection.fetch(f"EXPLAIN {query}", 1, 1, 1, 10)
    finally:
        await connection.close()
    plan = "\n".join(line for (line,) in found)
    assert "Index Cond: (webhook_id = waiting.webhook_id)" in plan, plan
    assert "Seq Scan on webhooks" not in plan, plan
