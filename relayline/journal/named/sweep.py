"""Housekeeping of what only runs name: files, and receivers of webhooks."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from datetime import timedelta

from relayline.journal.rows import now_us
from relayline.journal.webhooks import Webhooks

KEPT = timedelta(days=30)
"""How long a receiver stays after a run has last named it; a run's first fact comes sooner."""
PAUSE_S = 120.0
"""Seconds between two looks of a process: each looks at everything of a kind, and at every name."""
_AT_A_TIME = 100
_ROUNDS = 20
"""The most groups of one look."""


class NamedSweep:
    """Removes what no run names any more. Any process may repeat it, any number of them at once.

    Args:
        remove: Removes at most so many; returns how many.
        clock: Seconds.
    """

    def __init__(
        self, remove: Callable[[int], Awaitable[int]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._remove = remove
        self._clock = clock
        self._next = float("-inf")

    async def work(self) -> None:
        """Remove what may go, unless this process has just done so.

        Raises:
            JournalUnavailable: the storage did not answer; the next round continues.
        """
        if self._clock() < self._next:
            return
        for _ in range(_ROUNDS):
            if await self._remove(_AT_A_TIME) < _AT_A_TIME:
                self._next = self._clock() + PAUSE_S
                return


def forgetting(webhooks: Webhooks) -> Callable[[int], Awaitable[int]]:
    """The removal of at most so many receivers that no run has named for `KEPT`."""
    return lambda most: webhooks.forget(now_us() - KEPT // timedelta(microseconds=1), most)
