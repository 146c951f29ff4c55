"""What has come for one tail of the SQLite journal and was not taken yet."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from contracts.envelope import StoredEvent
from journal.port import JournalError

MAX_WAITING = 1024 * 1024
"""Characters that wait for one tail; what goes beyond, it reads from the journal later."""
_PER_EVENT = 500
"""What an event costs besides its data, in characters."""


class Subscription:
    """The events of one run, handed over by the watcher in the tail's own event loop."""

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self.loop = asyncio.get_running_loop()
        self._waiting: list[StoredEvent] = []
        self._cost = 0
        self._behind = True
        self._error: JournalError | None = None
        self._wake = asyncio.Event()
        self._wake.set()

    async def take(self) -> list[StoredEvent] | None:
        """Wait for events; None when the journal has to be read, as at first.

        What comes after a None is kept, so that nothing is missed between that read and the next
        call; some of it may be in the read already.

        Raises:
            JournalUnavailable: the storage did not answer, or the journal was closed.
        """
        await self._wake.wait()
        if self._error is not None:
            raise self._error
        self._wake.clear()
        events, self._waiting, self._cost = self._waiting, [], 0
        if self._behind:
            self._behind = False
            return None
        return events

    def deliver(self, events: Sequence[StoredEvent]) -> None:
        """Hand over new events, in order."""
        if self._behind:
            return
        self._cost += sum(len(event.data) + _PER_EVENT for event in events)
        if self._cost > MAX_WAITING:
            self.fall_behind()
            return
        self._waiting.extend(events)
        self._wake.set()

    def fall_behind(self) -> None:
        """Drop what waits; the tail reads the journal next."""
        self._waiting.clear()
        self._behind = True
        self._wake.set()

    def fail(self, error: JournalError) -> None:
        """Make the tail raise."""
        self._error = error
        self._wake.set()
