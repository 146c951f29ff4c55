"""The port to the journal, the ordered, durable event log of every run, and its errors.

JournalError
├── StaleAttempt        a later attempt has appended under this scope
├── RunEnded            the run has its terminal fact
├── RunErased           the run was erased; nothing of it comes back
│   └── TenantErased    the key of its tenant was erased, and with it whatever the tenant had
├── RunOpen             only an ended run can be erased
├── CursorExpired       the requested events are past retention
├── EventsLost          the event to continue after is missing, or was replaced by another
├── Unstorable          no journal can store this event; a retry cannot help
└── JournalUnavailable  the storage did not answer; a retry may help
    └── Unreadable      it has, but this process can't read what a tenant's key has sealed
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple, Protocol

from relayline.contracts.envelope import NewEvent, StoredEvent
from relayline.projections.selection import Selection

if TYPE_CHECKING:
    from relayline.journal.table import Tenant


class JournalError(Exception):
    """Base of the errors of this port."""


class StaleAttempt(JournalError):
    """A later attempt, `by`, has appended under this scope: nothing was written, stop."""

    def __init__(self, run_id: str, fence: Fence, by: int) -> None:
        super().__init__(
            f"attempt {fence.attempt} under {fence.scope!r} of run {run_id!r}: "
            f"attempt {by} has appended"
        )
        self.by = by


class RunEnded(JournalError):
    """The run has its terminal fact: nothing was written."""


class RunErased(JournalError):
    """The run was erased: nothing was written, and nothing of it is there."""

    def __init__(self, run_id: str, tenant: str | None = None) -> None:
        super().__init__(f"run {run_id!r} was erased")
        self.run_id = run_id
        self.tenant = tenant
        """Whose run it was, where `head` tells of it."""


class TenantErased(RunErased):
    """The key of the run's tenant was erased, or is being erased: nothing was written."""

    def __init__(self, tenant: str, run_id: str = "") -> None:
        super().__init__(run_id, tenant)
        self.args = (f"the key of tenant {tenant!r} was erased: nothing is accepted for it",)


class RunOpen(JournalError):
    """The run has no terminal fact: it was not erased."""

    def __init__(self, run_id: str) -> None:
        super().__init__(f"run {run_id!r} has not ended")
        self.run_id = run_id


class CursorExpired(JournalError):
    """Events after the cursor were swept; `oldest` is the first `seq` that is still there."""

    def __init__(self, oldest: int) -> None:
        super().__init__(f"events before {oldest} are past retention")
        self.oldest = oldest


class EventsLost(JournalError):
    """The event to continue after is missing or was replaced: read the run from its start.

    The storage crashed and lost its newest events after readers had seen them. New events reuse
    their numbers.
    """

    def __init__(self, seq: int, newest: int) -> None:
        super().__init__(
            f"event {seq} is lost, the newest is {newest}"
            if newest < seq
            else f"event {seq} was replaced by another"
        )


class Unstorable(JournalError):
    """No journal can ever store this event: nothing was written.

    A key has a NUL, a text has a lone surrogate, a number exceeds 32 bits, or the storage itself
    refuses the data.
    """


class JournalUnavailable(JournalError):
    """The storage did not answer (locked, full, gone): events may or may not be written."""


class Unreadable(JournalUnavailable):
    """A sealed text can't be opened: its key is missing, or it was changed, or is another's."""

    def __init__(self, why: str, tenant: str | None = None) -> None:
        """Whose text it is, if that is known."""
        super().__init__(why)
        self.tenant = tenant


SEALED = 2**31 - 1
"""The attempt number that closes a scope for good."""


class Holder(NamedTuple):
    """Who runs an attempt of a call, so that others can end it if that worker dies."""

    worker: str
    """Identity of the worker, new at each start of its process."""
    activity_id: str
    task_token: bytes


class Fence(NamedTuple):
    """The writer of an append: once `attempt` has appended under `scope`, no lower one may.

    The append that begins an attempt also names its holder, and the journal keeps that until
    `Beats.release`, in the same transaction.
    """

    scope: str
    attempt: int
    holder: Holder | None = None


class Appended(NamedTuple):
    """The place of an appended event."""

    seq: int
    new: bool
    """False if its key already existed; `seq` is then that of the existing event."""


class Head(NamedTuple):
    """The bounds of a run's events."""

    first_seq: int
    """The oldest `seq` that is still there; `last_seq + 1` if all events were swept."""
    last_seq: int
    ended: bool
    """True if the run has its terminal fact."""


class OpenRun(NamedTuple):
    """A run without a terminal fact."""

    run_id: str
    quiet_since: datetime
    """When its newest event was appended."""


