"""An event loop in a daemon thread of its own, which nothing that runs in it can end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import weakref

_log = logging.getLogger(__name__)
_CLOSE_BOUND_S = 1.0


class LoopThread:
    """A loop that turns until `close`, or until nobody has this object any more.

    asyncio lets KeyboardInterrupt and SystemExit of a task out of `run_forever`, and a task may
    stop its loop; either way this loop turns on. A task that blocks does block the loop.
    """

    def __init__(self, name: str) -> None:
        self.loop = asyncio.new_event_loop()
        closing = threading.Event()
        self.close = weakref.finalize(self, _close, self.loop, closing)
        """Cancels what still runs and ends the thread; does not wait for that."""
        self.close.atexit = False
        threading.Thread(target=_turn, args=(self.loop, closing), name=name, daemon=True).start()


def _close(loop: asyncio.AbstractEventLoop, closing: threading.Event) -> None:
    closing.set()
    with contextlib.suppress(RuntimeError):  # closed already
        loop.call_soon_threadsafe(loop.stop)


def _turn(loop: asyncio.AbstractEventLoop, closing: threading.Event) -> None:
    asyncio.set_event_loop(loop)
    while not closing.is_set():
        try:
            loop.run_forever()
        except BaseException as error:  # noqa: BLE001  the task that raised it has it, too
            kind = type(error).__name__
            _log.warning("a task tried to end its event loop", extra={"error": kind})
    with contextlib.suppress(BaseException):
        loop.run_until_complete(_cancel_all())
    loop.close()


async def _cancel_all() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=_CLOSE_BOUND_S)
