"""What the Temporal workers of a worker process are made with, and how they work together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Any

from temporalio.worker import Interceptor, PollerBehaviorAutoscaling, Worker

from relayline.activities.family.calls import ChildActivities
from relayline.activities.presence import Presence
from relayline.activities.record import RecordActivities
from relayline.activities.tool.mcp.port import McpTools
from relayline.contracts.access.proofs import PURPOSE, CommandProofs
from relayline.journal.table import Storage
from relayline.runtime.proofs.verification import Verification
from relayline.runtime.secret import load_secrets
from relayline.runtime.settings import Settings
from relayline.workflows.runner import SignalHeaders

HEARTBEAT_THROTTLE = timedelta(milliseconds=250)
"""The least between two heartbeats of a call; a call heartbeats at once when it hears of a stop."""
FIRST_POLLERS = 5
"""How many requests for the next task a worker begins with, per task queue."""


def pollers_of(settings: Settings) -> PollerBehaviorAutoscaling:
    """How many requests for the next task are open at a time, per task queue."""
    least, most = settings.min_pollers, settings.max_pollers
    first = min(max(least, FIRST_POLLERS), most)
    return PollerBehaviorAutoscaling(minimum=least, maximum=most, initial=first)


def interceptors_of(settings: Settings) -> Sequence[Interceptor]:
    """Those that read and verify the proofs of commands.

    Raises:
        BadSettings: the secret can't be read, or authentication is on and there is none.
    """
    ring = load_secrets(settings, make=bool(settings.auth_modes))
    return [SignalHeaders(), Verification(CommandProofs(ring.keys(PURPOSE)))]


def common(settings: Settings) -> dict[str, Any]:
    """What the workers of a process have in common.

    Raises:
        BadSettings: as of `interceptors_of`.
    """
    pollers = pollers_of(settings)
    return {
        "graceful_shutdown_timeout": timedelta(seconds=settings.drain_s),
        "max_heartbeat_throttle_interval": HEARTBEAT_THROTTLE,
        "default_heartbeat_throttle_interval": HEARTBEAT_THROTTLE,
        "workflow_task_poller_behavior": pollers,
        "activity_task_poller_behavior": pollers,
        "interceptors": interceptors_of(settings),
    }


def recording(
    storage: Storage, presence: Presence, servers: McpTools | None
) -> Sequence[Callable[..., Any]]:
    """The activities of runs that write to the journal, and let go of what a run had open."""
    records, children = RecordActivities(storage, presence, servers), ChildActivities(storage)
    return (
        records.record_facts,
        records.record_past,
        records.rewind,
        children.begin_child,
        children.end_child,
    )


Step = Callable[[], Awaitable[object]]


@asynccontextmanager
async def together(
    *workers: Worker, before: Step | None = None, after: Sequence[Step] = ()
) -> AsyncIterator[None]:
    """All at work until the block ends or one of them fails; then all stop at the same time.

    Args:
        workers: The workers.
        before: What is done before they start.
        after: What is done when they have stopped.
    """
    async with AsyncExitStack() as stack:
        for step in after:
            stack.push_async_callback(step)
        if before:
            await before()
        for worker in workers:
            await stack.enter_async_context(worker)
        stack.push_async_callback(_stop, workers)
        yield


async def _stop(workers: Sequence[Worker]) -> None:
    await asyncio.gather(*(worker.shutdown() for worker in workers))
