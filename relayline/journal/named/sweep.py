"""Housekeeping of receivers that only runs have named."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta

from relayline.journal.rows import now_us
from relayline.journal.webhooks import Webhooks

KEPT = timedelta(days=30)
"""How long such a receiver stays after a run has last named it; a run's first fact comes sooner."""
PAUSE_S = 120.0
"""A process looks so seldom, because it looks at every such receiver and every name."""
_AT_A_TIME = 100
_ROUNDS = 20
"""The most groups of receivers of one look."""


class NamedSweep:
    """Removes receivers that no run names any more. Any process may repeat it, also at once."""

    def __init__(self, webhooks: Webhooks, clock: Callable[[], float] = time.monotonic) -> None:
        self._webhooks = webhooks
        self._clock = clock
        self._next = float("-inf")

    async def work(self) -> None:
        """Remove those that may go, unless this process has just done so.

        Raises:
            JournalUnavailable: the storage did not answer; the next round continues.
        """
        if self._clock() < self._next:
            return
        before_us = now_us() - KEPT // timedelta(microseconds=1)
        for _ in range(_ROUNDS):
            if await self._webhooks.forget(before_us, _AT_A_TIME) < _AT_A_TIME:
                self._next = self._clock() + PAUSE_S
                return
