"""The floor of a run: the least workflow there is. Imports little: the sandbox loads it anew."""

from __future__ import annotations

import time
from datetime import timedelta

from temporalio import activity, workflow

QUEUE = "bench-peers"
_TIMEOUT = timedelta(minutes=2)


@activity.defn
async def now() -> float:
    """When this code runs, seconds since 1970."""
    return time.time()


@workflow.defn
class Bare:
    """One activity, nothing else."""

    @workflow.run
    async def run(self) -> float:
        """When the activity's code began."""
        return await workflow.execute_activity(now, start_to_close_timeout=_TIMEOUT)
