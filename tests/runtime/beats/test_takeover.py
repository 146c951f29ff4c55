"""Calls of dead workers are failed at a real Temporal; those of the living are left alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

from temporalio import activity, workflow
from temporalio.api.enums.v1 import PendingActivityState
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import PollActivityTaskQueueRequest
from temporalio.client import Client, WorkflowHandle
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from relayline.contracts.errors import ErrorType
from relayline.contracts.housekeeping import RUN_WORKFLOW
from relayline.contracts.runs import TASK_QUEUE
from relayline.journal.beats import HeldCall
from relayline.journal.port import Fence, Holder
from relayline.journal.sqlite.beats import SqliteBeats
from relayline.journal.sqlite.journal import SqliteJournal
from relayline.runtime.beats.heart import Heart, Pulse
from relayline.runtime.beats.takeover import Takeover
from relayline.runtime.beats.window import Timing
from relayline.workflows.policy import CALL_RETRY

BOUND_S = 30
DEAD = "1@host/dead"
STARTED = PendingActivityState.PENDING_ACTIVITY_STATE_STARTED


@workflow.defn
class OneCall:
    @workflow.run
    async def run(self) -> None:
        await workflow.execute_activity(
            "hang",
            start_to_close_timeout=timedelta(minutes=5),
            heartbeat_timeout=timedelta(minutes=1),
            retry_policy=CALL_RETRY,
        )


class SlowBeats(SqliteBeats):
    """As a watcher has them that is behind: what it read first is what it acts on."""

    read: Sequence[HeldCall] = ()
    acted = 0

    async def held(self, worker: str) -> Sequence[HeldCall]:
        type(self).read = type(self).read or await super().held(worker)
        return type(self).read

    async def release(self, worker: str, ended: object) -> None:
        type(self).acted += 1


class Site:
    """A call that hangs, held by a worker that is dead as far as its beats tell."""

    def __init__(self, client: Client, path: Path) -> None:
        self.client = client
        self.path = path / "journal.db"
        self.journal = SqliteJournal(self.path)
        self.attempts: list[int] = []
        self.queue = f"queue-{uuid4().hex}"

    @activity.defn(name="hang")
    async def hang(self) -> None:
        info = activity.info()
        holder = Holder(DEAD if info.attempt == 1 else "alive", info.activity_id, info.task_token)
        await self.journal.append(info.workflow_id or "", [], Fence("call", info.attempt, holder))
        self.attempts.append(info.attempt)
        await asyncio.Event().wait()

    @asynccontextmanager
    async def calling(self) -> AsyncIterator[WorkflowHandle[OneCall, None]]:
        worker = Worker(
            self.client,
            task_queue=self.queue,
            workflows=[OneCall],
            activities=[self.hang],
            workflow_runner=UnsandboxedWorkflowRunner(),
        )
        async with worker:
            run = await self.client.start_workflow(
                OneCall.run, id=f"run-{uuid4().hex}", task_queue=self.queue
            )
            await self.attempted(1)
            yield run
            await run.terminate()
        await self.journal.close()

    async def attempted(self, number: int) -> None:
        async with asyncio.timeout(BOUND_S):
            while number not in self.attempts:
                await asyncio.sleep(0.01)

    @asynccontextmanager
    async def watching(self, beats: type[SqliteBeats] = SqliteBeats) -> AsyncIterator[Takeover]:
        heart = Heart(lambda: beats(self.path), f"watcher-{uuid4().hex}", Timing())
        takeover = Takeover(self.client, heart)
        async with takeover.running(), heart.beating(lambda _: None, lambda: False):
            yield takeover


async def test_a_dead_worker_s_call_begins_again_and_is_held_by_it_no_more(
    temporal: Client, tmp_path: Path
) -> None:
    site, table = Site(temporal, tmp_path), SqliteBeats(tmp_path / "journal.db")
    async with site.calling(), site.watching() as takeover:
        takeover.heed(Pulse(late=frozenset({DEAD})))
        await site.attempted(2)
        async with asyncio.timeout(BOUND_S):
            while await table.held(DEAD):
                await asyncio.sleep(0.01)
        assert len(await table.held("alive")) == 1
    await table.close()


async def test_a_second_watcher_that_is_slow_hits_nobody(temporal: Client, tmp_path: Path) -> None:
    site = Site(temporal, tmp_path)
    SlowBeats.read, SlowBeats.acted = (), 0
    late = Pulse(late=frozenset({DEAD}))
    async with site.calling() as run, site.watching(SlowBeats) as slow:
        slow.heed(late)
        await site.attempted(2)
        slow.heed(Pulse())
        before = SlowBeats.acted
        slow.heed(late)
        async with asyncio.timeout(BOUND_S):
            while SlowBeats.acted == before:
                await asyncio.sleep(0.01)
        [pending] = (await run.describe()).raw_description.pending_activities
        assert (pending.attempt, pending.state) == (2, STARTED)
        assert site.attempts == [1, 2]


@workflow.defn(name=RUN_WORKFLOW)
class Run(OneCall):
    @workflow.run
    async def run(self) -> None:
        await super().run()


async def given_to_the_dead(client: Client) -> WorkflowHandle[Run, None]:
    """A run whose call a dead worker was given and has not begun."""
    run = await client.start_workflow(Run.run, id=f"run-{uuid4().hex}", task_queue=TASK_QUEUE)
    request = PollActivityTaskQueueRequest(
        namespace=client.namespace, task_queue=TaskQueue(name=TASK_QUEUE), identity=DEAD
    )
    assert (await client.workflow_service.poll_activity_task_queue(request)).task_token
    return run


async def test_a_watcher_that_beats_and_does_nothing_does_not_keep_others_from_looking(
    temporal: Client, tmp_path: Path
) -> None:
    """The first of the watchers may have lost Temporal: the next one looks a moment later."""
    table = SqliteBeats(tmp_path / "journal.db")
    await table.beat("0@host/first", 1)
    site = Site(temporal, tmp_path)
    runs = Worker(
        temporal,
        task_queue=TASK_QUEUE,
        workflows=[Run],
        workflow_runner=UnsandboxedWorkflowRunner(),
    )
    async with runs, site.watching() as takeover:
        run = await given_to_the_dead(temporal)
        takeover.heed(Pulse(late=frozenset({DEAD})))
        async with asyncio.timeout(BOUND_S):
            while True:
                [call] = (await run.describe()).raw_description.pending_activities
                if call.attempt > 1:
                    break
                await asyncio.sleep(0.05)
        assert call.last_failure.application_failure_info.type == ErrorType.WORKER_LATE
        await run.terminate()
    await site.journal.close()
    await table.close()
