"""Looks after watched runs whose journal is silent: Temporal may have closed them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

from temporalio.service import RPCError

from api.errors import ApiError
from journal.port import JournalUnavailable

SILENT_S = 1.0
"""How long a journal is silent before Temporal is asked."""
ASK_EVERY_S = 1.5
"""The time between two questions about the same run, at least."""
LOOK_EVERY_S = 0.5
MAX_ASKED = 10
"""Runs asked about in one look, those longest not asked about first: what a process asks Temporal
is bounded, however many runs are watched. Housekeeping ends those whose turn does not come."""
_log = logging.getLogger(__name__)


class Heard(Protocol):
    """A run that is followed."""

    run_id: str
    heard_at: float
    """When something came last, on the loop's clock."""

    @property
    def over(self) -> bool:
        """True when nothing more will come."""
        ...


class Silence:
    """One task looks after all followed runs of this process; with none, there is no task."""

    def __init__(self, close: Callable[[str], Awaitable[bool]]) -> None:
        self._close = close
        self._asked_at: dict[Heard, float] = {}
        self._task: asyncio.Task[None] | None = None

    def mind(self, run: Heard) -> None:
        """Look after this run until it is over or `forget` is called."""
        self._asked_at[run] = 0.0
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._look(), name="silent runs")

    def forget(self, run: Heard) -> None:
        """Look after it no more; safe to call twice."""
        self._asked_at.pop(run, None)

    async def close(self) -> None:
        """Stop looking."""
        self._asked_at.clear()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _look(self) -> None:
        loop = asyncio.get_running_loop()
        while self._asked_at:
            await asyncio.sleep(LOOK_EVERY_S)
            now = loop.time()
            for run in [run for run in self._asked_at if run.over]:
                self.forget(run)
            silent = [run for run in self._asked_at if self._is_due(run, now)]
            silent.sort(key=self._asked_at.__getitem__)
            for run in silent[:MAX_ASKED]:
                self._asked_at[run] = now
            await asyncio.gather(*(self._ask(run.run_id) for run in silent[:MAX_ASKED]))

    def _is_due(self, run: Heard, now: float) -> bool:
        return now - run.heard_at >= SILENT_S and now - self._asked_at[run] >= ASK_EVERY_S

    async def _ask(self, run_id: str) -> None:
        """End the run if Temporal has closed it; the watchers see that in the journal."""
        try:
            if await self._close(run_id):
                _log.info("ended a run that Temporal had closed", extra={"run_id": run_id})
        except (ApiError, RPCError, JournalUnavailable) as error:
            _log.info("not known whether a run is closed", extra={"reason": str(error)})
