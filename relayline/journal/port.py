"""The journal: the ordered, durable event log of every run. The port and its errors.

JournalError
├── StaleAttempt        a later attempt has appended under this scope
├── RunEnded            the run has its terminal fact
├── CursorExpired       the events asked for are past retention
├── EventsLost          the event to go on from is not there, or is another
├── Unstorable          an event is such that no journal can hold it; a retry cannot help
└── JournalUnavailable  the storage did not answer; try again
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from relayline.contracts.envelope import NewEvent, StoredEvent


class JournalError(Exception):
    """Base of everything a journal raises on purpose."""


class StaleAttempt(JournalError):
    """A later attempt, `by`, has appended under this scope: stop, nothing was written."""

    def __init__(self, run_id: str, fence: Fence, by: int) -> None:
        super().__init__(
            f"attempt {fence.attempt} under {fence.scope!r} of run {run_id!r}: "
            f"attempt {by} has appended"
        )
        self.by = by


class RunEnded(JournalError):
    """The run has its terminal fact: nothing was written."""


class CursorExpired(JournalError):
    """Events after the cursor were swept; `oldest` is the first `seq` still there."""

    def __init__(self, oldest: int) -> None:
        super().__init__(f"events before {oldest} are past retention")
        self.oldest = oldest


class EventsLost(JournalError):
    """The event to go on from is not there, or is another: read the run from its start.

    The storage crashed and has lost its newest events, which had been given out. It goes on from
    what is left, so their numbers are given again.
    """

    def __init__(self, seq: int, newest: int) -> None:
        super().__init__(
            f"event {seq} is not there any more, the newest is {newest}"
            if newest < seq
            else f"event {seq} is another now"
        )


class Unstorable(JournalError):
    """An event is such that no journal can hold it, and never will: nothing was written.

    A key has a NUL in it, a text has half of a surrogate pair, a number is out of 32 bits, or the
    storage itself says that it can't hold this.
    """


class JournalUnavailable(JournalError):
    """The storage did not answer (locked, full, gone): nothing is known to be written."""


SEALED = 2**31 - 1
"""The attempt number that closes a scope for good."""


class Fence(NamedTuple):
    """Who is writing: once `attempt` has appended under `scope`, no lower attempt may."""

    scope: str
    attempt: int


class Appended(NamedTuple):
    """Where an event stands."""

    seq: int
    new: bool
    """False when its key was there already; `seq` is then the first one's."""


class Head(NamedTuple):
    """What is known of a run without reading its events."""

    first_seq: int
    """The oldest `seq` still there; `last_seq + 1` when all were swept."""
    last_seq: int
    ended: bool
    """True once the terminal fact is in."""


class OpenRun(NamedTuple):
    """A run that has no terminal fact."""

    run_id: str
    quiet_since: datetime
    """When its newest event was appended."""


class Journal(Protocol):
    """The ordered, durable event log of every run.

    Guarantees, each checked by the contract suite on every adapter:

    1. Per run, `seq` is 1, 2, 3, …: contiguous, never reused, visible in that order.
    2. A fact's key is unique per run: appending it again changes nothing.
    3. Fences: an append from an attempt lower than one that has appended under the scope is
       refused, whole.
    4. What `append` returned survives a kill -9 of any process.
    5. `tail` wakes within 10 ms on the same host and costs nothing while nobody watches.
    6. After the terminal fact nothing is appended, but a repeated key is still answered. Only
       `run.rewound` is taken: with it the run is open again.
    """

    async def append(
        self, run_id: str, events: Sequence[NewEvent], fence: Fence | None = None
    ) -> list[Appended]:
        """Append all events or none, in order, in one transaction.

        With no events, only raises the fence: from then on lower attempts are refused. Events
        whose keys are all there already are answered even after the run has ended.

        Raises:
            StaleAttempt: a higher attempt has appended under `fence.scope`.
            RunEnded: the terminal fact stands and at least one event is new.
            Unstorable: an event can't be held; what others append at the time is not touched.
            JournalUnavailable: the storage did not answer.
        """
        ...

    async def read(
        self,
        run_id: str,
        after: int = 0,
        limit: int = 1000,
        *,
        facts: bool = False,
        max_bytes: int | None = None,
    ) -> list[StoredEvent]:
        """At most `limit` events with `seq > after`, in order; with `facts`, only keyed ones.

        With `max_bytes`, only as many as have so much data together, in UTF-8, but one if there is
        any; no more than one more is fetched from the storage. An unknown run reads as empty.

        Raises:
            CursorExpired: `after + 1` is older than the oldest event kept.
            JournalUnavailable: the storage did not answer.
        """
        ...

    async def get(self, run_id: str, key: str) -> StoredEvent | None:
        """The fact with that key, None if there is none."""
        ...

    async def head(self, run_id: str) -> Head | None:
        """The run's bounds, None if the journal does not know the run."""
        ...

    def tail(
        self, run_id: str, after: int | StoredEvent = 0
    ) -> AsyncGenerator[Sequence[StoredEvent], None]:
        """Batches of events after that `seq`, as they come; ends after the terminal fact.

        Whoever has the event itself gives it in place of its `seq`: then it is made sure of that
        it still stands. The same is done for what is given out. From the start, the run need not
        be known yet. Close the iterator (`aclosing`) to stop watching.

        Raises:
            EventsLost: what `after` names, or what was given out, is not there.
            CursorExpired: as in `read`.
            JournalUnavailable: the storage did not answer for longer than the adapter waits.
        """
        ...

    async def open_runs(
        self, quiet_since: datetime, after: str = "", limit: int = 100
    ) -> list[OpenRun]:
        """At most `limit` runs without terminal fact, by id, each with `run_id > after`.

        Only those to which nothing was appended since `quiet_since`.

        Raises:
            JournalUnavailable: the storage did not answer.
        """
        ...

    async def sweep(self, older_than: datetime, limit: int | None = None) -> int:
        """Remove the events of runs that ended before `older_than`; how many runs that were.

        Those that ended first go first, at most `limit` of them. The run's bounds stay known, so
        that a cursor into it is told `CursorExpired`.

        Raises:
            JournalUnavailable: the storage did not answer; what was removed stays removed.
        """
        ...

    async def check(self) -> None:
        """Return when the storage can be written.

        Raises:
            JournalUnavailable: it can't; the message says what to do.
        """
        ...

    async def close(self) -> None:
        """Finish what was accepted, release threads and connections; safe to call twice."""
        ...
