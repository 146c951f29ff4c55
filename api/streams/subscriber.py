"""A reader of something that grows: it sleeps until there is more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Subscriber:
    """Sleeps until woken; a wake while it is awake is not lost."""

    __slots__ = ("_sleeper", "_woken", "pusher")

    def __init__(self) -> None:
        self.pusher: Callable[[], bool] | None = None
        """Takes care of what is new without waking the sleeper; False if only that one can."""
        self._sleeper: asyncio.Future[None] | None = None
        self._woken = False

    def wake(self) -> None:
        """End the sleep, or make the next one return at once; not if `pusher` takes care."""
        if self.pusher is not None and self.pusher():
            return
        self._woken = True
        if self._sleeper is not None and not self._sleeper.done():
            self._sleeper.set_result(None)

    async def sleep(self) -> None:
        """Return after the next wake, at once if there was one since the last sleep."""
        if not self._woken:
            self._sleeper = asyncio.get_running_loop().create_future()
            try:
                await self._sleeper
            finally:
                self._sleeper = None
        self._woken = False

    def may_rest(self) -> bool:
        """True if there was no wake since the last sleep or rest."""
        woken, self._woken = self._woken, False
        return not woken

    def push_to(self, write: Callable[[bytes], bool]) -> bool:
        """Write what is new, if that is all there is to do; True if it is written."""
        del write
        return False
