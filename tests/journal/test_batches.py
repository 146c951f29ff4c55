"""Batches and pending starts: stored whole, read in order, forgotten once; on both adapters."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

from relayline.contracts.calls import agent_sha256
from relayline.contracts.envelope import NewEvent
from relayline.contracts.events import RunCompleted
from relayline.contracts.runs import AgentSpec, RunInput
from relayline.contracts.submissions.batches import AcceptedRun, RejectedRun, StoredBatch
from relayline.journal.postgres.batches import _PENDING
from relayline.journal.table import EVERY, Storage
from tests.journal.storage import opened
from tests.postgres_server import MIGRATED, PostgresServer

AGENTS = [AgentSpec(name="one", model="rehearsal"), AgentSpec(name="two", model="local")]
AT = datetime(2026, 11, 30, 12, tzinfo=UTC)


def batch_of(count: int, tenant: str = "blue") -> tuple[StoredBatch, list[RunInput]]:
    batch_id = f"batch_{uuid4().hex}"
    runs = [
        RunInput(
            run_id=f"run_{uuid4().hex}",
            agent=AGENTS[index % 2],
            input=f"number {index}, a NUL \0 and 😀",
            metadata={"index": str(index)},
            tenant=tenant,
            batch=batch_id,
            priority=1 + index % 5,
        )
        for index in range(count)
    ]
    batch = StoredBatch(
        batch_id=batch_id,
        tenant=tenant,
        request_sha256="0" * 64,
        created_at=AT,
        accepted=tuple(AcceptedRun(index=at, run_id=it.run_id) for at, it in enumerate(runs)),
        rejected=(RejectedRun(index=count, problem={"status": 422, "field": "agent"}),),
        agents={agent_sha256(agent): agent for agent in AGENTS},
    )
    return batch, runs


async def test_a_batch_is_read_as_it_was_stored_by_every_process(
    table: Storage, other_table: Storage
) -> None:
    batch, runs = batch_of(5)
    assert await table.store_batch(batch, runs)
    assert await other_table.find_batch(EVERY, batch.batch_id) == batch
    pending = await other_table.pending_starts(EVERY, batch.batch_id, 10)
    assert [start.run for start in pending] == runs
    assert {start.submitted_at for start in pending} == {AT}
    assert (await other_table.pending_start(EVERY, runs[3].run_id) or pending[0]).run == runs[3]


async def test_a_second_batch_with_the_same_id_changes_nothing(table: Storage) -> None:
    batch, runs = batch_of(2)
    other, its_runs = batch_of(3)
    assert await table.store_batch(batch, runs)
    assert not await table.store_batch(other.model_copy(update={"batch_id": batch.batch_id}), [])
    assert not await table.store_batch(
        other.model_copy(update={"batch_id": batch.batch_id}), its_runs
    )
    assert await table.find_batch(EVERY, batch.batch_id) == batch
    assert [it.run for it in await table.pending_starts(EVERY, batch.batch_id, 9)] == runs
    assert await table.pending_start(EVERY, its_runs[0].run_id) is None


async def test_starts_are_forgotten_once_and_the_rest_keeps_its_order(table: Storage) -> None:
    batch, runs = batch_of(6)
    await table.store_batch(batch, runs)
    await table.forget_starts([runs[0].run_id, runs[4].run_id])
    await table.forget_starts([runs[0].run_id, "run_unknown"])
    left = await table.pending_starts(EVERY, batch.batch_id, 3)
    assert [it.run for it in left] == [runs[1], runs[2], runs[3]]
    assert await table.pending_start(EVERY, runs[4].run_id) is None


async def test_a_batch_is_its_tenants_alone(table: Storage) -> None:
    batch, runs = batch_of(1, "blue")
    await table.store_batch(batch, runs)
    assert await table.find_batch("blue", batch.batch_id) == batch
    assert await table.find_batch("red", batch.batch_id) is None
    assert await table.find_batch(EVERY, f"batch_{uuid4().hex}") is None


async def test_batches_are_listed_newest_first_to_their_tenant(table: Storage) -> None:
    tenant, stored = f"of-{uuid4().hex}", list[str]()
    for number, at_s in enumerate((0, 5, 5, 9)):
        batch, runs = batch_of(number, tenant)
        made = batch.model_copy(update={"created_at": AT + timedelta(seconds=at_s)})
        await table.store_batch(made, runs)
        stored.append(made.batch_id)
    await table.store_batch(*batch_of(1, f"not-{tenant}"))
    newest = [stored[3], *sorted(stored[1:3], reverse=True), stored[0]]
    first = await table.batches(tenant, 2)
    assert [it.batch_id for it in first] == newest[:2]
    rest = await table.batches(tenant, 9, first[-1].place)
    assert [it.batch_id for it in rest] == newest[2:]
    counts = {it.batch_id: (it.accepted, it.rejected) for it in [*first, *rest]}
    assert counts == {batch_id: (number, 1) for number, batch_id in enumerate(stored)}
    assert {*newest} < {it.batch_id for it in await table.batches(EVERY, 1000)}


async def test_batches_with_pending_starts_are_found_until_all_are_forgotten(
    table: Storage,
) -> None:
    (first, runs), (empty, _) = batch_of(2), batch_of(0)
    await table.store_batch(first, runs)
    await table.store_batch(empty, [])
    assert await table.batches_to_start(AT, 10) == []
    later = AT + timedelta(seconds=1)
    assert await table.batches_to_start(later, 10) == [first.batch_id]
    await table.forget_starts([run.run_id for run in runs])
    assert await table.batches_to_start(later, 10) == []


async def test_the_start_of_an_erased_run_is_not_pending_any_more(table: Storage) -> None:
    batch, [erased, kept] = batch_of(2)
    await table.store_batch(batch, [erased, kept])
    await table.append(erased.run_id, [NewEvent(key="0/run/ended", body=RunCompleted(output=""))])
    assert await table.erase(EVERY, erased.run_id)
    assert await table.pending_start(EVERY, erased.run_id) is None
    assert [it.run for it in await table.pending_starts(EVERY, batch.batch_id, 9)] == [kept]


async def test_the_batch_comes_once_with_a_page_of_its_starts(postgres: PostgresServer) -> None:
    batch, runs = batch_of(5)
    async with opened(postgres.create_database(f"test_{uuid4().hex}", MIGRATED)) as journal:
        await journal.store_batch(batch, runs)
        await journal.forget_starts([runs[0].run_id])
        page = await journal._fetch(EVERY, _PENDING, batch.batch_id, 3)  # noqa: SLF001
        assert [it["run_id"] for it in page] == [run.run_id for run in runs[1:4]]
        assert [it["batch"] is not None for it in page] == [True, False, False]
