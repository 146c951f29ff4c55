"""Every filter of the list follows an index, on a table that is too long to be read."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest

from relayline.journal.filters import Filters, Rare
from relayline.journal.postgres import table as on_postgres
from relayline.journal.sqlite import table as on_sqlite
from relayline.journal.table import EVERY, Position, RunFilter, Tenant
from tests.journal import many
from tests.journal.rows import BEGAN
from tests.journal.storage import new_storage, open_table
from tests.postgres_server import PostgresServer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]  # the first test fills the tables

COUNT = 20_000
FILTERS = many.filters(COUNT)
TENANTS: Sequence[Tenant] = (EVERY, "tenant_7")
BEFORE = Position(10**18, "run_")
NOTES = {"SCAN stale_rows", "SCAN unsummed_rows"}


def noted(line: str) -> bool:
    """Whether Postgres reads what older versions have left; nothing, as a rule."""
    return "stale_rows" in line or "unsummed_rows" in line


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
                    assert set(read) <= {"SCAN picked", "SCAN branch", *NOTES}, plan


def explained(db: sqlite3.Connection, query: tuple[str, list[object]]) -> list[str]:
    sql, arguments = query
    return [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {sql}", arguments)]


SUMMED = [(EVERY, RunFilter()), ("tenant_7", RunFilter()), ("tenant_7", many.ONE_DAY)]


@pytest.mark.parametrize(("tenant", "wanted"), SUMMED, ids=("all", "tenant", "day"))
async def test_sums_read_an_index_alone(
    file: str, database: str, tenant: Tenant, wanted: RunFilter
) -> None:
    with closing(sqlite3.connect(file)) as db:
        plan = explained(db, Filters(on_sqlite.DIALECT, tenant, wanted).sums(None))
    assert any("COVERING INDEX rows_by_tenant_status" in line for line in plan), plan
    plan = await explained_by_postgres(database, tenant, wanted)
    assert any("Index Only Scan using rows_by_tenant_status" in line for line in plan), plan


async def test_sums_of_runs_that_ended_in_a_day_follow_their_index(
    file: str, database: str
) -> None:
    wanted = RunFilter(ended_after=BEGAN, ended_before=BEGAN + timedelta(minutes=1))
    with closing(sqlite3.connect(file)) as db:
        plan = explained(db, Filters(on_sqlite.DIALECT, "tenant_7", wanted).sums(None))
    assert any("rows_by_end (tenant=? AND ended_us>? AND ended_us<?)" in line for line in plan)
    plan = await explained_by_postgres(database, "tenant_7", wanted)
    assert any("rows_by_end" in line for line in plan), plan


async def test_runs_of_all_tenants_that_ended_in_a_day_follow_their_index(
    file: str, database: str
) -> None:
    wanted = RunFilter(ended_after=BEGAN, ended_before=BEGAN + timedelta(minutes=1))
    with closing(sqlite3.connect(file)) as db:
        plan = explained(db, Filters(on_sqlite.DIALECT, EVERY, wanted).page(50, None, None))
    assert any("rows_ended (ended_us>? AND ended_us<?)" in line for line in plan), plan
    connection = await asyncpg.connect(database)
    sql, arguments = Filters(on_postgres.DIALECT, EVERY, wanted).page(50, None, None)
    rows = await connection.fetch(on_postgres.numbered(f"EXPLAIN {sql}"), *arguments)
    await connection.close()
    assert any("rows_ended" in line for (line,) in rows), rows


async def explained_by_postgres(database: str, tenant: Tenant, wanted: RunFilter) -> list[str]:
    """How it sums if it reads no table, as it does where there are more rows than here."""
    connection = await asyncpg.connect(database)
    await connection.execute("SET enable_seqscan = off; SET enable_bitmapscan = off")
    sql, arguments = Filters(on_postgres.DIALECT, tenant, wanted).sums(None)
    text = on_postgres.numbered(f"EXPLAIN {sql}")
    plan = [row[0] for row in await connection.fetch(text, *arguments)]
    await connection.close()
    return plan


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
            read = [line for line in plan if "Seq Scan on" in line and not noted(line)]
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