class Journal(Protocol):
    """The ordered, durable event log of every run.

    Guarantees, which the contract suite checks on every adapter:

    1. Per run, `seq` is 1, 2, 3, …: contiguous, never reused, visible in that order.
    2. A fact's key is unique per run: appending it again changes nothing.
    3. Fences: an append is refused as a whole if a higher attempt has appended under its scope.
    4. Events survive a kill -9 of any process once `append` has returned.
    5. `tail` wakes within 10 ms on the same host and costs nothing while nobody watches.
    6. After the terminal fact nothing is appended except `run.rewound`, which reopens the run; a
       repeated key still gets its answer.
    7. `read`, `get`, `head` and `tail` give a tenant nothing of another tenant's run: they answer
       as if it did not exist. A run without a row in the runs table is no tenant's.
    """

    async def append(
        self, run_id: str, events: Sequence[NewEvent], fence: Fence | None = None
    ) -> list[Appended]:
        """Append all events or none, in order, in one transaction.

        Without events, it only raises the fence, so that lower attempts are refused. Events whose
        keys all exist already get their answer even after the run has ended.

        Raises:
            StaleAttempt: a higher attempt has appended under `fence.scope`.
            RunEnded: the run has its terminal fact and at least one event is new.
            RunErased: the run was erased, or all that its tenant had.
            Unstorable: an event can't be stored; concurrent appends are not affected.
            JournalUnavailable: the storage did not answer.
        """
        ...

    async def read(  # noqa: PLR0913  what to read, and how much of it
        self,
        tenant: Tenant,
        run_id: str,
        after: int = 0,
        limit: int = 1000,
        *,
        facts: bool = False,
        max_bytes: int | None = None,
        selection: Selection | None = None,
    ) -> list[StoredEvent]:
        """At most `limit` events with `seq > after`, in order; with `facts`, only keyed ones.

        `selection`, which excludes `facts`, leaves out others; the limits then hold for the rest.
        With `max_bytes`, only the first events whose data fit into so many UTF-8 bytes together,
        but at least one if there is any; the storage reads at most one more. An unknown run is
        empty.

        Raises:
            CursorExpired: `after + 1`, or the event before `selection.before`, is older than the
                oldest event kept.
            JournalUnavailable: the storage did not answer.
        """
        ...

    async def get(self, tenant: Tenant, run_id: str, key: str) -> StoredEvent | None:
        """The fact with that key, None if there is none."""
        ...

    async def fenced(self, run_id: str, scope: str) -> int:
        """The highest attempt that has appended under the scope; 0 if there is none.

        Raises:
            JournalUnavailable: the storage did not answer.
        """
        ...

    async def head(self, tenant: Tenant, run_id: str) -> Head | None:
        """The run's bounds, None if the journal does not know the run.

        Raises:
            RunErased: the run was erased.
            JournalUnavailable: the storage did not answer.
        """
        ...

    def tail(
        self, tenant: Tenant, run_id: str, after: int | StoredEvent = 0
    ) -> AsyncGenerator[Sequence[StoredEvent], None]:
        """Batches of events after `after`, as they are appended; ends after the terminal fact.

        Pass the event instead of its `seq` to verify that it is still there. The tail verifies the
        same of every event that it has yielded. With `after=0` the run need not exist yet; the tail
        ends without an event if it turns out to be another tenant's. Close the iterator
        (`aclosing`) to stop watching.

        Raises:
            EventsLost: `after`, or an event that the tail has yielded, is missing.
            CursorExpired: as in `read`.
            JournalUnavailable: the storage did not answer for longer than the adapter waits.
        """
        ...

    async def open_runs(
        self, quiet_since: datetime, after: str = "", limit: int = 100
    ) -> list[OpenRun]:
        """At most `limit` runs without a terminal fact, ordered by id, with `run_id > after`.

        Only runs without an append since `quiet_since`.

        Raises:
            JournalUnavailable: the storage did not answer.
        """
        ...

    async def sweep(self, older_than: datetime, limit: int | None = None) -> int:
        """Delete the events of runs that ended before `older_than`; returns the number of runs.

        The runs that ended first go first, at most `limit` of them. The journal keeps their bounds,
        so that a cursor into one raises `CursorExpired`.

        Raises:
            JournalUnavailable: the storage did not answer; deleted events stay deleted.
        """
        ...

    async def check(self) -> None:
        """Return if the storage is writable.

        Raises:
            JournalUnavailable: it is not; the message says what to do.
        """
        ...

    async def close(self) -> None:
        """Finish accepted appends, release threads and connections; safe to call twice."""
        ...
