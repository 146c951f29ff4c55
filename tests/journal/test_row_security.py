"""Row-level security, by the roles of deploy/postgres-roles.sql: what no check precedes.

The API as a whole runs against that role in `tests/api/auth/test_tenants_apart.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, NamedTuple
from uuid import uuid4

import asyncpg
import pytest

from relayline.journal.port import Fence, Holder, JournalUnavailable
from relayline.journal.postgres import sql
from relayline.journal.postgres.beats import PostgresBeats
from relayline.journal.postgres.migrate import Migrated, migrate
from relayline.journal.table import EVERY, RunFilter
from tests.journal.auditing import audit_row
from tests.journal.outbox import added, planned
from tests.journal.rows import BEGAN, STARTED, keyed, queued
from tests.journal.samples import delta, end, fresh_run, seqs
from tests.journal.storage import opened
from tests.journal.test_batches import batch_of
from tests.journal.test_ownership import FACTS, acmes, seen, tailed
from tests.postgres_server import MIGRATED, PostgresServer

if TYPE_CHECKING:
    from relayline.journal.postgres.database import Connection

OF_RUNS = ("run_rows", "run_labels", "run_words", "runs", "events")
TABLES = (*OF_RUNS, "batches", "run_starts", "webhooks", "deliveries")
NOTHING = [0] * len(TABLES)


class Stored(NamedTuple):
    """A journal with a run, a batch and a receiver of `acme`, a run of `beta`; its roles."""

    owner: str
    api: str
    worker: str
    run: str


@pytest.fixture(scope="module")
async def stored(postgres: PostgresServer) -> Stored:
    owner = postgres.create_database(name := f"test_{uuid4().hex}", MIGRATED)
    postgres.separate(name)
    api, worker = postgres.separate(name)  # again, as after each migration
    async with opened(owner) as journal:
        receiver = await added(journal, "acme")
        run = await acmes(journal)
        await planned(journal.webhooks, receiver)
        await journal.store_batch(*batch_of(2, tenant="acme"))
        await acmes(journal, keyed(queued(tenant="beta", metadata={"user": "bob"}), STARTED))
    return Stored(owner, api, worker, run)


@pytest.fixture
async def reader(stored: Stored) -> AsyncIterator[Connection]:
    """As the API connects, without any code of ours."""
    connection = await asyncpg.connect(stored.api)
    yield connection
    await connection.close()


async def counts(connection: Connection) -> list[int]:
    """How many rows it sees of each table."""
    return [await connection.fetchval(f"SELECT count(*) FROM relayline.{it}") for it in TABLES]  # noqa: S608


async def bound(connection: Connection, name: str, value: str) -> list[int]:
    """The same in a transaction that says whose rows it reads."""
    async with connection.transaction():
        await connection.fetchval("SELECT set_config($1, $2, true)", name, value)
        return await counts(connection)


async def test_a_transaction_without_a_tenant_sees_nothing(reader: Connection) -> None:
    assert await counts(reader) == NOTHING


async def test_a_transaction_with_a_tenant_sees_only_its_rows(reader: Connection) -> None:
    acme, beta, all_ = (
        await bound(reader, "relayline.tenant", "acme"),
        await bound(reader, "relayline.tenant", "beta"),
        await bound(reader, "relayline.every_tenant", "on"),
    )
    assert acme[0] == acme[3] == beta[0] == beta[3] == 1
    assert (acme[4], beta[4], acme[5:], beta[5:]) == (4, 2, [1, 2, 1, 2], [0] * 4)
    assert [sum(pair) for pair in zip(acme, beta, strict=True)] == all_
    assert await bound(reader, "relayline.tenant", "nobody") == NOTHING
    assert await bound(reader, "relayline.every_tenant", "off") == NOTHING


async def test_after_the_transaction_no_tenant_is_set(reader: Connection) -> None:
    await bound(reader, "relayline.tenant", "acme")
    assert await reader.fetchval("SELECT current_setting('relayline.tenant')") == ""
    assert await counts(reader) == NOTHING


async def as_beta(connection: Connection, statement: str, *arguments: object) -> str:
    """Run the statement as if for that tenant; what Postgres says."""
    async with connection.transaction():
        await connection.fetchval("SELECT set_config('relayline.tenant', 'beta', true)")
        return await connection.execute(statement, *arguments)


async def test_a_tenant_changes_nothing_of_another(reader: Connection, stored: Stored) -> None:
    for change in (
        "UPDATE relayline.run_rows SET tenant = 'beta' WHERE run_id = $1",
        "DELETE FROM relayline.events WHERE run_id = $1",
    ):
        assert (await as_beta(reader, change, stored.run)).endswith(" 0")
    event = "INSERT INTO relayline.events VALUES ($1, 99, 0, 'x', NULL, NULL, NULL, '{}')"
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
        await as_beta(reader, event, stored.run)


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE relayline.events DISABLE ROW LEVEL SECURITY",
        "DROP POLICY tenants_apart ON relayline.events",
        "CREATE TABLE relayline.mine (it text)",
        "SET ROLE relayline_worker",
        "ALTER ROLE relayline_api BYPASSRLS",
        "UPDATE relayline.audit SET subject = ''",
        "DELETE FROM relayline.audit",
        "INSERT INTO relayline.audit_anchors VALUES ('acme', 1, '')",
        "UPDATE relayline.alembic_version SET version_num = '0001'",
    ],
)
async def test_the_role_of_the_api_can_not_turn_security_off(
    reader: Connection, statement: str
) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await reader.execute(statement)


async def test_the_journal_works_for_that_role_as_for_its_owner(stored: Stored) -> None:
    async with opened(stored.api) as journal:
        await journal.check()
        run = await acmes(journal)
        own = [it.row.run_id for it in await journal.list_runs("acme", RunFilter(), 10)]
        assert sorted(own) == sorted([stored.run, run])
        assert (await seen(journal, "acme", run))[:6] == (await seen(journal, EVERY, run))[:6]
        assert (await seen(journal, "beta", run))[:6] == [None, [], [], False, [], None]
        assert seqs(await tailed(journal, EVERY, run)) == [1, 2, 3, 4]
        assert await journal.erase("acme", run) == "acme"
        unbegun = await acmes(journal, FACTS[:1])
        assert await journal.withdraw(unbegun)


async def test_tails_of_that_role_are_told_what_comes(stored: Stored) -> None:
    async with opened(stored.api) as journal, asyncio.timeout(15):
        run = await acmes(journal, FACTS[:1])
        tails = [journal.tail(tenant, run) for tenant in ("acme", EVERY)]
        assert [seqs(await anext(tail)) for tail in tails] == [[1], [1]]
        await journal.append(run, FACTS[1:2])
        assert [seqs(await anext(tail)) for tail in tails] == [[2], [2]]
        for tail in tails:
            await tail.aclose()


async def test_a_query_that_no_check_precedes_finds_nothing_of_another(stored: Stored) -> None:
    async with opened(stored.api) as journal:
        for tenant, found in (("acme", 4), ("beta", 0), (EVERY, 4)):
            for query in (sql.READ, sql.FACTS):
                asked = (stored.run, 0, 100, None)
                rows: Sequence[object] = await journal._fetch(tenant, query, *asked)  # noqa: SLF001
                assert bool(rows) == bool(found)
            rows = await journal._fetch(tenant, sql.FACT, stored.run, "0/1")  # noqa: SLF001
            assert bool(rows) == bool(found)
            rows = await journal._fetch(tenant, sql.HEAD, stored.run)  # noqa: SLF001
            assert bool(rows) == bool(found)


async def test_receivers_and_deliveries_are_their_tenants(stored: Stored) -> None:
    async with opened(stored.api) as journal:
        hooks = journal.webhooks
        [theirs] = await hooks.receivers("acme", 9)
        assert await hooks.receivers("beta", 9) == []
        assert await hooks.receivers(EVERY, 9) == [theirs]
        [newest, _] = await hooks.deliveries("acme", theirs.webhook_id, (None, None), 9)
        await hooks.redeliver("acme", newest.delivery_id, 1)
        own = await added(journal, "beta")
        assert await hooks.enable("beta", own.webhook_id, 1) == own
        assert not await hooks.remove("acme", own.webhook_id)
        assert await hooks.remove("beta", own.webhook_id)


async def test_workers_see_every_tenant_and_keep_the_house(stored: Stored) -> None:
    async with opened(stored.api) as journal:
        await journal.audit.add([audit_row("acme")])
        with pytest.raises(JournalUnavailable, match="grant its user"):
            await journal.audit.seal(10)
    async with opened(stored.worker) as journal:
        assert await journal.audit.seal(10) == 1
        run = fresh_run()
        facts = [*keyed(queued(tenant="gamma"), STARTED), delta(), end()]
        await journal.append(run, facts, Fence("0/step/1", 1, Holder("w", "7", b"t")))
        assert await journal.sweep(BEGAN) == 0
        assert await journal.fill_rows() == 0
        assert await journal.erase(EVERY, run) == "gamma"
        assert run in {it.run_id for it in await journal.unfinished(10)}
    beats = PostgresBeats(stored.worker)
    await beats.beat("w", 1)
    assert await beats.counters() == {"w": 1}
    await beats.close()


async def test_the_owner_migrates_and_reads_as_before(stored: Stored) -> None:
    assert await migrate(stored.owner) == Migrated(sql.REVISION, sql.REVISION)
    connection = await asyncpg.connect(stored.owner)
    assert (await counts(connection))[0] >= 2
    await connection.close()


async def test_security_that_is_turned_on_meanwhile_is_found_by_the_next_check(
    postgres: PostgresServer, stored: Stored
) -> None:
    owner = postgres.create_database(name := f"test_{uuid4().hex}", MIGRATED)
    connection = await asyncpg.connect(owner)
    for granted in ("USAGE ON SCHEMA", "SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA"):
        await connection.execute(f"GRANT {granted} relayline TO relayline_api")
    await connection.close()
    async with opened(stored.api.replace(stored.api.rpartition("/")[2], name)) as journal:
        run = await acmes(journal)
        assert await journal.owner(run) == "acme"
        postgres.separate(name)
        await journal.check()
        assert seqs(await journal.read("acme", run)) == [1, 2, 3, 4]
