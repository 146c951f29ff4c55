"""A durable timer that rings once, unless it is stopped before."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from temporalio import workflow


class Alarm:
    """Rings after some time, also when no worker is up meanwhile."""

    def __init__(self, after: timedelta, summary: str) -> None:
        self.rang = False
        self._task = asyncio.create_task(self._ring(after, summary))

    def stop(self) -> None:
        """It does not ring any more."""
        self._task.cancel()

    async def _ring(self, after: timedelta, summary: str) -> None:
        await workflow.sleep(after, summary=summary)
        self.rang = True
