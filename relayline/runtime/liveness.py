"""Whether a process still works, told to whoever supervises it."""

from __future__ import annotations

import asyncio
import faulthandler
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

LATE_S = 10.0
"""An event loop that has not turned for so long is reported as blocked."""
DEAD_S = 40.0
"""A process whose event loop has not turned for so long ends itself."""
CHECK_EVERY_S = 0.5
_ARM_EVERY_S = 5.0
_log = logging.getLogger(__name__)


class Wedged(Exception):
    """The process can't do its work any more and must be replaced; the message says why."""


class Liveness:
    """Watches one process from within: its event loop turns, and nothing has a problem."""

    def __init__(self, *, ends_process: bool = False) -> None:
        """Watch nothing yet.

        Args:
            ends_process: End the whole process, with a traceback of every thread, if its event loop
                does not turn for `DEAD_S`. That works even if a thread never yields to another.
        """
        self._ends_process = ends_process
        self._checks: list[Callable[[], str | None]] = []
        self._turned_at = time.monotonic()
        self._armed_at = float("-inf")
        self._found: str | None = None
        self._wedged = asyncio.Event()
        self._stop_by: float | None = None

    def watch(self, check: Callable[[], str | None]) -> None:
        """Ask this regularly; it returns why the process must be replaced, None while it works."""
        self._checks.append(check)

    def problem(self) -> str | None:
        """Why the process takes no work, None if it does; may be called from any thread."""
        late_s = time.monotonic() - self._turned_at
        if late_s > LATE_S:
            return f"its event loop has not turned for {late_s:.0f} s"
        if self._stop_by is not None:
            return self._found or "it stops"
        return self._found

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Watch while the block lasts, its end included."""
        task = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            task.cancel()
            faulthandler.cancel_dump_traceback_later()

    async def until(self, stop: asyncio.Event, stop_s: float) -> None:
        """Return when `stop` is set.

        Args:
            stop: Set to stop the process.
            stop_s: How long the process may then take to end what it does.

        Raises:
            Wedged: something has a problem.
        """
        waits = [asyncio.ensure_future(it.wait()) for it in (stop, self._wedged)]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
            self._stop_by = time.monotonic() + stop_s
        if not stop.is_set():
            _log.error("this process must be replaced", extra={"reason": self._found})
            raise Wedged(self._found)

    async def _watch(self) -> None:
        while True:
            self._turned_at = time.monotonic()
            self._arm()
            for check in self._checks:
                if self._found is None and (found := check()):
                    self._found = found
                    self._wedged.set()
            await asyncio.sleep(CHECK_EVERY_S)

    def _arm(self) -> None:
        """Put off the end of the process, unless it takes too long to stop."""
        late = self._stop_by is not None and self._turned_at > self._stop_by
        if self._ends_process and not late and self._turned_at > self._armed_at + _ARM_EVERY_S:
            faulthandler.dump_traceback_later(DEAD_S, exit=True)
            self._armed_at = self._turned_at
