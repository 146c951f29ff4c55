"""What is read or deleted by tenant follows an index, on tables that are too long to be read.

`run_starts` is short: it has what is about to start.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import asyncpg
import pytest

from relayline.journal.batches import BatchPlace
from relayline.journal.postgres.erasures import REST as ON_POSTGRES
from relayline.journal.postgres.table import numbered
from relayline.journal.sqlite.erasures import REST as ON_SQLITE
from relayline.journal.table import EVERY, Storage, Tenant
from relayline.journal.tenants.sealed_batches import listed
from tests.journal.storage import new_storage, open_table
from tests.journal.tenants.keeping import stored
from tests.postgres_server import PostgresServer

FILL = """
INSERT INTO relayline.batches (batch_id, tenant, created_us, data)
    SELECT 'b' || n, 'tenant_' || n % 50, n, '{}' FROM generate_series(1, 5000) n;
INSERT INTO relayline.run_labels (tenant, key, value, created_us, run_id)
    SELECT 'tenant_' || n % 50, 'k', 'v', n, 'r' || n FROM generate_series(1, 5000) n;
INSERT INTO relayline.run_words (tenant, word, created_us, run_id)
    SELECT 'tenant_' || n % 50, 'w', n, 'r' || n FROM generate_series(1, 5000) n;
INSERT INTO relayline.webhooks (webhook_id, tenant, url, named_only, secret_id, created_us)
    SELECT 'wh_' || n, 'tenant_' || n % 50, 'u', 1, 's', n FROM generate_series(1, 5000) n;
ANALYZE relayline.batches, relayline.run_labels, relayline.run_words, relayline.webhooks;
"""
TENANTS: tuple[Tenant, ...] = (EVERY, "tenant_7")
LISTS = [(tenant, before) for tenant in TENANTS for before in (None, BatchPlace(900, "b"))]


async def test_sqlite_reads_no_table_for_a_tenant(tmp_path: Path) -> None:
    file = tmp_path / "journal.db"
    storage = open_table(f"sqlite:{file}")
    assert not await storage.batches(EVERY, 1)
    await storage.close()
    asked = [listed("batches", tenant, 10, before) for tenant, before in LISTS]
    asked += [(statement, ("tenant_7",)) for statement in ON_SQLITE]
    with closing(sqlite3.connect(file)) as db:
        for query, arguments in asked:
            plan = [line for *_, line in db.execute(f"EXPLAIN QUERY PLAN {query}", arguments)]
            assert not [it for it in plan if it.startswith("SCAN") and "INDEX" not in it], plan
            assert not [it for it in plan if "TEMP B-TREE" in it], plan


async def test_postgres_reads_no_table_for_a_tenant(postgres: PostgresServer) -> None:
    dsn = new_storage("postgres", Path(), lambda: postgres).removeprefix("postgres:")
    asked = [listed("relayline.batches", tenant, 10, before) for tenant, before in LISTS]
    asked += [(statement, ("tenant_7",)) for statement in ON_POSTGRES]
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(FILL)
        for query, arguments in asked:
            found = await connection.fetch(f"EXPLAIN {numbered(query)}", *arguments)
            plan = "\n".join(line for (line,) in found)
            assert "Seq Scan" not in plan.replace("Seq Scan on run_starts", ""), plan
            assert "Sort" not in plan, plan
    finally:
        await connection.close()


@pytest.mark.timeout(120)
async def test_what_a_tenant_has_besides_its_runs_is_erased_step_by_step(
    table: Storage, storage: str
) -> None:
    assert not await table.batches(EVERY, 1)
    rows = ", ".join(f"('{{tenant}}', 'w', {number}, 'r')" for number in range(1200))
    for tenant in ("acme", "beta"):
        values = rows.replace("{tenant}", tenant)
        columns = "tenant, word, created_us, run_id"
        values = values.replace("'w'", f"'{tenant}'")
        await stored(storage, f"INSERT INTO {{s}}run_words ({columns}) VALUES {values}")  # noqa: S608
    assert await table.erase_runs("acme", 10) == 0
    left = await stored(storage, "SELECT tenant, count(*) FROM {s}run_words GROUP BY tenant")
    assert left == [("beta", 1200)]
