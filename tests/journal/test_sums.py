"""What runs have used, summed from columns of their rows: exact, whoever wrote the rows."""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from relayline.contracts.envelope import NewEvent
from relayline.contracts.events import MessageCompleted, RunCompleted, RunRewound
from relayline.contracts.messages import Usage, UsageSum
from relayline.contracts.money import Cost
from relayline.contracts.runs import RunStatus
from relayline.journal.columns import MAX_TOKENS, SPENT
from relayline.journal.postgres.migrate import Migrated, migrate
from relayline.journal.postgres.sql import REVISION
from relayline.journal.table import EVERY, RunFilter, Storage, Summed
from relayline.projections.row import dump_row
from tests.journal.rows import STARTED, fresh_id, keyed, queued, row
from tests.journal.samples import delta
from tests.journal.storage import open_table
from tests.journal.test_row_security import TABLES

LARGE = Usage(input_tokens=7, output_tokens=1, cost=Cost(amount="8999999.999999999999"))
Execute = Callable[[str], Awaitable[None]]


@pytest.fixture
def execute(storage: str) -> Execute:
    """Runs statements past the journal, with `run_rows` for its table."""
    adapter, _, where = storage.partition(":")

    async def run(statements: str) -> None:
        if adapter == "sqlite":
            with closing(sqlite3.connect(where)) as db, db:
                db.executescript(statements)
            return
        connection = await asyncpg.connect(where, server_settings={"search_path": "relayline"})
        await connection.execute(statements)
        await connection.close()

    return run


def answered(usage: Usage, key: str = "answer") -> NewEvent:
    return NewEvent(body=MessageCompleted(text="a", finish_reason="stop", usage=usage), key=key)


def ended(usage: Usage) -> NewEvent:
    return NewEvent(body=RunCompleted(usage=usage), key="end")


async def spent(table: Storage, **wanted: object) -> UsageSum:
    """By all runs that match."""
    found = await table.sum_runs(EVERY, replace(RunFilter(), **wanted))  # type: ignore[arg-type]
    return sum((it.usage for it in found.values()), start=UsageSum())


async def test_a_sum_is_exact_beyond_64_bits(table: Storage) -> None:
    for _ in range(3):
        await table.append(fresh_id(), [*keyed(queued()), ended(LARGE)])
    total = UsageSum(input_tokens=21, output_tokens=3, cost=Cost(amount="26999999.999999999997"))
    assert await table.sum_runs(EVERY, RunFilter()) == {RunStatus.COMPLETED: Summed(3, total)}
    assert await table.sum_runs("nobody", RunFilter()) == {}


async def test_a_count_that_no_column_holds_is_cut_and_does_no_harm(table: Storage) -> None:
    run = fresh_id()
    await table.append(run, keyed(queued()))
    beyond = Usage(input_tokens=10**30, output_tokens=-1, cost=Cost(amount=f"{10**30}"))
    await table.append(run, [answered(beyond)])
    assert (await row(table, run)).usage == beyond
    cut = await spent(table)
    assert (cut.input_tokens, cut.output_tokens) == (MAX_TOKENS, 0)
    assert cut.cost == Cost.of_picos(2**63 - 1)


async def test_runs_without_a_known_price_are_counted_beside_the_sum(table: Storage) -> None:
    unpriced, priced = Usage(input_tokens=2, estimated=True), Usage(cost=Cost(amount="0.5"))
    for usage in (unpriced, priced, priced, Usage()):
        await table.append(fresh_id(), [*keyed(queued(), STARTED), answered(usage)])
    assert await spent(table) == UsageSum(
        input_tokens=2, cost=Cost(amount="1"), unpriced_runs=1, estimated=True
    )


async def test_what_a_tenant_has_spent_is_asked_for_by_the_day_of_the_end(table: Storage) -> None:
    open_, reopened, run = fresh_id(), fresh_id(), fresh_id()
    for each in (open_, reopened, run):
        await table.append(each, [*keyed(queued(tenant="acme"), STARTED), answered(LARGE)])
    for each in (reopened, run):
        await table.append(each, [ended(LARGE)])
    rewound = NewEvent(body=RunRewound(to_seq=3, epoch=1), key="rewound")
    await table.append(reopened, [rewound])
    now, hour = datetime.now(UTC), timedelta(hours=1)
    day = RunFilter(ended_after=now - hour, ended_before=now + hour)
    assert await table.sum_runs("acme", day) == {RunStatus.COMPLETED: Summed(1, UsageSum.of(LARGE))}
    assert [it.row.run_id for it in await table.list_runs(EVERY, day, 5)] == [run]
    assert await table.sum_runs("acme", RunFilter(ended_after=now + hour)) == {}
    assert await table.sum_runs("acme", RunFilter(ended_before=now - hour)) == {}
    assert (await spent(table)).input_tokens == 3 * LARGE.input_tokens


