"""Tails: the buffer of new events between a watcher and a tail, and the loop of the tail."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import NamedTuple, Protocol

from relayline.contracts.envelope import StoredEvent
from relayline.journal.port import EventsLost, JournalError
from relayline.projections.selection import MAX_SEQ, Selection

MAX_WAITING = 1024 * 1024
"""The buffer of one tail, in characters; when it overflows, the tail reads the journal."""
_PER_EVENT = 500
"""Overhead of an event in the buffer, in characters."""
TAIL_PAGE = 200
"""Events that a tail reads at a time."""


class Page(NamedTuple):
    """Consecutive events of a run."""

    events: list[StoredEvent]
    ended: bool
    """True if the run has ended and this page is the last."""
    last_seq: int
    """The run's newest `seq` at the time of the read; 0 if it has no event."""


def oldest_wanted(after: int, selection: Selection | None) -> int:
    """The `seq` of an event that a read needs, unless it was never there."""
    if selection is None or selection.before == MAX_SEQ:
        return after + 1
    return max(selection.before - 1, 1)


ReadPage = Callable[[int], Awaitable[Page]]
"""Reads the next `TAIL_PAGE` events after a `seq`."""
OpenEvents = Callable[[list[StoredEvent]], Awaitable[list[StoredEvent]]]
"""Gives stored events as they were appended."""


class Subscription:
    """Buffers events of one run from the watcher for a tail, in the tail's event loop."""

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self.loop = asyncio.get_running_loop()
        self._waiting: list[StoredEvent] = []
        self._cost = 0
        self._behind = True
        self._error: JournalError | None = None
        self._woken = True
        self._sleeper: asyncio.Future[None] | None = None

    async def take(self) -> list[StoredEvent] | None:
        """Wait for events; None if the tail must read the journal, as at the start.

        Events that arrive after a None are buffered, so that none is missed between the read and
        the next call; the read may already include some of them.

        Raises:
            JournalUnavailable: the storage did not answer, or the journal was closed.
        """
        if not self._woken:
            self._sleeper = self.loop.create_future()
            await self._sleeper
        if self._error is not None:
            raise self._error
        self._woken = False
        events, self._waiting, self._cost = self._waiting, [], 0
        if self._behind:
            self._behind = False
            return None
        return events

    def deliver(self, events: Sequence[StoredEvent]) -> None:
        """Buffer new events, in order."""
        if self._behind:
            return
        for event in events:
            self._cost += len(event.data) + _PER_EVENT
        if self._cost > MAX_WAITING:
            self.fall_behind()
            return
        self._waiting.extend(events)
        self._wake()

    def fall_behind(self) -> None:
        """Drop the buffer; the tail reads the journal next."""
        self._waiting.clear()
        self._behind = True
        self._wake()

    def fail(self, error: JournalError) -> None:
        """Make the tail raise the error."""
        self._error = error
        self._wake()

    def _wake(self) -> None:
        self._woken = True
        if self._sleeper is not None and not self._sleeper.done():
            self._sleeper.set_result(None)


class Watcher(Protocol):
    """Delivers new events of runs to subscriptions."""

    def subscribe(self, run_id: str) -> Subscription:
        """Deliver events of the run from now on; the first `take` returns None."""
        ...

    def unsubscribe(self, subscription: Subscription) -> None:
        """Deliver no more; safe to call twice."""
        ...


async def follow(
    watcher: Watcher,
    run_id: str,
    after: int | StoredEvent,
    read_page: ReadPage,
    opened: OpenEvents,
) -> AsyncGenerator[Sequence[StoredEvent], None]:
    """`Journal.tail`: events after `after` as they are appended, each exactly once.

    Delivered events may overlap with events already read; after a gap, the journal is read. Each
    page starts with the newest event that was yielded, to verify that it is still there: a watcher
    lets its subscriptions fall behind whenever the storage may have lost events.

    Raises:
        EventsLost: the event to continue after is missing.
        JournalError: raised by `read_page` or `opened`, or passed to the subscription.
    """
    newest, after = (None, after) if isinstance(after, int) else (after, after.seq)
    subscription, behind = watcher.subscribe(run_id), False
    try:
        while True:
            batch = None if behind else await subscription.take()
            if batch is None:
                page = await read_page(after if newest is None else after - 1)
                page = page._replace(events=await opened(page.events))
                events, ended = _events_after(page, after, newest), page.ended
                behind = len(page.events) == TAIL_PAGE
            else:
                events = await opened([event for event in batch if event.seq > after])
                ended = bool(batch) and batch[-1].ends_run
                behind = bool(events) and events[0].seq != after + 1
                if behind:
                    continue
            if events:
                newest = events[-1]
                after = newest.seq
                yield events
            if ended:
                return
    finally:
        watcher.unsubscribe(subscription)


def _events_after(page: Page, after: int, newest: StoredEvent | None) -> list[StoredEvent]:
    """The events of the page after `after`; the page starts with `newest`, if that is known.

    Raises:
        EventsLost: the journal ends before `after`, or has another event in its place.
    """
    if page.last_seq < after or (newest is not None and page.events[:1] != [newest]):
        raise EventsLost(after, page.last_seq)
    return page.events if newest is None else page.events[1:]
