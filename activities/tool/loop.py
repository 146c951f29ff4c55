"""The event loop of async tools, apart from the one that has model calls and heartbeats."""

from __future__ import annotations

import asyncio
import contextvars
import time
import weakref
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from functools import partial
from typing import Any, NamedTuple, TypeVar

from temporalio import activity

from relayline.activities.tool.output import Ending, failure_of
from relayline.runtime.loop_thread import LoopThread

T = TypeVar("T")
LATE_S = 1.0
"""A loop that has not turned for so long is held by a tool that blocks."""
LOST_S = 10.0
"""A loop that is held for so long by a call that has been given up never turns again."""


class LoopedCall:
    """One run of an async tool."""

    def __init__(self, name: str, ended: asyncio.Future[Ending], loop: ToolLoop) -> None:
        self.name = name
        self.ended = ended
        """Belongs to the loop that waits for the tool, not to the tool's own."""
        self.given_up = False
        """True once nobody waits for it any more."""
        self._tools = loop
        self._task: asyncio.Task[Ending] | None = None

    def begin(
        self,
        work: Callable[[], Coroutine[Any, Any, Ending]],
        context: contextvars.Context,
        report: Callable[[asyncio.Task[Ending]], None],
    ) -> None:
        """Start it, in the tools' loop."""
        context.run(_CALL.set, self)
        self._task = asyncio.get_running_loop().create_task(work(), context=context)
        self._task.add_done_callback(report)

    def cancel(self) -> None:
        """Cancel it; from any thread."""
        self._tools.call(self._cancel)

    def held_by(self) -> str | None:
        """The name of another call that blocks the loop now, so that this one can't continue."""
        held = self._tools.held()
        return held.name if held and held.call is not self else None

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()


class Held(NamedTuple):
    """Who blocks the loop, and for how long."""

    call: LoopedCall | None
    seconds: float

    @property
    def name(self) -> str:
        """The tool's name."""
        return self.call.name if self.call else "something that a tool has left behind"


class ToolLoop:
    """The loop of all async tools of a worker; it starts with the first of them.

    A tool that blocks it holds up other async tools, never model calls, sync tools or anybody's
    heartbeats. All async tools share one loop, because what they share (a client, a pool, a lock)
    belongs to a loop.
    """

    def __init__(self) -> None:
        self._thread: LoopThread | None = None
        self._asked_at: float | None = None
        self._told = False

    def start(self, name: str, work: Callable[[], Coroutine[Any, Any, Ending]]) -> LoopedCall:
        """Start an async tool, with the caller's context variables.

        Args:
            name: Of the tool.
            work: Runs the tool and returns how it ended; it raises nothing.
        """
        self.held()  # asks, so that a call knows what kept it from its start
        here = asyncio.get_running_loop()
        call = LoopedCall(name, here.create_future(), self)
        report = partial(_report, here, call.ended)
        self.call(partial(call.begin, work, contextvars.copy_context(), report))
        return call

    @property
    def is_started(self) -> bool:
        """True once something has run in it."""
        return self._thread is not None

    def run(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Run it in the loop; from any thread."""
        return asyncio.run_coroutine_threadsafe(work, self._turning())

    def call(self, callback: Callable[[], None]) -> None:
        """Call it in the loop; from any thread."""
        self._turning().call_soon_threadsafe(callback)

    def _turning(self) -> asyncio.AbstractEventLoop:
        if self._thread is None:
            self._thread = LoopThread("async tools")
            self._thread.loop.set_task_factory(_owned)
        return self._thread.loop

    def held(self) -> Held | None:
        """Who has held the loop since an earlier call of this, `LATE_S` ago or more."""
        if self._thread is None:
            return None
        asked_at = self._asked_at  # the loop's own thread may change it meanwhile
        if asked_at is None:
            self._asked_at = asked_at = time.monotonic()
            self.call(self._answer)
        late_s = time.monotonic() - asked_at
        if late_s < LATE_S:
            return None
        task = asyncio.current_task(self._thread.loop)
        return Held(_OWNERS.get(task) if task else None, late_s)

    def problem(self) -> str | None:
        """Why async tools can never run here again, None if they can; call it every second.

        It also logs which tool blocks the loop.
        """
        held = self.held()
        if held is None:
            self._told = False
            return None
        if not self._told:
            self._told = True
            activity.logger.warning(
                "an async tool blocks all others: let it await, or make it a plain function",
                extra={"tool": held.name},
            )
        lost = held.seconds >= LOST_S and (held.call is None or held.call.given_up)
        return f"{held.name} blocks all async tools, {held.seconds:.0f} s so far" if lost else None

    def _answer(self) -> None:
        self._asked_at = None


_CALL: contextvars.ContextVar[LoopedCall] = contextvars.ContextVar("tool_call")
_OWNERS: weakref.WeakKeyDictionary[asyncio.Task[Any], LoopedCall] = weakref.WeakKeyDictionary()
"""Which call each task in a tools' loop belongs to."""


def _owned(
    loop: asyncio.AbstractEventLoop,
    coroutine: Any,
    **options: Any,
) -> asyncio.Task[Any]:
    """A task that is known to belong to the tool whose code makes it."""
    task = asyncio.Task(coroutine, loop=loop, **options)
    context = options.get("context")
    owner = _CALL.get(None) if context is None else context.get(_CALL)
    if owner is not None:
        _OWNERS[task] = owner
    return task


def _report(
    here: asyncio.AbstractEventLoop, ended: asyncio.Future[Ending], task: asyncio.Task[Ending]
) -> None:
    """Tell the loop that waits how the tool ended."""
    ending = failure_of(asyncio.CancelledError()) if task.cancelled() else task.result()

    def tell() -> None:
        if not ended.done():
            ended.set_result(ending)

    try:
        here.call_soon_threadsafe(tell)
    except RuntimeError:  # the worker has shut down: nobody waits
        activity.logger.debug("a tool ended after its worker had")
