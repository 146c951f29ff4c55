"""A tenant reads its own runs, and nothing of others, on every adapter."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from datetime import UTC, datetime, timedelta

import pytest

from relayline.contracts.envelope import NewEvent, StoredEvent
from relayline.journal.access.owners import Owners
from relayline.journal.port import Fence, Head, Journal, JournalUnavailable, RunErased
from relayline.journal.table import EVERY, Listed, RunFilter, Storage, Tenant
from relayline.projections.row import RunRow
from tests.journal.outbox import added, now_us, planned
from tests.journal.outbox import queued as told
from tests.journal.rows import STARTED, keyed, queued
from tests.journal.samples import delta, end, fact, fresh_run, seqs
from tests.journal.test_batches import batch_of

FACTS = [*keyed(queued(tenant="acme", metadata={"user": "ann"}), STARTED), delta(), end()]


async def acmes(table: Storage, events: Sequence[NewEvent] = FACTS) -> str:
    """A run of that tenant."""
    run = fresh_run()
    await table.append(run, events)
    return run


async def tailed(journal: Journal, tenant: Tenant, run: str, after: int = 0) -> list[StoredEvent]:
    """All events of a run that ends."""
    async with asyncio.timeout(15), aclosing(journal.tail(tenant, run, after)) as tail:
        return [event async for batch in tail for event in batch]


async def seen(table: Storage, tenant: Tenant, run: str) -> list[object]:
    """All that the tenant reads of a run, by every way."""
    listed = await table.listed(tenant, run)
    return [
        await table.head(tenant, run),
        seqs(await table.read(tenant, run)),
        seqs(await table.read(tenant, run, facts=True)),
        await table.get(tenant, run, "0/1") is not None,
        seqs(await tailed(table, tenant, run)),
        listed.row.run_id if listed else None,
        [it.row.run_id for it in await table.list_runs(tenant, RunFilter(), 10)],
        [it.row.run_id for it in await table.list_runs(tenant, RunFilter(words=("bug",)), 10)],
        [
            it.row.run_id
            for it in await table.list_runs(tenant, RunFilter(metadata={"user": "ann"}), 10)
        ],
        sum((await table.count_runs(tenant, RunFilter())).values()),
        sum(it.runs for it in (await table.sum_runs(tenant, RunFilter())).values()),
    ]


@pytest.mark.parametrize("tenant", ["acme", EVERY])
async def test_a_tenant_reads_all_of_its_own_run(
    table: Storage, other_table: Storage, tenant: Tenant
) -> None:
    run = await acmes(table)
    whole = [1, 2, 3, 4]
    facts = [1, 2, 4]
    lists = [[run]] * 3
    expected = [Head(1, 4, ended=True), whole, facts, True, whole, run, *lists, 1, 1]
    assert await seen(other_table, tenant, run) == expected


async def test_another_tenants_run_looks_like_an_unknown_run(table: Storage) -> None:
    run = await acmes(table)
    for tenant in ("beta", "", "ACME", "every tenant", "*"):
        assert await seen(table, tenant, run) == [None, [], [], False, [], None, [], [], [], 0, 0]
    assert await table.owner(run) == "acme"
    assert await table.owner(fresh_run()) is None


async def test_a_cursor_into_another_tenants_run_tells_nothing(table: Storage) -> None:
    run = await acmes(table)
    assert await tailed(table, "beta", run, after=99) == []
    await table.sweep(datetime.now(UTC) + timedelta(days=1))
    assert await table.read("beta", run, 1) == []
    assert await tailed(table, "beta", run, after=1) == []
    assert await table.head("acme", run) == Head(5, 4, ended=True)


async def test_a_tail_that_waits_for_a_run_gets_it_if_it_is_its_own(
    table: Storage, other_table: Storage
) -> None:
    run = fresh_run()
    async with asyncio.TaskGroup() as group:
        waiting = [group.create_task(tailed(table, it, run)) for it in ("acme", "beta", EVERY)]
        while table._watcher._subscriptions.get(run) is None:  # type: ignore[attr-defined]  # noqa: SLF001
            await asyncio.sleep(0.01)
        for event in FACTS:
            await other_table.append(run, [event])
    assert [seqs(it.result()) for it in waiting] == [[1, 2, 3, 4], [], [1, 2, 3, 4]]


async def test_a_run_without_a_row_is_no_tenants(table: Storage) -> None:
    run = fresh_run()
    await table.append(run, [delta()])
    assert await table.head(EVERY, run) == Head(1, 1, ended=False)
    assert await table.head("default", run) is None
    assert await table.read("default", run) == []
    await table.append(fenced := fresh_run(), [], Fence("0", 1))
    assert await table.head("default", fenced) is None
    await table.append(run, [fact("k")])
    assert await table.owner(run) in {None, "default"}


async def test_an_erased_run_is_told_to_its_tenant_alone(table: Storage) -> None:
    run = await acmes(table)
    assert await table.erase("beta", run) is None
    assert await table.erase("acme", run) == "acme"
    for tenant in ("acme", EVERY):
        with pytest.raises(RunErased):
            await table.head(tenant, run)
    assert await table.head("beta", run) is None


async def test_nothing_of_an_erased_run_is_read_while_its_events_are_being_deleted(
    table: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def die(_: str) -> None:
        raise JournalUnavailable("killed")

    run = await acmes(table)
    assert await table.get("acme", run, "run/queued")
    for step in ("_delete_events", "_delete_rest"):
        monkeypatch.setattr(table, step, die, raising=False)
    with pytest.raises(JournalUnavailable):
        await table.erase(EVERY, run)
    for tenant in ("acme", EVERY):
        assert await table.get(tenant, run, "run/queued") is None
        assert await table.read(tenant, run) == []


async def test_a_run_that_was_withdrawn_may_come_back_as_anothers(table: Storage) -> None:
    run = await acmes(table, FACTS[:1])
    assert await table.head("acme", run) == Head(1, 1, ended=False)
    assert await table.withdraw(run)
    await table.append(run, keyed(queued(tenant="beta")))
    assert await table.head("acme", run) is None
    assert await table.head("beta", run) == Head(1, 1, ended=False)


async def test_batches_and_their_starts_are_their_tenants(table: Storage) -> None:
    batch, runs = batch_of(2, tenant="acme")
    await table.store_batch(batch, runs)
    for tenant, count in ((EVERY, 2), ("acme", 2), ("beta", 0)):
        assert len(await table.pending_starts(tenant, batch.batch_id, 9)) == count
        assert bool(await table.pending_start(tenant, runs[1].run_id)) == bool(count)
        assert bool(await table.find_batch(tenant, batch.batch_id)) == bool(count)


async def test_deliveries_are_their_tenants(table: Storage) -> None:
    it = await added(table, "acme")
    await table.append(fresh_run(), [told(tenant="acme")])
    await planned(table.webhooks, it)
    given = (it.webhook_id, (None, None), 9)
    assert not await table.webhooks.deliveries("beta", *given)
    [before] = await table.webhooks.deliveries("acme", *given)
    await table.webhooks.redeliver("beta", before.delivery_id, now_us() + 10**9)
    assert await table.webhooks.delivery("acme", before.delivery_id) == before
    await table.webhooks.redeliver("acme", before.delivery_id, now_us() + 10**9)
    assert await table.webhooks.delivery("acme", before.delivery_id) != before


async def test_the_storage_is_asked_once_for_a_run_and_never_for_every_tenant() -> None:
    asked: list[str] = []

    async def listed(tenant: Tenant, run: str) -> Listed | None:
        assert tenant is EVERY
        asked.append(run)
        return None if run == "later" else Listed(RunRow(run_id=run, tenant="acme"), 1, None)

    owners = Owners(listed)
    assert await owners.has(EVERY, "run")
    assert asked == []
    assert [await owners.has(it, "run") for it in ("acme", "beta", "acme")] == [True, False, True]
    assert asked == ["run"]
    assert not await owners.has("acme", "later")
    assert not await owners.has("acme", "later")
    assert asked == ["run", "later", "later"]
