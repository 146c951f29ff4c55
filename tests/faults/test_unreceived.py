"""Calls that Temporal has given to a worker which never received them: nobody holds them."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import PollActivityTaskQueueRequest

from relayline.contracts.commands import Redirect
from relayline.contracts.errors import ErrorType
from relayline.contracts.runs import TASK_QUEUE
from relayline.journal.sqlite.beats import SqliteBeats
from relayline.workflows.agent_run import AgentRun
from tests.faults.crew import BOUND_S, Crew, Hand
from tests.journal.storage import new_storage
from tests.own_temporal import own_temporal_server
from tests.postgres_server import PostgresServer

pytestmark = [pytest.mark.stack, pytest.mark.timeout(180)]
GIVEN = {"call_model", "record_facts"}


@pytest.fixture
async def crew(tmp_path: Path) -> AsyncIterator[Crew]:
    """Nobody is hired yet; the journal is SQLite."""
    storage = new_storage("sqlite", tmp_path, PostgresServer)
    async with own_temporal_server() as temporal, Crew(temporal, storage, tmp_path) as made:
        yield made


async def given_too_late(crew: Crew) -> tuple[Hand, str]:
    """A worker and a run, of which it was given a model call and facts to record, unseen.

    It takes no such tasks by itself, so the test's polls are what is left of its own.
    """
    hand = await crew.hire(RELAYLINE_QUEUES="models")
    beats = SqliteBeats(Path(crew.storage.partition(":")[2]))
    [identity] = await beats.counters()
    await beats.close()
    await crew.hire(RELAYLINE_QUEUES="runs")
    run = await crew.start({"say": "done"})
    await poll(crew, identity)
    await crew.run(run).signal(AgentRun.redirect, Redirect(message="later", now=False))
    await poll(crew, identity)
    return hand, run


async def poll(crew: Crew, identity: str) -> None:
    """Take a task for that worker."""
    request = PollActivityTaskQueueRequest(
        namespace=crew.temporal.namespace,
        task_queue=TaskQueue(name=TASK_QUEUE),
        identity=identity,
    )
    async with asyncio.timeout(BOUND_S):
        while not (
            await crew.temporal.workflow_service.poll_activity_task_queue(request)
        ).task_token:
            pass


async def passed_on(crew: Crew, run: str) -> set[str]:
    """The types of the calls that began again because their worker was late, not timed out."""
    names: dict[int, str] = {}
    found: set[str] = set()
    async for event in crew.run(run).fetch_history_events():
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
            scheduled = event.activity_task_scheduled_event_attributes
            names[event.event_id] = scheduled.activity_type.name
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED:
            started = event.activity_task_started_event_attributes
            failure = started.last_failure.application_failure_info
            if failure.type == ErrorType.WORKER_LATE:
                found.add(names[started.scheduled_event_id])
    return found


async def test_what_a_killed_worker_was_given_and_never_received_goes_to_another(
    crew: Crew,
) -> None:
    hand, run = await given_too_late(crew)
    hand.kill()
    await crew.hire()
    assert await crew.ended(run) == "run.completed"
    assert await passed_on(crew, run) == GIVEN
    assert "attempt.lost" not in await crew.types(run)


async def test_what_a_stopping_worker_was_given_too_late_goes_to_another_when_it_leaves(
    crew: Crew,
) -> None:
    hand, run = await given_too_late(crew)
    hand.process.send_signal(signal.SIGTERM)
    await hand.process.wait()
    beats = SqliteBeats(Path(crew.storage.partition(":")[2]))
    assert len(await beats.counters()) == 1, "it has left: nobody watches it"
    await beats.close()
    await crew.hire()
    assert await crew.ended(run) == "run.completed"
    assert await passed_on(crew, run) == GIVEN
