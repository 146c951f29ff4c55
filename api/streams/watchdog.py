"""Watches runs whose journal is silent.

Temporal may have closed them; or Temporal, or every worker, is down.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from temporalio.service import RPCError

from relayline.api.errors import ApiError
from relayline.journal.port import JournalUnavailable

SILENT_S = 1.0
"""How long a journal is silent before Temporal is asked."""
ASK_EVERY_S = 1.5
"""The least time between two questions about the same run."""
CHECK_EVERY_S = 0.5
MAX_ASKED = 10
"""Runs asked about in one round, the longest waiting first: this bounds the load on Temporal,
however many runs are watched. Housekeeping ends the runs that don't get a turn."""
GONE_S = 3.5
"""How long no worker answers before viewers are told: longer than a worker takes to restart."""
NO_TEMPORAL = "Temporal does not answer"
NO_WORKER = "no worker answers"
_log = logging.getLogger(__name__)


class WatchedRun(Protocol):
    """A followed run."""

    run_id: str
    last_event_at: float
    """When the last event came, on the loop's clock."""

    @property
    def over(self) -> bool:
        """True when nothing more will come."""
        ...

    def set_missing(self, what: str | None) -> None:
        """Note what the run is missing, None when it is missing nothing."""
        ...


class Watchdog:
    """One task checks all followed runs of this process; without any, there is no task.

    What one silent run shows about Temporal and the workers holds for all; a kind of call without
    workers is looked up for each run.
    """

    def __init__(
        self,
        close_run: Callable[[str], Awaitable[bool]],
        silent_s: Callable[[str], Awaitable[float | None]],
        unserved: Callable[[str], Awaitable[str | None]],
    ) -> None:
        """Create an idle watchdog.

        Args:
            close_run: Ends the run if Temporal has closed it; True if it did.
            silent_s: For how long no worker has answered, None if this run can't show it.
            unserved: The kind of call of that run that has no worker, None if there is none.
        """
        self._close_run = close_run
        self._quiet_s = silent_s
        self._unserved = unserved
        self._unserved_calls: dict[WatchedRun, str | None] = {}
        self._asked_at: dict[WatchedRun, float] = {}
        self._task: asyncio.Task[None] | None = None

    def watch(self, run: WatchedRun) -> None:
        """Watch this run until it is over or `forget` is called."""
        self._asked_at[run] = 0.0
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._check(), name="silent runs")

    def forget(self, run: WatchedRun) -> None:
        """Stop watching it; safe to call twice."""
        self._asked_at.pop(run, None)
        self._unserved_calls.pop(run, None)

    async def close(self) -> None:
        """Stop the task."""
        self._asked_at.clear()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _check(self) -> None:
        loop = asyncio.get_running_loop()
        while self._asked_at:
            await asyncio.sleep(CHECK_EVERY_S)
            now = loop.time()
            for run in [run for run in self._asked_at if run.over]:
                self.forget(run)
            silent = [run for run in self._asked_at if now - run.last_event_at >= SILENT_S]
            due = [run for run in silent if now - self._asked_at[run] >= ASK_EVERY_S]
            due.sort(key=self._asked_at.__getitem__)
            if asked := due[:MAX_ASKED]:
                for run in asked:
                    self._asked_at[run] = now
                missing = await self._missing(asked)
                for run in silent:
                    if loop.time() - run.last_event_at >= SILENT_S:
                        run.set_missing(missing or self._unserved_calls.get(run))

    async def _missing(self, asked: Sequence[WatchedRun]) -> str | None:
        """The missing part, if any; also ends the runs that Temporal has closed."""
        answers = await asyncio.gather(*(self._ask(run.run_id) for run in asked))
        if not any(answers):
            return NO_TEMPORAL
        for run in asked:
            silent_s = None if run.over else await self._quiet_s(run.run_id)
            if silent_s is not None:
                if silent_s >= GONE_S:
                    return NO_WORKER
                break
        for run in asked:
            if not run.over and run in self._asked_at:
                self._unserved_calls[run] = await self._find_unserved(run.run_id)
        return None

    async def _find_unserved(self, run_id: str) -> str | None:
        """What this run is missing although workers answer."""
        try:
            return await self._unserved(run_id)
        except (ApiError, RPCError):
            return None

    async def _ask(self, run_id: str) -> bool:
        """End the run if Temporal has closed it; True if Temporal answered."""
        try:
            if await self._close_run(run_id):
                _log.info("ended a run that Temporal had closed", extra={"run_id": run_id})
        except JournalUnavailable as error:
            _log.info("a closed run could not be ended", extra={"reason": str(error)})
        except (ApiError, RPCError) as error:
            _log.info("not known whether a run is closed", extra={"reason": str(error)})
            return False
        return True
