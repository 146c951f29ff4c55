"""The `ToolContext` of a running tool, and the threads of sync tools."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import math
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from types import MappingProxyType
from typing import Any, NoReturn, TypeVar

from temporalio import activity
from temporalio.exceptions import ApplicationError

from relayline.activities.attempt import Attempt
from relayline.activities.tool.loop import ToolLoop
from relayline.activities.tool.output import Clean, ToolFailure, failure_of, utf8
from relayline.activities.tool.resources import Resources
from relayline.activities.whose.run import Caller
from relayline.catalog.tools import ToolError
from relayline.contracts.calls import ToolRequest
from relayline.contracts.envelope import NewEvent
from relayline.contracts.errors import ErrorType
from relayline.contracts.events import ToolProgress
from relayline.contracts.keys import call_scope

T = TypeVar("T")

PROGRESS_EVERY_S = 0.1
"""The journal gets at most one progress report in this time; the newest wins."""
PROGRESS_CHARS = 1000
MAX_THREADS = 512
"""Threads of sync tools in one worker, including cancelled tools that have not stopped."""


FULL_S = 60.0
"""After so long without a free thread, none is expected any more."""


class RunningTool:
    """The `ToolContext` of one attempt of a tool call."""

    def __init__(
        self,
        attempt: Attempt,
        request: ToolRequest,
        caller: Caller,
        clean: Clean = str,
        secrets: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.run_id = request.run_id
        self.call_id = request.call.call_id
        self.step = request.step
        self.turn = caller.turn
        self.tenant, self.user, self.agent, self.metadata = caller.whose
        self.attempt = attempt.number
        self.idempotency_key = f"{request.run_id}/{call_scope(request.epoch, self.call_id)}"
        name = request.call.name
        said = {"run_id": self.run_id, "call_id": self.call_id, "tool": name}
        self.log = logging.LoggerAdapter(logging.getLogger(f"relayline.tools.{name}"), said)
        self._secrets = secrets
        self.acknowledged = False
        """True once the tool has read that it is cancelled."""
        self._journal = attempt
        self._clean = clean
        self._loop = asyncio.get_running_loop()
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._offered: ToolProgress | None = None
        """The newest report that has not reached the loop yet."""
        self._latest: ToolProgress | None = None
        self._sender: asyncio.Task[None] | None = None
        self._closed = asyncio.Event()

    @property
    def cancelled(self) -> bool:
        """True once the tool should stop."""
        if self._stop.is_set():
            self.acknowledged = True
        return self.acknowledged

    def secrets(self, name: str) -> str:
        """As in `ToolContext`."""
        try:
            return self._secrets[name]
        except KeyError:
            text = f"the worker has no secret {name!r}: see RELAYLINE_TOOL_SECRETS"
            raise ToolError(text, retryable=False) from None

    def stop(self) -> None:
        """Set `cancelled`."""
        self._stop.set()

    def progress(self, message: str, fraction: float | None = None) -> None:
        """Report progress, as a line and a fraction; never blocks and never fails the tool.

        However often a tool reports, the worker's loop is woken for one report at a time.
        """
        line = ToolProgress(
            call_id=self.call_id,
            message=utf8(self._clean(str(message))[:PROGRESS_CHARS]),
            fraction=_fraction(fraction),
        )
        with self._lock:
            waiting, self._offered = self._offered, line
        if waiting:
            return
        try:
            self._loop.call_soon_threadsafe(self._take)
        except RuntimeError:  # the worker has shut down: nobody would see it
            activity.logger.debug("progress of a tool came after its worker had ended")

    async def close(self) -> None:
        """Send the pending report; later ones are dropped."""
        self._closed.set()
        if self._sender:
            await self._sender

    def _take(self) -> None:
        with self._lock:
            self._latest, self._offered = self._offered, None
        if self._closed.is_set():
            return
        if self._sender is None or self._sender.done():
            self._sender = self._loop.create_task(self._send())

    async def _send(self) -> None:
        """Append the newest report until there is none."""
        while self._latest:
            line, self._latest = self._latest, None
            event = NewEvent(body=line, step=self.step, attempt=self.attempt)
            try:
                await self._journal.append(event)
            except ApplicationError as error:
                activity.logger.warning("progress of a tool was not journaled: %s", error)
            with suppress(TimeoutError):
                async with asyncio.timeout(PROGRESS_EVERY_S):
                    await self._closed.wait()


def _fraction(value: Any) -> float | None:
    """The value between 0 and 1, None if it is no number."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return None if math.isnan(number) else min(max(number, 0.0), 1.0)


class ToolThreads:
    """Where tools run, so that none can hold up the worker.

    Each sync tool has a daemon thread of its own, and all async tools share the loop of one. A tool
    that never returns does not block a shutdown.
    """

    def __init__(self, limit: int = MAX_THREADS) -> None:
        self.loop = ToolLoop()
        self.resources = Resources(self.loop)
        self._free = threading.BoundedSemaphore(limit)
        self._refused_at: float | None = None
        """When a tool found no free thread, while none has become free since."""

    def problem(self) -> str | None:
        """Why tools can run here no more, None if they can; call it every second."""
        if self._refused_at is not None and time.monotonic() > self._refused_at + FULL_S:
            return f"tools that did not stop have held all threads for {FULL_S:g} s"
        return self.loop.problem()

    async def run_within(self, bound_s: float, function: Callable[[], T]) -> T:
        """`run` for code that checks a tool's arguments, some of which is the tool's own.

        Raises:
            ToolFailure: the function's; `tool-timed-out` after `bound_s`, and then the thread goes
                on without us; `tool-failed` if no thread is left.
        """
        try:
            async with asyncio.timeout(bound_s):
                return await self.run(function)
        except TimeoutError as error:
            text = f"its arguments were not checked within {bound_s:g} s"
            raise ToolFailure(ErrorType.TOOL_TIMED_OUT, text, retryable=True) from error
        except ToolError as error:
            raise failure_of(error) from error

    async def run(self, function: Callable[[], T]) -> T:
        """Run the function in a new thread; returns or raises what it does.

        Raises:
            ToolError: tools that did not stop occupy all threads.
        """
        if not self._free.acquire(blocking=False):
            self._refused_at = self._refused_at or time.monotonic()
            raise ToolError("this worker has no thread left: too many tools did not stop")
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[Callable[[], T]] = loop.create_future()
        context = contextvars.copy_context()

        def report(end: Callable[[], T]) -> None:
            if not ended.done():
                ended.set_result(end)

        def work() -> None:
            end: Callable[[], T]
            try:
                end = partial(_same, context.run(function))
            except BaseException as error:  # noqa: BLE001  raised again in the event loop
                end = partial(_raise, error)
            finally:
                self._release()
            try:
                loop.call_soon_threadsafe(report, end)
            except RuntimeError:  # the worker has shut down: nobody waits
                activity.logger.debug("a tool ended after its worker had")

        try:
            threading.Thread(target=work, name="tool", daemon=True).start()
        except RuntimeError as error:  # the system gives us no more
            self._release()
            raise ToolError(f"this worker can't start a thread: {error}") from error
        return (await ended)()

    def _release(self) -> None:
        self._refused_at = None
        self._free.release()


def _same(value: T) -> T:
    return value


def _raise(error: BaseException) -> NoReturn:
    """Raise the error where the result is awaited; a future could not hold `StopIteration`."""
    raise error