async def test_what_an_older_process_writes_is_in_the_sums_at_the_next_look(
    table: Storage, other_table: Storage, execute: Execute
) -> None:
    """It changes `state` and `folded_seq`, and does not know the columns of sums."""
    run, foreign = fresh_id(), fresh_id()
    await table.append(run, [*keyed(queued(), STARTED), answered(Usage(input_tokens=1))])
    before = await row(table, run)
    await table.append(run, [delta()])  # its place is that of the older process's fact
    now = dump_row(replace(before, usage=LARGE, seq=4))
    other = dump_row(replace(before, run_id=foreign, usage=LARGE))
    changed = f"SET folded_seq = 4, state = '{now}' WHERE run_id = '{run}'"
    columns = "run_id, folded_seq, created_us, tenant, status, words, state"
    values = f"('{foreign}', 3, 1, 'default', 'running', '', '{other}')"
    await execute(f"UPDATE run_rows {changed}; INSERT INTO run_rows ({columns}) VALUES {values}")  # noqa: S608
    assert await spent(other_table) == UsageSum.of(LARGE) + UsageSum.of(LARGE)
    assert await other_table.fill_rows() == 0
    await table.append(run, [ended(LARGE)])
    assert await spent(table, open=False) == UsageSum.of(LARGE)
    assert await other_table.fill_rows() == 0


async def test_what_was_noted_of_a_run_is_erased_with_it(
    storage: str, table: Storage, execute: Execute
) -> None:
    run = fresh_id()
    await table.append(run, [*keyed(queued()), ended(LARGE)])
    note = f"INSERT INTO unsummed_rows VALUES ('{run}')"  # noqa: S608
    await execute(note)
    assert await table.erase(EVERY, run)
    await execute(note)  # it is not there any more
    assert await spent(table) == UsageSum()
    assert await table.fill_rows() == 0


async def test_the_rows_of_an_older_version_are_summed_after_the_upgrade(
    storage: str, table: Storage, execute: Execute
) -> None:
    for _ in range(60):
        await table.append(fresh_id(), [*keyed(queued()), ended(LARGE)])
    await table.close()
    adapter, _, where = storage.partition(":")
    await execute(_DOWN[adapter])
    if adapter == "postgres":
        assert await migrate(where) == Migrated(_BEFORE, REVISION)
    again = open_table(storage)
    found = await spent(again, ended_after=datetime(2020, 1, 1, tzinfo=UTC))
    assert found == sum([UsageSum.of(LARGE)] * 60, start=UsageSum())
    assert await again.fill_rows() == 0
    await again.close()


_BEFORE = "0008"
_COLUMNS = (*SPENT, "summed_seq")
_DOWN = {
    "sqlite": "".join(
        (
            "DROP TRIGGER sums_go_stale_insert; DROP TRIGGER sums_go_stale_update;",
            "DROP INDEX rows_by_end; DROP INDEX rows_by_tenant_status; DROP INDEX rows_ended;",
            "DROP TABLE unsummed_rows;",
            "CREATE INDEX rows_by_tenant_status ON run_rows (tenant, status, created_us, run_id);",
            *(f"ALTER TABLE run_rows DROP COLUMN {name};" for name in _COLUMNS),
        )
    ),
    "postgres": "".join(
        (
            "DROP TRIGGER sums_go_stale ON run_rows; DROP FUNCTION note_unsummed;",
            "DROP TABLE unsummed_rows;",
            *(f"ALTER TABLE run_rows DROP COLUMN {name};" for name in _COLUMNS),
            "CREATE INDEX rows_by_tenant_status ON run_rows (tenant, status, created_us, run_id);",
            "DROP TABLE tenant_quotas; DROP TABLE audit; DROP TABLE audit_anchors;",
            "DROP FUNCTION keep_audit;",
            *(f"DROP POLICY tenants_apart ON {name};" for name in TABLES),
            "DROP TABLE tenant_keys; ALTER TABLE run_rows DROP COLUMN root;",
            "DROP TABLE files; DROP TABLE file_runs; DROP TABLE file_chunks;",
            "DROP INDEX batches_listed; DROP INDEX batches_by_time;",
            "DROP INDEX run_labels_by_tenant; DROP INDEX run_words_by_tenant;",
            "DROP TABLE catalogs; DROP TABLE webhook_runs;",
            "ALTER TABLE webhooks DROP COLUMN named_us;",
            f"UPDATE alembic_version SET version_num = '{_BEFORE}';",  # noqa: S608
        )
    ),
}
"""Makes the schema what it was before there were sums."""
