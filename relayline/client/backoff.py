"""How long to wait before trying again, and when to give up; does no I/O."""

from __future__ import annotations

import random
from collections.abc import Callable
from math import inf
from time import monotonic
from typing import NamedTuple

from relayline.client.errors import ApiError, ConnectionLost, RelaylineError

RETRY_MS = 1000
"""The first wait until the server has named one."""
MAX_WAIT_S = 15.0
"""Of the backoff; a server that asks for more with `Retry-After` gets it, up to a minute."""
_MAX_DOUBLINGS = 10


class Retry(NamedTuple):
    """A connection broke off, or the server was not up to it: it is tried again after a wait."""

    reason: str
    """A few words for people."""
    wait_s: float
    """Until the next try."""


class Backoff:
    """The waits between tries: doubled with each failure in a row, jittered, bounded."""

    def __init__(
        self, patience_s: float | None = None, clock: Callable[[], float] = monotonic
    ) -> None:
        """Make one.

        Args:
            patience_s: Longest time without success; None: no end.
            clock: Seconds, never going back.
        """
        self.retry_ms = RETRY_MS
        """The wait after a first failure."""
        self._patience_s = patience_s
        self._clock = clock
        self._failures = 0
        self._failing_since: float | None = None

    def succeeded(self) -> None:
        """Start over with short waits."""
        self._failures = 0
        self._failing_since = None

    def connected(self) -> None:
        """The server answers: the time without success is over, the waits stay as they are."""
        self._failing_since = None

    def after(self, error: RelaylineError) -> Retry:
        """The next try after this failure.

        Raises:
            RelaylineError: this very error, when trying again can't help or takes too long.
        """
        retry_after_s = 0.0
        if isinstance(error, ApiError) and error.retryable:
            retry_after_s = error.retry_after_s
        elif not isinstance(error, ConnectionLost):
            raise error
        backoff_s = min(self.retry_ms / 1000 * 2**self._failures, MAX_WAIT_S)
        wait_s = max(backoff_s * random.uniform(0.5, 1), retry_after_s)  # noqa: S311  jitter
        self._failures = min(self._failures + 1, _MAX_DOUBLINGS)
        return Retry(error.reason, min(wait_s, self._left_s(error)))

    def _left_s(self, error: RelaylineError) -> float:
        """Seconds of patience; when they are over, raises the error."""
        if self._patience_s is None:
            return inf
        now = self._clock()
        if self._failing_since is None:
            self._failing_since = now
        left_s = self._failing_since + self._patience_s - now
        if left_s <= 0:
            raise error
        return left_s
