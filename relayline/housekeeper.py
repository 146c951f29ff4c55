"""A worker process's part in housekeeping: a Temporal worker for it, and its Schedule."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import timedelta

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleUpdate,
    ScheduleUpdateInput,
)
from temporalio.service import RPCError
from temporalio.worker import PollerBehaviorSimpleMaximum, Worker, WorkerDeploymentConfig

from relayline.activities.housekeeping import HousekeepingActivities
from relayline.api.temporal.attention import Attention
from relayline.api.temporal.gateway import Gateway
from relayline.api.temporal.stuck import StuckRuns, WorkerProbe
from relayline.api.temporal.workers import Workers
from relayline.contracts.housekeeping import (
    CATCH_UP,
    EVERY,
    HOUSEKEEPING_QUEUE,
    ROUNDS,
    SCHEDULE_ID,
    SHIFT_BOUND,
    HousekeepingRequest,
)
from relayline.journal.table import Storage
from relayline.runtime.build import build_of
from relayline.workflows.housekeeping import Housekeeping

SLOTS = 4
"""Workflow tasks of housekeeping that one worker runs at a time; as many activities."""
STICKY_TIMEOUT = timedelta(seconds=1)
"""How long a shift waits for the worker that last had it before any other may take it."""
RETRY_S = 2.0
"""Seconds between two tries to create the Schedule."""
_log = logging.getLogger(__name__)


def build_housekeeper(
    client: Client,
    storage: Storage,
    retention: timedelta | None,
    deployment: WorkerDeploymentConfig | None = None,
) -> Worker:
    """A worker for housekeeping; not yet started.

    Args:
        client: Of the Temporal that has the runs.
        storage: The journal of the runs, and their rows.
        retention: How long the events of an ended run are kept; None means forever.
        deployment: The build of the worker; None without versioning.
    """
    note = _attention(client, storage).note
    activities = HousekeepingActivities(storage, client, note, retention)
    return Worker(
        client,
        task_queue=HOUSEKEEPING_QUEUE,
        workflows=[Housekeeping],
        activities=[activities.end_closed_runs, activities.sweep_expired_runs],
        **build_of(deployment),
        max_cached_workflows=SLOTS,
        sticky_queue_schedule_to_start_timeout=STICKY_TIMEOUT,
        max_concurrent_workflow_tasks=SLOTS,
        max_concurrent_activities=SLOTS,
        workflow_task_poller_behavior=PollerBehaviorSimpleMaximum(maximum=2),
        activity_task_poller_behavior=PollerBehaviorSimpleMaximum(maximum=2),
    )


def _attention(client: Client, storage: Storage) -> Attention:
    gateway = Gateway(client)
    probe = WorkerProbe(gateway)
    return Attention(storage, gateway, probe, StuckRuns(gateway, probe, Workers(client), storage))


@asynccontextmanager
async def scheduled(client: Client) -> AsyncIterator[None]:
    """Create or update the Schedule of housekeeping, once, in the background of the block."""
    task = asyncio.create_task(_schedule(client), name="schedule housekeeping")
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _schedule(client: Client) -> None:
    """Retry until Temporal accepts it; every worker does this, and the last one wins."""
    schedule = housekeeping_schedule()
    while True:
        try:
            with suppress(ScheduleAlreadyRunningError):
                await client.create_schedule(SCHEDULE_ID, schedule)
                return
            handle = client.get_schedule_handle(SCHEDULE_ID)
            await handle.update(lambda found: _replaced(found, schedule))
        except RPCError as error:
            _log.warning("housekeeping is not scheduled, retrying", extra={"reason": str(error)})
            await asyncio.sleep(RETRY_S)
        else:
            return


def _replaced(found: ScheduleUpdateInput, schedule: Schedule) -> ScheduleUpdate:
    """The wanted schedule; paused if an operator has paused it."""
    return ScheduleUpdate(replace(schedule, state=found.description.schedule.state))


def housekeeping_schedule() -> Schedule:
    """When housekeeping runs, and which workflow.

    A shift makes its own rounds. The Schedule tries to start one every 10 s, which Temporal skips
    while one is open: so a shift that has ended, however it did, is followed by the next.
    """
    return Schedule(
        action=ScheduleActionStartWorkflow(
            Housekeeping.run,
            HousekeepingRequest(rounds=ROUNDS),
            id=SCHEDULE_ID,
            task_queue=HOUSEKEEPING_QUEUE,
            execution_timeout=SHIFT_BOUND,
        ),
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=EVERY)]),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=CATCH_UP),
    )
