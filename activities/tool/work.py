"""A running tool: start, wait, stop, result."""

from __future__ import annotations

import asyncio
import inspect
import traceback
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from temporalio import activity

from relayline.activities.tool.context import ToolThreads
from relayline.activities.tool.loop import LoopedCall
from relayline.activities.tool.output import (
    Clean,
    Ending,
    Output,
    ToolFailure,
    as_output,
    failure_of,
)
from relayline.catalog.foreign import described, leaves
from relayline.catalog.tools import Tool, ToolContext, ToolError

MAX_TRACEBACK_CHARS = 20_000


class Stoppable(ToolContext, Protocol):
    """The context of a tool that can be told to stop."""

    def stop(self) -> None:
        """Set `cancelled`."""


class ToolWork:
    """One run of a tool's function, which starts at once, apart from this event loop.

    Only text comes back from it: no exception and no object of the tool's reaches this loop.
    """

    def __init__(
        self,
        tool: Tool,
        arguments: dict[str, Any],
        context: Stoppable,
        threads: ToolThreads,
        clean: Clean = str,
    ) -> None:
        if tool.context_parameter:
            arguments = {**arguments, tool.context_parameter: context}
        self._context = context
        function = partial(tool.function, **arguments)
        self._looped: LoopedCall | None = None
        self._ended: asyncio.Future[Ending]
        if _asynchronous(tool.function):
            self._looped = threads.loop.start(tool.spec.name, partial(_awaited, function, clean))
            self._ended = self._looped.ended
        else:
            self._ended = asyncio.ensure_future(_threaded(function, threads, clean))

    @property
    def done(self) -> bool:
        """True once the function has returned or raised."""
        return self._ended.done()

    @property
    def returned(self) -> bool:
        """True once the function has returned a result."""
        return self.done and isinstance(self._ended.result(), Output)

    @property
    def held_by(self) -> str | None:
        """The async tool that blocks this one, if one does."""
        return self._looped.held_by() if self._looped else None

    async def wait(self, timeout_s: float, *, interruptible: bool = True) -> bool:
        """Wait for the end; False if the time-out comes first. Cancelling this stops nothing.

        Args:
            timeout_s: How long to wait.
            interruptible: False to keep waiting if an operator pauses or resets the activity in
                Temporal; then the pause or reset applies after the tool has ended.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + timeout_s
        while True:
            try:
                await asyncio.wait({self._ended}, timeout=until - loop.time())
            except asyncio.CancelledError:
                if interruptible or not _stopped_by_operator():
                    raise
            else:
                return self.done

    async def stop(self, bound_s: float) -> None:
        """Cancel the function and wait for its end, at most `bound_s`; then it is given up."""
        self._context.stop()
        if self._looped:
            self._looped.cancel()
        await asyncio.wait({self._ended}, timeout=bound_s)
        if self._looped:
            self._looped.given_up = True

    def result(self) -> Output:
        """The function's result.

        Raises:
            ToolFailure: the function raised.
        """
        ending = self._ended.result()
        if isinstance(ending, ToolFailure):
            raise ending
        return ending


def _stopped_by_operator() -> bool:
    """True if this activity must stop only because an operator paused or reset it."""
    details = activity.cancellation_details()
    if details is None or details.cancel_requested:
        return False
    return details.paused or details.reset


def _asynchronous(function: Callable[..., object]) -> bool:
    """True for a coroutine function, and for an object that is called like one."""
    called = type(function).__call__  # of an object; a function's own is no coroutine function
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(called)


async def _awaited(function: Callable[[], Any], clean: Clean) -> Ending:
    """Run an async tool; in the tools' loop."""
    try:
        return as_output(await function(), clean)
    except BaseException as error:  # noqa: BLE001  told as text, whatever it is
        return _failure(error, clean)


async def _threaded(function: Callable[[], object], threads: ToolThreads, clean: Clean) -> Ending:
    """Run a sync tool in a thread."""

    def run() -> Ending:
        try:
            return as_output(function(), clean)
        except BaseException as error:  # noqa: BLE001  told as text, whatever it is
            return _failure(error, clean)

    try:
        return await threads.run(run)
    except ToolError as error:  # no thread is left
        return failure_of(error)


def _failure(error: BaseException, clean: Clean) -> ToolFailure:
    """The failure for the run, and a traceback for the log; called where the tool ran."""
    if not all(
        issubclass(type(leaf), ToolError | asyncio.CancelledError) for leaf in leaves(error)
    ):
        activity.logger.warning("a tool raised", exc_info=_Raised(_traceback(error)))
    return failure_of(error, clean)


class _Raised(Exception):
    """A tool's traceback as text: the log must not ask the tool's exception for anything."""


def _traceback(error: BaseException) -> str:
    try:
        text = "".join(traceback.format_exception(error))
    except BaseException as unsaid:  # noqa: BLE001  the exception had a say in it
        text = f"{described(error)}, without a traceback: {described(unsaid)}"
    return text[-MAX_TRACEBACK_CHARS:]
