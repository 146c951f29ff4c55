"""Small Temporal workers beside that of the runs, and what a worker process does besides."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any, NamedTuple

from temporalio.client import Client
from temporalio.worker import PollerBehaviorSimpleMaximum, Worker, WorkerDeploymentConfig

from relayline.runtime.build import build_of
from relayline.workflows.runner import Runner

MAX_TASKS = 10
"""The most workflow tasks that such a worker runs at a time."""
STICKY_TIMEOUT = timedelta(seconds=1)
"""How long a workflow waits for the worker that last had it before any other may take it."""
_POLLERS = 2
_log = logging.getLogger(__name__)


class Duty(NamedTuple):
    """What such a worker does."""

    task_queue: str
    workflows: Sequence[type]
    """Run without a sandbox, as those of runs."""
    activities: Sequence[Callable[..., Any]]
    slots: int
    """Activities at a time, and workflows kept in memory."""


def side_worker(client: Client, duty: Duty, deployment: WorkerDeploymentConfig | None) -> Worker:
    """A worker with that duty and few polls; not yet started.

    Args:
        client: Of the Temporal that has the runs.
        duty: What it does.
        deployment: The build of the worker; None without versioning.
    """
    task_queue, workflows, activities, slots = duty
    return Worker(
        client,
        task_queue=task_queue,
        workflows=workflows,
        workflow_runner=Runner(),
        activities=activities,
        **build_of(deployment),
        max_cached_workflows=slots,
        sticky_queue_schedule_to_start_timeout=STICKY_TIMEOUT,
        max_concurrent_workflow_tasks=min(slots, MAX_TASKS),
        max_concurrent_activities=slots,
        workflow_task_poller_behavior=PollerBehaviorSimpleMaximum(maximum=_POLLERS),
        activity_task_poller_behavior=PollerBehaviorSimpleMaximum(maximum=_POLLERS),
    )


@asynccontextmanager
async def in_background(work: Coroutine[Any, Any, None], name: str) -> AsyncIterator[None]:
    """Do the work while the block lasts; what is left of it at the end is cancelled.

    If it fails, the log says so at once, and the end of the block raises its error.
    """
    task = asyncio.create_task(work, name=name)
    task.add_done_callback(_log_failure)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def _log_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()):
        _log.error("background work has failed", extra={"work": task.get_name()}, exc_info=error)
