"""A shift: many rounds in one workflow, so that Temporal's list is of runs."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, ScheduleActionStartWorkflow

from relayline.contracts.housekeeping import (
    EVERY,
    HOUSEKEEPING_QUEUE,
    SHIFT_BOUND,
    HousekeepingRequest,
)
from relayline.housekeeper import build_housekeeper, housekeeping_schedule
from relayline.workflows.housekeeping import Housekeeping
from relayline.workflows.policy import HOUSEKEEPING_BOUND
from tests.housekeeping.house import House

EVENTS_PER_ROUND = 23
EVENTS_AT_FIRST = 2
"""The marker of a patch, and its search attribute."""
EVENTS_PER_TASK = 3
"""Scheduled, started, and completed or timed out."""
SUGGESTED_AT = 4096
"""Events at which Temporal suggests a new execution."""


@pytest.mark.slow
async def test_a_shift_makes_its_rounds_in_one_workflow_and_then_ends(
    house: House, temporal: Client
) -> None:
    request = HousekeepingRequest(rounds=3, every_s=1)
    async with build_housekeeper(temporal, house.journal, None):
        shift = await temporal.start_workflow(
            Housekeeping.run, request, id=f"shift-{uuid4().hex}", task_queue=HOUSEKEEPING_QUEUE
        )
        handle = await house.start()
        await handle.terminate()
        async with asyncio.timeout(15):
            assert (await shift.result()).ended >= 1
    assert [event.type for event in await house.events(handle.id)] == ["run.terminated"]
    events = [event async for event in shift.fetch_history_events()]
    kinds = [event.event_type for event in events]
    assert kinds.count(EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED) == 3 * request.rounds
    assert kinds.count(EventType.EVENT_TYPE_TIMER_FIRED) == request.rounds - 1
    retried = kinds.count(EventType.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT)  # on a busy machine
    bound = EVENTS_AT_FIRST + EVENTS_PER_ROUND * request.rounds
    assert len(kinds) - EVENTS_PER_TASK * retried <= bound
    lasted = events[-1].event_time.ToDatetime() - events[0].event_time.ToDatetime()
    assert lasted >= timedelta(seconds=request.every_s) * (request.rounds - 1)


def test_a_shift_is_long_and_its_history_short() -> None:
    schedule = housekeeping_schedule()
    action = schedule.action
    assert isinstance(action, ScheduleActionStartWorkflow)
    [request] = action.args
    assert isinstance(request, HousekeepingRequest)
    assert timedelta(seconds=request.rounds * request.every_s) >= timedelta(minutes=28)
    assert request.every_s == EVERY.total_seconds()
    assert EVENTS_AT_FIRST + request.rounds * EVENTS_PER_ROUND < SUGGESTED_AT
    assert action.execution_timeout == SHIFT_BOUND
    assert timedelta(minutes=30) + HOUSEKEEPING_BOUND < SHIFT_BOUND
    assert [interval.every for interval in schedule.spec.intervals] == [EVERY]
