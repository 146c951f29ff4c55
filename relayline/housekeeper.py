"""A worker process's part in housekeeping: a Temporal worker for it, and its Schedule."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AbstractAsyncContextManager, suppress
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
from temporalio.worker import Worker, WorkerDeploymentConfig

from relayline.activities.erasing.executions import erase_executions
from relayline.activities.erasing.finishing import ErasingActivities
from relayline.activities.erasing.tenants import (
    erase_tenant_executions,
    erase_tenant_schedules,
)
from relayline.activities.housekeeping import HousekeepingActivities
from relayline.activities.moving import IdleRuns
from relayline.api.runs.sources import sources_of
from relayline.api.temporal.submissions import BatchGateway
from relayline.contracts.housekeeping import (
    CATCH_UP,
    EVERY,
    HOUSEKEEPING_QUEUE,
    ROUNDS,
    SCHEDULE_ID,
    SHIFT_BOUND,
    HousekeepingRequest,
)
from relayline.journal.access.keeping import AuditKeeping
from relayline.journal.named.sweep import NamedSweep, forgetting
from relayline.journal.table import Storage
from relayline.runtime.settings import Settings
from relayline.side_worker import Duty, in_background, side_worker
from relayline.workflows.housekeeping import Housekeeping

SLOTS = 4
"""Workflow tasks of housekeeping that one worker runs at a time; as many activities."""
RETRY_S = 2.0
"""Seconds between two tries to create the Schedule."""
_log = logging.getLogger(__name__)


def build_housekeeper(
    client: Client,
    storage: Storage,
    retention: timedelta | None,
    deployment: WorkerDeploymentConfig | None = None,
    audit_retention: timedelta | None = None,
) -> Worker:
    """A worker for housekeeping; not yet started.

    Args:
        client: Of the Temporal that has the runs.
        storage: The journal of the runs, and their rows.
        retention: How long the events of an ended run are kept; None means forever.
        deployment: The build of the worker; None without versioning.
        audit_retention: How long rows of the audit log are kept; None means forever.
    """
    audit = AuditKeeping(storage.audit, audit_retention)
    note, restart = sources_of(client, storage).attention.note, BatchGateway(client).start
    builds = deployment.version.deployment_name if deployment else None
    activities = HousekeepingActivities(
        storage,
        client,
        note,
        retention,
        restart=restart,
        keep_audit=audit.keep,
        sweep_files=NamedSweep(storage.files.sweep).work,
        sweep_receivers=NamedSweep(forgetting(storage.webhooks)).work,
        move_idle=IdleRuns(client, builds).move if builds else None,
    )
    of_tenants = [erase_tenant_executions(client), erase_tenant_schedules(client)]
    erasing = ErasingActivities(storage, [erase_executions(client)], of_tenants)
    parts = [
        activities.end_closed_runs,
        activities.sweep_expired_runs,
        erasing.finish_erasures,
    ]
    duty = Duty(HOUSEKEEPING_QUEUE, [Housekeeping], parts, SLOTS)
    return side_worker(client, duty, deployment)


def housekeeper_for(
    client: Client,
    storage: Storage,
    settings: Settings,
    deployment: WorkerDeploymentConfig | None = None,
) -> Worker:
    """The worker for housekeeping that keeps what the settings say; not yet started."""
    kept, audited = settings.retention, settings.audit_retention
    return build_housekeeper(client, storage, kept, deployment, audited)


def scheduled(client: Client) -> AbstractAsyncContextManager[None]:
    """Create or update the Schedule of housekeeping, once, in the background of the block."""
    return in_background(_schedule(client), "schedule housekeeping")


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
