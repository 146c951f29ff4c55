"""Housekeeping of files: erases what no run names any more."""

from __future__ import annotations

import time
from collections.abc import Callable

from relayline.journal.files.file_port import Files

PAUSE_S = 120.0
"""A process looks so seldom, because it looks at every file and every name."""
_AT_A_TIME = 100
_ROUNDS = 20
"""The most groups of files of one look."""


class FileSweep:
    """Any process may repeat it, and any number of them at once."""

    def __init__(self, files: Files, clock: Callable[[], float] = time.monotonic) -> None:
        self._files = files
        self._clock = clock
        self._next = float("-inf")

    async def work(self) -> None:
        """Erase files that may go, unless this process has just done so.

        Raises:
            JournalUnavailable: the storage did not answer; the next round continues.
        """
        if self._clock() < self._next:
            return
        for _ in range(_ROUNDS):
            if await self._files.sweep(_AT_A_TIME) < _AT_A_TIME:
                self._next = self._clock() + PAUSE_S
                return
