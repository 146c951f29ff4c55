"""Which events of a run a client wants: without deltas, of some types, before a place."""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

from relayline.api.errors import InvalidField
from relayline.contracts.events import TERMINAL_TYPES, EventBody
from relayline.journal.port import Journal
from relayline.journal.table import Tenant
from relayline.projections.selection import MAX_SEQ, Selection
from relayline.projections.valid import DELTAS, REWOUND

Deltas = Literal["all", "open", "none"]
TYPES = frozenset(body.model_fields["type"].default for body in get_args(get_args(EventBody)[0]))
"""The types of events that a journal has."""
SETTLING = frozenset(
    {"step.started", "message.completed", "message.interrupted", REWOUND, *TERMINAL_TYPES}
)
"""After one of these, earlier deltas are of no open step."""


class EventFilter(NamedTuple):
    """What a client wants of a run's events."""

    deltas: Deltas = "all"
    types: frozenset[str] = frozenset()
    """Only these; empty: all."""
    before: int | None = None
    """Only events with a lower `seq`, the newest of them."""

    def check(self, *, streams: bool, has_cursor: bool) -> None:
        """Return if it can be answered.

        Args:
            streams: A stream is asked for, not a page.
            has_cursor: The client has also given a cursor.

        Raises:
            InvalidField: a type is unknown, or two of the parameters contradict each other.
        """
        unknown = sorted(self.types - TYPES)
        if unknown:
            raise InvalidField(
                f"types: no event has the type {unknown[0][:100]!r}",
                field="types",
                known=[*sorted(TYPES)],
            )
        if self.deltas == "none" and self.types & DELTAS:
            raise InvalidField("types: it names deltas, and deltas=none leaves them out",
                               field="types")  # fmt: skip
        if self.before is not None and streams:
            raise InvalidField("before: a stream reads forwards only", field="before")
        if self.before is not None and has_cursor:
            raise InvalidField("before: it can't be given together with a cursor", field="before")

    def looked_at(self, cursor: int, newest: int) -> int:
        """The last `seq` that a page without an event has looked at.

        Args:
            cursor: The page begins after it.
            newest: The run's newest `seq` before the page was read.
        """
        if self == ALL_EVENTS:
            return cursor
        return max(cursor, newest if self.before is None else min(self.before - 1, newest))

    async def selection(self, journal: Journal, tenant: Tenant, run_id: str) -> Selection | None:
        """What to read; None: all events.

        Raises:
            CursorExpired, JournalUnavailable: as `Journal.read`.
        """
        if self == ALL_EVENTS:
            return None
        before = MAX_SEQ if self.before is None else self.before
        deltas_after = 0
        if self.deltas == "none":
            deltas_after = MAX_SEQ
        elif self.deltas == "open":
            newest = Selection(SETTLING, before=MAX_SEQ - 1)
            found = await journal.read(tenant, run_id, 0, 1, selection=newest)
            deltas_after = found[0].seq if found else 0
        return Selection(self.types, deltas_after, before)


ALL_EVENTS = EventFilter()
