"""A running tool: start, wait, stop, result."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from temporalio import activity

from relayline.activities.tool.context import RunningTool, ToolThreads
from relayline.activities.tool.output import Clean, Output, ToolFailure, as_output, error_text
from relayline.catalog.tools import Tool, ToolError
from relayline.contracts.errors import ErrorType


class ToolWork:
    """One run of a tool's function, which starts at once."""

    def __init__(
        self,
        tool: Tool,
        arguments: dict[str, Any],
        context: RunningTool,
        threads: ToolThreads,
        clean: Clean = str,
    ) -> None:
        if tool.context_parameter:
            arguments = {**arguments, tool.context_parameter: context}
        self._context = context
        self._clean = clean
        function = tool.function
        self._asynchronous = inspect.iscoroutinefunction(function)
        self._task = asyncio.create_task(
            _awaited(function, arguments, clean)
            if inspect.iscoroutinefunction(function)
            else _threaded(partial(function, **arguments), threads, clean)
        )
        self._task.add_done_callback(_consume_error)

    @property
    def done(self) -> bool:
        """True once the function has returned or raised."""
        return self._task.done()

    @property
    def returned(self) -> bool:
        """True once the function has returned a result."""
        return self.done and not self._task.cancelled() and self._task.exception() is None

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
                await asyncio.wait({self._task}, timeout=until - loop.time())
            except asyncio.CancelledError:
                if interruptible or not _stopped_by_operator():
                    raise
            else:
                return self.done

    async def stop(self, bound_s: float) -> None:
        """Cancel the function and wait for its end, at most `bound_s`."""
        self._context.stop()
        if self._asynchronous:
            self._task.cancel()
        await asyncio.wait({self._task}, timeout=bound_s)

    def result(self) -> Output:
        """The function's result.

        Raises:
            ToolFailure: the function raised.
        """
        if self._task.cancelled():
            raise ToolFailure(ErrorType.TOOL_FAILED, "the tool cancelled itself", retryable=True)
        error = self._task.exception()
        if error is None:
            return self._task.result()
        if not isinstance(error, ToolError):
            activity.logger.warning("a tool raised", exc_info=error)
        retryable = error.retryable if isinstance(error, ToolError) else True
        raise ToolFailure(
            ErrorType.TOOL_FAILED, error_text(error, self._clean), retryable=retryable
        ) from error


def _stopped_by_operator() -> bool:
    """True if this activity must stop only because an operator paused or reset it."""
    details = activity.cancellation_details()
    if details is None or details.cancel_requested:
        return False
    return details.paused or details.reset


async def _awaited(
    function: Callable[..., Awaitable[object]], arguments: dict[str, Any], clean: Clean
) -> Output:
    try:
        return as_output(await function(**arguments), clean)
    except SystemExit as error:
        raise _no_exit(error) from error


async def _threaded(function: Callable[[], object], threads: ToolThreads, clean: Clean) -> Output:
    try:
        return await threads.run(lambda: as_output(function(), clean))
    except SystemExit as error:
        raise _no_exit(error) from error


def _no_exit(error: SystemExit) -> ToolError:
    """The error for `SystemExit`, which would otherwise end the worker."""
    return ToolError(f"the tool tried to end the process: exit({error.code})", retryable=False)


def _consume_error(task: asyncio.Task[Output]) -> None:
    """Keep asyncio from reporting the error of an abandoned tool."""
    if not task.cancelled():
        task.exception()
