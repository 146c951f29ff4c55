"""A tail: what has come for it and was not taken yet, and how it reads on from the journal."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import NamedTuple, Protocol

from relayline.contracts.envelope import StoredEvent
from relayline.journal.port import EventsLost, JournalError

MAX_WAITING = 1024 * 1024
"""Characters that wait for one tail; what goes beyond, it reads from the journal later."""
_PER_EVENT = 500
"""What an event costs besides its data, in characters."""
TAIL_PAGE = 200
"""Events that a tail reads at a time."""


class Page(NamedTuple):
    """Part of a run."""

    events: list[StoredEvent]
    ended: bool
    """True when the run has ended and nothing comes after this page."""
    last_seq: int
    """The run's newest `seq` when the page was read; 0 if there was none."""


ReadPage = Callable[[int], Awaitable[Page]]
"""The next `TAIL_PAGE` events after that `seq`."""


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


class Watcher(Protocol):
    """Hands new events of runs to those who have subscribed."""

    def subscribe(self, run_id: str) -> Subscription:
        """Events of the run from now on; the first `take` says to read what came before."""
        ...

    def unsubscribe(self, subscription: Subscription) -> None:
        """Deliver no more; safe to call twice."""
        ...


async def follow(
    watcher: Watcher, run_id: str, after: int | StoredEvent, read_page: ReadPage
) -> AsyncGenerator[Sequence[StoredEvent], None]:
    """`Journal.tail`: events after that one as they come, none missed, none twice.

    What is handed over may overlap what was read, and a hole in it is filled from the journal.
    With every page the newest event given out is read again, to see that it still stands: a
    watcher lets its subscriptions fall behind whenever the storage may have lost something.

    Raises:
        EventsLost: the event to go on from does not stand.
        JournalError: what `read_page` raises, or what the subscription was failed with.
    """
    newest, after = (None, after) if isinstance(after, int) else (after, after.seq)
    subscription, behind = watcher.subscribe(run_id), False
    try:
        while True:
            batch = None if behind else await subscription.take()
            if batch is None:
                page = await read_page(after if newest is None else after - 1)
                events, ended = _events_after(page, after, newest), page.ended
                behind = len(page.events) == TAIL_PAGE
            else:
                events = [event for event in batch if event.seq > after]
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
    """What the page has after that event, with which it begins where that is known.

    Raises:
        EventsLost: the journal ends before it, or has another in its place.
    """
    if page.last_seq < after or (newest is not None and page.events[:1] != [newest]):
        raise EventsLost(after, page.last_seq)
    return page.events if newest is None else page.events[1:]
