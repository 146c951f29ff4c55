"""Keeps calls away from a server that is down, so that it does not hold up everything else."""

from __future__ import annotations

import time
from collections.abc import Callable

FAILURES = 5
"""So many in a row open it."""
OPEN_S = 30.0
ONE_S = 1.0
"""Failures within so long of the first have one cause, and count as one."""
_MAX_PAUSE_S = 2.0


class Breaker:
    """Counts failures in a row; after five of them, 30 s of fast failures, then one more try."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.failures = 0
        self.failed_ever = 0
        """How many failures there were at all."""
        self.last_error = ""
        """Of the last failure; empty after a success."""
        self._clock = clock
        self._open_until = 0.0
        self._failed_at = -ONE_S

    @property
    def open_s(self) -> float:
        """Seconds for which it stays open; 0 if it is closed."""
        return max(0.0, self._open_until - self._clock())

    @property
    def pause_s(self) -> float:
        """Seconds to wait before the next try to connect: none at first, then more each time."""
        return min(0.1 * 2 ** (self.failures - 1), _MAX_PAUSE_S) if self.failures else 0.0

    def succeeded(self) -> None:
        """The server has answered."""
        self.failures, self.last_error, self._open_until = 0, "", 0.0

    def failed(self, why: str) -> None:
        """The server can't be reached, or the connection was lost."""
        self.last_error = why
        if self._clock() < self._failed_at + ONE_S:
            return
        self._failed_at = self._clock()
        self.failures += 1
        self.failed_ever += 1
        if self.failures >= FAILURES:
            self._open_until = self._clock() + OPEN_S
