"""The event loop of MCP connections, in a thread of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextvars import copy_context
from typing import Any, TypeVar

from relayline.runtime.loop_thread import LoopThread

T = TypeVar("T")


class McpThread:
    """Runs coroutines for callers in other loops.

    A tool that blocks its loop holds up no connection, and a server that floods us holds up no
    heartbeat. The thread also keeps the servers' processes alive: Linux kills them when it ends.
    """

    def __init__(self) -> None:
        self._thread = LoopThread("mcp")

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run it in the thread's loop; returns or raises what it does.

        When the caller is cancelled the work is, too, and then this waits for its end: what the
        work still returns is returned.
        """
        here = asyncio.get_running_loop()
        ended: asyncio.Future[asyncio.Task[T]] = here.create_future()
        tasks: list[asyncio.Task[T]] = []

        def report(task: asyncio.Task[T]) -> None:
            try:
                here.call_soon_threadsafe(_settle, ended, task)
            except RuntimeError:  # the caller's loop is closed: nobody waits
                task.cancelled() or task.exception()

        def begin() -> None:
            task = self._thread.loop.create_task(work)
            tasks.append(task)
            task.add_done_callback(report)

        def stop() -> None:
            tasks[0].cancel()

        self._thread.loop.call_soon_threadsafe(begin, context=copy_context())
        while True:
            try:
                await asyncio.shield(ended)
            except asyncio.CancelledError:
                self._thread.loop.call_soon_threadsafe(stop)
            else:
                return ended.result().result()

    def close(self) -> None:
        """End the thread; what still runs in it is cancelled."""
        self._thread.close()


def _settle(ended: asyncio.Future[asyncio.Task[T]], task: asyncio.Task[T]) -> None:
    if not ended.done():
        ended.set_result(task)
