"""What Temporal closed without the workflow's word gets its end in the journal."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest
from temporalio import activity
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowFailureError
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import ActivityError, ApplicationError
from temporalio.testing import ActivityEnvironment
from temporalio.worker import Worker

from relayline.activities.housekeeping import FORGOTTEN, SWEEP_FOR, HousekeepingActivities
from relayline.contracts.envelope import NewEvent
from relayline.contracts.events import ApprovalRequested, RunFailed, RunTerminated, ToolProgress
from relayline.contracts.housekeeping import EVERY as PAUSE
from relayline.contracts.housekeeping import (
    RUN_WORKFLOW,
    HousekeepingRequest,
    HousekeepingResult,
)
from relayline.contracts.keys import requested_key
from relayline.journal.port import Fence, RunEnded
from relayline.journal.sqlite.journal import SqliteJournal
from relayline.journal.table import EVERY
from relayline.workflows.agent_run import AgentRun
from relayline.workflows.housekeeping import Housekeeping
from tests.api.flaky import FlakyJournal
from tests.housekeeping.house import House, nothing_noted, started
from tests.journal.outbox import added

MINUTES = timedelta(minutes=2)


async def test_a_terminated_run_gets_its_end_and_nothing_after_it(house: House) -> None:
    handle = await house.start()
    asked = ApprovalRequested(approval_id="approval_1_0", call_id="call_1_0", tool="pay")
    asking = NewEvent(key=requested_key("approval_1_0"), body=asked, step=1)
    await house.journal.append(handle.id, [started(), asking])
    await handle.terminate(reason="no longer wanted")
    await house.visible(handle.id)
    await house.round(times=2)
    events = await house.events(handle.id)
    assert [event.type for event in events] == [
        "run.started",
        "approval.requested",
        "run.terminated",
    ]
    assert (events[-1].key, events[-1].step) == ("0/run/ended", 1)
    assert events[-1].body() == RunTerminated(reason="no longer wanted")
    late = NewEvent(body=ToolProgress(call_id="call_1_0", message="still here"), step=1)
    with pytest.raises(RunEnded):
        await house.journal.append(handle.id, [late], Fence("0/call/call_1_0", 1))


async def test_the_end_is_in_the_newest_epoch(house: House) -> None:
    handle = await house.start()
    await house.journal.append(handle.id, [started(), started(1)])
    await handle.terminate()
    await house.visible(handle.id)
    await house.round()
    assert (await house.events(handle.id))[-1].key == "1/run/ended"


async def test_a_run_that_was_terminated_before_its_first_task_has_only_an_end(
    house: House,
) -> None:
    handle = await house.start()
    await handle.terminate()
    await house.visible(handle.id)
    await house.round()
    assert [event.type for event in await house.events(handle.id)] == ["run.terminated"]


async def test_a_run_past_its_execution_timeout_has_timed_out(house: House) -> None:
    handle = await house.start(execution_timeout=timedelta(seconds=1))
    await house.journal.append(handle.id, [started()])
    await house.visible(handle.id)
    await house.round()
    assert [event.type for event in await house.events(handle.id)][1:] == ["run.timed_out"]


async def test_a_workflow_that_failed_or_was_cancelled_without_a_word_has_its_end(
    house: House,
) -> None:
    async with house.stand_ins():
        failing = await house.start("fail")
        hanging = await house.start("hang")
        await hanging.cancel()
        for handle in (failing, hanging):
            with pytest.raises(WorkflowFailureError):
                await handle.result()
            await house.visible(handle.id)
    await house.round()
    [failed] = await house.events(failing.id)
    body = failed.body()
    assert isinstance(body, RunFailed)
    assert (body.error.type, body.error.message) == ("broken", "it broke")
    assert [event.type for event in await house.events(hanging.id)] == ["run.cancelled"]


async def test_a_run_that_an_activity_has_failed_ends_with_the_activitys_words(
    house: House,
) -> None:
    async with house.stand_ins():
        handle = await house.start("refused")
        with pytest.raises(WorkflowFailureError):
            await handle.result()
        await house.visible(handle.id)
    await house.round()
    body = (await house.events(handle.id))[-1].body()
    assert isinstance(body, RunFailed)
    assert (body.error.type, body.error.message) == ("unstorable", "it has a NUL")


@pytest.mark.parametrize("foreign", [{"task_queue": "others"}, {"id": "order_17"}])
async def test_workflows_of_others_are_no_runs_though_they_are_called_the_same(
    house: House, foreign: dict[str, str]
) -> None:
    theirs, ours = await house.start(**foreign), await house.start()
    for handle in (theirs, ours):
        await handle.terminate()
        await house.visible(handle.id)
    await house.round()
    assert await house.journal.head(EVERY, ours.id)
    assert await house.journal.head(EVERY, theirs.id) is None


async def test_an_execution_that_was_replaced_does_not_end_its_run(house: House) -> None:
    handle = await house.start()
    await house.journal.append(handle.id, [started()])
    await handle.terminate()
    await house.visible(handle.id)
    await house.client.start_workflow(
        RUN_WORKFLOW,
        id=handle.id,
        task_queue="nobody",
        id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
    )
    house.quieten(handle.id, MINUTES)
    await house.round()
    assert [event.type for event in await house.events(handle.id)] == ["run.started"]


async def test_a_quiet_run_that_has_completed_after_all_is_found_through_the_journal(
    house: House,
) -> None:
    async with house.stand_ins():
        handle = await house.start("complete")
        await handle.result()
    await house.journal.append(handle.id, [started()])
    await house.round()
    assert len(await house.events(handle.id)) == 1
    house.quieten(handle.id, MINUTES)
    await house.round()
    [_, end] = await house.events(handle.id)
    assert (end.type, '"output":"forty-two"' in end.data) == ("run.completed", True)


async def test_every_quiet_run_has_its_turn(house: House) -> None:
    async with house.stand_ins():
        handles = [await house.start("complete") for _ in range(3)]
        for handle in handles:
            await handle.result()
            await house.journal.append(handle.id, [started()])
            house.quieten(handle.id, MINUTES)
    waiting = await house.start()
    await house.journal.append(waiting.id, [started()])
    house.quieten(waiting.id, MINUTES)
    await house.round(batch=1, times=6)
    assert [len(await house.events(handle.id)) for handle in handles] == [2, 2, 2]
    assert len(await house.events(waiting.id)) == 1


async def test_a_run_that_temporal_does_not_know_ends_when_it_has_been_quiet_for_long(
    house: House,
) -> None:
    known = await house.start()
    await house.visible_open(known.id)
    gone, young = "run_" + "0" * 32, "run_" + "1" * 32
    for run, quiet in ((gone, timedelta(hours=2)), (young, MINUTES)):
        await house.journal.append(run, [started()])
        house.quieten(run, quiet)
    await house.round()
    assert (await house.events(gone))[-1].body() == RunTerminated(reason=FORGOTTEN)
    assert [event.type for event in await house.events(young)] == ["run.started"]


async def test_one_round_sweeps_batch_after_batch(house: House) -> None:
    handles = [await house.start() for _ in range(3)]
    for handle in handles:
        await handle.terminate()
        await house.visible(handle.id)
    await house.round(None)
    assert [len(await house.events(handle.id)) for handle in handles] == [1, 1, 1]
    assert (await house.round(timedelta(days=1))).swept == 0
    assert (await house.round(timedelta(0), batch=2)).swept >= 3
    assert (await house.round(timedelta(0), batch=200)).swept == 0
    heads = [await house.journal.head(EVERY, handle.id) for handle in handles]
    assert heads == [(2, 1, True)] * 3


async def test_a_round_has_an_end_although_more_is_to_be_swept(
    temporal: Client, journal: SqliteJournal
) -> None:
    for n in range(5):
        ended = NewEvent(key="0/run/ended", body=RunTerminated())
        await journal.append(f"run_{n}", [started(), ended])
    brief = HousekeepingActivities(
        journal, temporal, nothing_noted, timedelta(0), sweep_for=timedelta(0)
    )
    env, two = ActivityEnvironment(), HousekeepingRequest(batch=2)
    rounds = [await env.run(brief.sweep_expired_runs, two) for _ in range(4)]
    assert [it.swept for it in rounds] == [2, 2, 1, 0]


async def test_a_round_removes_receivers_that_no_run_names_any_more(house: House) -> None:
    gone = await added(house.journal, named_only=True, created_us=1)
    kept = await added(house.journal, named_only=True)
    await house.round()
    assert await house.journal.webhooks.receiver(EVERY, gone.webhook_id) is None
    assert await house.journal.webhooks.receiver(EVERY, kept.webhook_id)


def test_a_round_that_sweeps_all_the_time_delays_no_other() -> None:
    assert SWEEP_FOR < PAUSE


async def test_a_round_outlives_a_journal_that_is_down(
    house: House, journal: SqliteJournal
) -> None:
    handle = await house.start()
    await handle.terminate()
    await house.visible(handle.id)
    house.journal = flaky = FlakyJournal(journal)
    flaky.go_down()
    going = asyncio.create_task(house.round(timedelta(days=1)))
    await asyncio.sleep(1)
    assert not going.done()
    flaky.come_back()
    assert (await going).ended >= 1
    assert [event.type for event in await house.events(handle.id)] == ["run.terminated"]


@activity.defn(name="end_closed_runs")
async def breaks(_: HousekeepingRequest) -> HousekeepingResult:
    raise ApplicationError("broken", non_retryable=True)


@activity.defn(name="sweep_expired_runs")
async def takes_a_while(_: HousekeepingRequest) -> HousekeepingResult:
    await asyncio.sleep(0.5)
    return HousekeepingResult(swept=1)


@activity.defn(name="finish_erasures")
async def erases(_: HousekeepingRequest) -> HousekeepingResult:
    return HousekeepingResult(erased=1)


async def test_trouble_with_one_part_of_a_round_does_not_hold_up_the_others(
    temporal: Client,
) -> None:
    queue = f"round-{uuid4().hex}"
    worker = Worker(
        temporal,
        task_queue=queue,
        workflows=[Housekeeping],
        activities=[breaks, takes_a_while, erases],
    )
    async with worker:
        handle = await temporal.start_workflow(
            Housekeeping.run, HousekeepingRequest(), id=queue, task_queue=queue
        )
        with pytest.raises(WorkflowFailureError) as raised:
            await handle.result()
    assert isinstance(raised.value.cause, ActivityError)
    events = [event.event_type async for event in handle.fetch_history_events()]
    assert events.count(EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED) == 2
    assert events.count(EventType.EVENT_TYPE_ACTIVITY_TASK_FAILED) == 1


def test_runs_are_looked_for_under_the_name_of_their_workflow() -> None:
    assert AgentRun.__name__ == RUN_WORKFLOW
