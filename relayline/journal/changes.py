"""Changed rows on their way from a watcher to a reader of lists."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable
from typing import Protocol

from relayline.journal.port import JournalError


class Changes:
    """Collects the ids of changed rows for one reader, in the reader's event loop."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.begun = False
        """True once the watcher follows; it sets this before it calls `miss` for the first time."""
        self._changed: set[str] = set()
        self._missed = False
        self._error: JournalError | None = None
        self._wake = asyncio.Event()

    async def take(self) -> frozenset[str] | None:
        """Wait for changes; None if some may have been missed, as at the start.

        Raises:
            JournalUnavailable: the storage did not answer, or the journal was closed.
        """
        await self._wake.wait()
        if self._error is not None:
            raise self._error
        self._wake.clear()
        changed, missed = frozenset(self._changed), self._missed
        self._changed.clear()
        self._missed = False
        return None if missed else changed

    def deliver(self, run_ids: Iterable[str]) -> None:
        """These rows have changed."""
        self._changed.update(run_ids)
        self._wake.set()

    def miss(self) -> None:
        """The reader must read its list again; every later change will be delivered."""
        self._missed = True
        self._wake.set()

    def fail(self, error: JournalError) -> None:
        """Make the reader raise the error."""
        self._error = error
        self._wake.set()


class RowWatcher(Protocol):
    """Whoever delivers changes of rows."""

    def watch_rows(self) -> Changes:
        """Deliver changes from now on."""

    def unwatch_rows(self, changes: Changes) -> None:
        """Deliver no more."""


async def follow_changes(watcher: RowWatcher) -> AsyncGenerator[frozenset[str] | None, None]:
    """`RunTable.changed_runs`, until the reader closes it."""
    changes = watcher.watch_rows()
    try:
        while True:
            yield await changes.take()
    finally:
        watcher.unwatch_rows(changes)
