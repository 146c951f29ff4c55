"""The Schedule that starts the rounds, and a Temporal that is not the right one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from uuid import uuid4

import pytest
from google.protobuf.duration_pb2 import Duration
from temporalio.api.workflowservice.v1 import RegisterNamespaceRequest
from temporalio.client import (
    Client,
    ScheduleActionStartWorkflow,
    ScheduleDescription,
    ScheduleOverlapPolicy,
    ScheduleUpdate,
)
from temporalio.service import RPCError
from temporalio.testing import ActivityEnvironment

from relayline.activities.housekeeping import HousekeepingActivities
from relayline.contracts.housekeeping import EVERY, SCHEDULE_ID, HousekeepingRequest
from relayline.housekeeper import scheduled
from relayline.journal.sqlite.journal import SqliteJournal
from tests.housekeeping.house import House, nothing_noted, started


@pytest.fixture
def elsewhere(temporal: Client) -> Client:
    """A client of a namespace that is still to be made."""
    config = temporal.config()
    config["namespace"] = f"elsewhere-{uuid4().hex[:8]}"
    return Client(**config)


async def register(client: Client) -> None:
    """Make the client's namespace, and wait until it is there."""
    await client.workflow_service.register_namespace(
        RegisterNamespaceRequest(
            namespace=client.namespace,
            workflow_execution_retention_period=Duration(seconds=86_400),
        )
    )


async def described(client: Client) -> ScheduleDescription:
    """The Schedule, as soon as it is there."""
    async with asyncio.timeout(15):
        while True:
            try:
                return await client.get_schedule_handle(SCHEDULE_ID).describe()
            except RPCError:
                await asyncio.sleep(0.1)


@asynccontextmanager
async def two_workers(client: Client) -> AsyncIterator[ScheduleDescription]:
    async with scheduled(client), scheduled(client):
        yield await described(client)


async def test_workers_make_one_schedule_and_keep_it_as_it_should_be(elsewhere: Client) -> None:
    await register(elsewhere)
    async with two_workers(elsewhere) as found:
        action, policy = found.schedule.action, found.schedule.policy
        assert isinstance(action, ScheduleActionStartWorkflow)
        assert action.id == SCHEDULE_ID
        assert policy.overlap is ScheduleOverlapPolicy.SKIP
        assert policy.catchup_window == timedelta(seconds=10)
    handle = elsewhere.get_schedule_handle(SCHEDULE_ID)
    await handle.pause(note="not now")
    found.schedule.spec.intervals[0].every = timedelta(hours=1)
    found.schedule.state.paused = True
    await handle.update(lambda _: ScheduleUpdate(found.schedule))
    async with two_workers(elsewhere):
        async with asyncio.timeout(10):
            while (await handle.describe()).schedule.spec.intervals[0].every != EVERY:
                await asyncio.sleep(0.1)
        assert (await handle.describe()).schedule.state.paused
    schedules = [schedule.id async for schedule in await elsewhere.list_schedules()]
    assert schedules == [SCHEDULE_ID]


async def test_a_worker_waits_for_a_namespace_that_is_not_there_yet(elsewhere: Client) -> None:
    async with scheduled(elsewhere):
        await asyncio.sleep(0.5)
        await register(elsewhere)
        found = await described(elsewhere)
    assert [interval.every for interval in found.schedule.spec.intervals] == [EVERY]


async def test_a_temporal_that_knows_no_run_at_all_ends_none(
    house: House, journal: SqliteJournal, elsewhere: Client
) -> None:
    await register(elsewhere)
    await described_namespace(elsewhere)
    run = "run_" + "0" * 32
    await journal.append(run, [started()])
    house.quieten(run, timedelta(days=2))
    activities = HousekeepingActivities(journal, elsewhere, nothing_noted, None)
    done = await ActivityEnvironment().run(activities.end_closed_runs, HousekeepingRequest())
    assert done.ended == 0
    assert [event.type for event in await house.events(run)] == ["run.started"]


async def described_namespace(client: Client) -> None:
    """Wait until the namespace is known everywhere in the server."""
    async with asyncio.timeout(15):
        while True:
            try:
                await client.count_workflows("")
            except RPCError:
                await asyncio.sleep(0.1)
            else:
                return
