"""Every filter of the list follows an index, on a table that is too long to be read."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import asyncpg
import pytest

from relayline.journal.filters import Filters, Rare
from relayline.journal.postgres import table as on_postgres
from relayline.journal.sqlite import table as on_sqlite
from relayline.journal.table import EVERY, Position, RunFilter, Tenant
from tests.journal import many
from tests.journal.storage import new_storage, open_table
from tests.postgres_server import PostgresServer

COUNT = 20_000
FILTERS = many.filters(COUNT)
TENANTS: Sequence[Tenant] = (EVERY, "tenant_7")
BEFORE = Position(10**18, "run_")


@pytest.fixture(scope="module")
async def file(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("many") / "journal.db"
    await many.fill(f"sqlite:{path}", COUNT)
    return str(path)


@pytest.fixture(scope="module")
async def database(postgres: PostgresServer) -> str:
    storage = new_storage("postgres", Path(), lambda: postgres)
    await many.fill(storage, COUNT)
    return storage.removeprefix("postgres:")


def rares(filters: Filters) -> list[Rare | None]:
    """Each way to find a prefix."""
    if not filters.prefixes:
        return [None]
    prefix = filters.prefixes[0]
    return [Rare(prefix, None), Rare(prefix, [prefix, prefix + "s"]), None]


@pytest.mark.parametrize("name", FILTERS)
async def test_sqlite_sorts_no_rows_and_reads_no_table(file: str, name: str) -> None:
    with closing(sqlite3.connect(file)) as db:
        for tenant in TENANTS:
            filters = Filters(on_sqlite.DIALECT, tenant, FILTERS[name])
            for rare in rares(filters):
                for before in (None, BEFORE):
                    plan = explained(db, filters.page(50, before, rare))
                    read = [it for it in plan if it.startswith("SCAN") and "USING" not in it]
                    assert set(read) <= {"SCAN picked", "SCAN branch", "SCAN stale_rows"}, plan


def explained(db: sqlite3.Connection, query: tuple[str, list[object]]) -> list[str]:
    sql, arguments = query
    return [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {sql}", arguments)]


@pytest.mark.parametrize("name", FILTERS)
async def test_postgres_reads_no_table(database: str, name: str) -> None:
    connection = await asyncpg.connect(database)
    for tenant in TENANTS:
        filters = Filters(on_postgres.DIALECT, tenant, FILTERS[name])
        rare: list[Rare | None] = [None]
        if filters.prefixes:  # Postgres reads the table for a range that is a great part of it
            sql, arguments = filters.entries()
            entries = await connection.fetchval(on_postgres.numbered(sql), *arguments)
            rare = [filters.rare(entries), Rare(filters.prefixes[0], [filters.prefixes[0]])]
        for it in rare:
            sql, arguments = filters.page(50, BEFORE, it)
            text = on_postgres.numbered(f"EXPLAIN {sql}")
            plan = [row[0] for row in await connection.fetch(text, *arguments)]
            read = [line for line in plan if "Seq Scan on" in line and "stale_rows" not in line]
            assert read == [], plan
    await connection.close()


@pytest.mark.parametrize("adapter", ["sqlite", "postgres"])
async def test_each_filter_finds_on_a_long_table_what_it_must(
    adapter: str, request: pytest.FixtureRequest
) -> None:
    where = request.getfixturevalue("file" if adapter == "sqlite" else "database")
    table = open_table(f"{adapter}:{where}")
    for wanted in (*FILTERS.values(), RunFilter(words=("parser", "n"))):
        counts = await table.count_runs(EVERY, wanted)
        found = await table.list_runs(EVERY, wanted, 30)
        assert len(found) == min(30, sum(counts.values()))
        of_tenant = await table.count_runs("tenant_7", wanted)
        assert of_tenant.items() <= counts.items() or sum(of_tenant.values()) < sum(counts.values())
    await table.close()
