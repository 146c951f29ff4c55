"""The activities of a batch: how far one gets, what is repeated, and a run that can't start."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import ActivityEnvironment

from relayline.activities.batches import BatchActivities
from relayline.contracts.access.proofs import CommandProofs
from relayline.contracts.calls import agent_sha256
from relayline.contracts.commands import AnyCommand, Cancel
from relayline.contracts.envelope import NewEvent
from relayline.contracts.events import RunFailed
from relayline.contracts.events.run import run_queued
from relayline.contracts.keys import QUEUED_KEY
from relayline.contracts.runs import AgentSpec, RunInput
from relayline.contracts.submissions.batches import (
    START_PAGE,
    BatchCancel,
    BatchRequested,
    ChunkCancel,
    StoredBatch,
)
from relayline.journal.sqlite.journal import SqliteJournal
from relayline.journal.table import EVERY

AGENT = AgentSpec(name="assistant", model="rehearsal")
MORE = START_PAGE + 7


class Starting:
    """Stands in for Temporal: knows what was started, and refuses what is too large."""

    def __init__(self, *too_large: str) -> None:
        self.started: Counter[str] = Counter()
        self.cancelled: set[str] = set()
        self.proofs: dict[str, str] = {}
        self._too_large = too_large

    async def start(
        self,
        run: RunInput,
        submitted_at: datetime,
        cancel: Cancel | None = None,
        proof: str = "",
    ) -> None:
        if run.run_id in self._too_large:
            raise RPCError("too large", RPCStatusCode.INVALID_ARGUMENT, b"")
        self.started[run.run_id] += 1
        if cancel:
            self.cancelled.add(run.run_id)
            self.proofs[run.run_id] = proof
        if self.started[run.run_id] > 1:
            raise WorkflowAlreadyStartedError(run.run_id, "AgentRun")

    async def signal(self, run_id: str, command: AnyCommand, proof: str = "") -> bool:
        self.cancelled.add(run_id)
        self.proofs[run_id] = proof
        return True


async def stored(journal: SqliteJournal, count: int) -> tuple[str, list[str]]:
    """A batch of so many runs; its id and theirs."""
    batch_id = f"batch_{uuid4().hex}"
    runs = [
        RunInput(run_id=f"run_{uuid4().hex}", agent=AGENT, input="hi", batch=batch_id)
        for _ in range(count)
    ]
    batch = StoredBatch(
        batch_id=batch_id,
        tenant="default",
        request_sha256="",
        created_at=datetime.now(UTC),
        agents={agent_sha256(AGENT): AGENT},
    )
    assert await journal.store_batch(batch, runs)
    return batch_id, [run.run_id for run in runs]


async def test_one_activity_starts_all_that_its_time_allows_and_the_next_continues(
    journal: SqliteJournal,
) -> None:
    batch_id, runs = await stored(journal, MORE)
    temporal, env = Starting(), ActivityEnvironment()
    hurried = BatchActivities(journal, temporal, start_s=0)
    activities = 0
    while (await env.run(hurried.start_chunk, BatchRequested(batch_id=batch_id))).left:
        activities += 1
        assert len(temporal.started) >= activities
    assert 1 <= activities <= MORE
    assert temporal.started == Counter(runs), "each once"
    again, _ = await stored(journal, MORE)
    usual = BatchActivities(journal, temporal, start_s=60)
    assert not (await env.run(usual.start_chunk, BatchRequested(batch_id=again))).left
    assert len(temporal.started) == 2 * MORE


async def test_a_run_that_temporal_refuses_fails_with_the_reason_and_stops_no_other(
    journal: SqliteJournal,
) -> None:
    batch_id, (first, large, last) = await stored(journal, 3)
    temporal = Starting(large)
    work = BatchActivities(journal, temporal)
    await ActivityEnvironment().run(work.start_chunk, BatchRequested(batch_id=batch_id))
    assert set(temporal.started) == {first, last}
    assert not await journal.pending_starts(EVERY, batch_id, 1)
    failed = (await journal.read(EVERY, large))[-1].body()
    assert isinstance(failed, RunFailed)
    assert (failed.error.type, "too large" in failed.error.message) == ("unstorable", True)


async def test_a_cancel_starts_what_is_left_and_then_reaches_every_open_run(
    journal: SqliteJournal,
) -> None:
    batch_id, runs = await stored(journal, MORE)
    temporal, env = Starting(), ActivityEnvironment()
    work = BatchActivities(journal, temporal, start_s=0)
    await env.run(work.start_chunk, BatchRequested(batch_id=batch_id))
    assert 0 < len(temporal.started) < MORE
    chunk = ChunkCancel(batch_id=batch_id, cancel=BatchCancel(command_id="stop"))
    while (done := await env.run(work.cancel_chunk, chunk)).left:
        chunk = chunk.model_copy(update={"before": done.before})
    assert temporal.cancelled == set(runs)
    assert temporal.started == Counter(runs)


@pytest.mark.parametrize("forged", [False, True])
async def test_only_a_proved_cancel_of_the_batch_is_proved_to_its_runs(
    journal: SqliteJournal, *, forged: bool
) -> None:
    proofs = CommandProofs([b"k" * 32])
    batch_id, (queued, started) = await stored(journal, 2)
    temporal, env = Starting(), ActivityEnvironment()
    await journal.forget_starts([started])
    work = BatchActivities(journal, temporal, proofs=proofs)
    cancel = BatchCancel(command_id="stop", by="ann", reason="enough")
    proof = proofs.sign_digest("batch_of_another" if forged else batch_id, cancel.digest())
    asked = ChunkCancel(batch_id=batch_id, cancel=cancel.model_copy(update={"proof": proof}))
    await journal.append(started, [queued_fact(started, batch_id)])
    while (done := await env.run(work.cancel_chunk, asked)).left:
        asked = asked.model_copy(update={"before": done.before})
    sent = Cancel(command_id="stop", by="ann", reason="enough")
    assert temporal.cancelled == {queued, started}
    assert temporal.proofs == {
        run: "" if forged else proofs.sign(run, sent) for run in (queued, started)
    }


def queued_fact(run_id: str, batch_id: str) -> NewEvent:
    run = RunInput(run_id=run_id, agent=AGENT, input="hi", batch=batch_id)
    return NewEvent(key=QUEUED_KEY, body=run_queued(run, datetime.now(UTC)))
