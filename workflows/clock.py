"""The clocks of a run: durable timers, and the time that it has worked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

from temporalio import workflow


class Timer:
    """Fires once after some time unless it is stopped, even if no worker is up meanwhile."""

    def __init__(self, after: timedelta, summary: str) -> None:
        self.fired = False
        self._task = asyncio.create_task(self._fire(after, summary))

    def stop(self) -> None:
        """Keep it from firing."""
        self._task.cancel()

    async def _fire(self, after: timedelta, summary: str) -> None:
        await workflow.sleep(after, summary=summary)
        self.fired = True


class WorkClock:
    """How long a run has worked; pauses and waits for a person do not count."""

    def __init__(self, started_at: datetime, worked_s: float = 0) -> None:
        self.overdue = False
        """True once all the time that the run may work is used up."""
        self._since: datetime | None = started_at
        self._worked = timedelta(seconds=worked_s)
        self._watch: asyncio.Task[None] | None = None

    @property
    def idle(self) -> bool:
        """True while the clock is stopped."""
        return self._since is None

    def switch(self, now: datetime, *, idle: bool) -> None:
        """Stop the clock, or start it again."""
        if not idle:
            self._since = self._since or now
        elif self._since:
            self._worked += now - self._since
            self._since = None

    def worked_s(self, now: datetime) -> float:
        """Seconds at work so far."""
        running = now - self._since if self._since else timedelta()
        return (self._worked + running).total_seconds()

    def restart(self, now: datetime) -> None:
        """Count from zero."""
        self.overdue = False
        self._since, self._worked = now, timedelta()

    def watch(self, allowed_s: Callable[[], float]) -> None:
        """Set `overdue` when the run has worked for that many seconds.

        It may be set to False again, once the run may work longer.
        """
        self._watch = asyncio.create_task(self._follow(allowed_s))

    def unwatch(self) -> None:
        """Stop the timer of `watch`."""
        if self._watch:
            self._watch.cancel()

    async def _follow(self, allowed_s: Callable[[], float]) -> None:
        while True:
            left_s = allowed_s() - self.worked_s(workflow.now())
            if left_s > 0:
                await workflow.sleep(left_s, summary="wall clock limit")
                await workflow.wait_condition(lambda: not self.idle)
            else:
                self.overdue = True
                await workflow.wait_condition(lambda: not self.overdue)
