"""The floor of a run: the least workflow there is. Imports little: the sandbox loads it anew."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.common import RetryPolicy

QUEUE = "bench-peers"
HEARTBEAT_S = 0.2
_TIMEOUT = timedelta(minutes=2)


@activity.defn
async def now() -> float:
    """When this code runs, seconds since 1970."""
    return time.time()


@activity.defn
async def held() -> float:
    """The first attempt lasts; when the code of the next one runs, seconds since 1970."""
    while activity.info().attempt == 1:
        activity.heartbeat()  # hears that this attempt was failed
        await asyncio.sleep(HEARTBEAT_S)
    return time.time()


@workflow.defn
class Bare:
    """One activity, nothing else."""

    @workflow.run
    async def run(self) -> float:
        """When the activity's code began."""
        return await workflow.execute_activity(now, start_to_close_timeout=_TIMEOUT)


@workflow.defn
class BareParent:
    """One activity, and then a child with one activity, nothing else."""

    @workflow.run
    async def run(self) -> list[float]:
        """When the code of either began."""
        asked = await workflow.execute_activity(now, start_to_close_timeout=_TIMEOUT)
        child_id = f"{workflow.info().workflow_id}-child"
        return [asked, await workflow.execute_child_workflow(Bare.run, id=child_id)]


@workflow.defn
class Held:
    """One activity that has to begin twice."""

    @workflow.run
    async def run(self) -> float:
        """When the second attempt's code began."""
        return await workflow.execute_activity(
            held,
            start_to_close_timeout=_TIMEOUT,
            heartbeat_timeout=_TIMEOUT,
            retry_policy=RetryPolicy(initial_interval=timedelta(milliseconds=1)),
        )
