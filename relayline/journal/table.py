"""The port to the runs table: one row per run, kept in the transaction of the facts.

Each row equals the fold of its run's facts (`projections.row`), and nothing else: the contract
suite checks that on every adapter. `attention` alone comes from Temporal and is not a part of it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Literal, NamedTuple, Protocol

from relayline.contracts.envelope import microseconds
from relayline.contracts.runs import RunStatus
from relayline.journal.port import Journal
from relayline.projections.row import RunRow


class EveryTenant(Enum):
    """The type of `EVERY`."""

    EVERY = "every tenant"


EVERY: Literal[EveryTenant.EVERY] = EveryTenant.EVERY
"""Reads the rows of all tenants; for operators, and while authentication is off."""
Tenant = str | Literal[EveryTenant.EVERY]


@dataclass(frozen=True)
class RunFilter:
    """Which rows to read: those that match all that is given."""

    statuses: frozenset[RunStatus] = frozenset()
    """Any of these; empty: any at all."""
    open: bool | None = None
    """True: not ended; False: ended."""
    agent: str | None = None
    model: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    words: tuple[str, ...] = ()
    """Each must begin a word of the title, the id or a metadata value; case does not matter."""
    batch: str | None = None
    parent: str | None = None
    forked_from: str | None = None
    attention: bool | None = None
    """True: with a known problem; False: without."""
    created_after: datetime | None = None
    """At that time or later."""
    created_before: datetime | None = None
    """Earlier than that."""


class Position(NamedTuple):
    """The place of a run in the list, which is newest first."""

    created_us: int
    """Microseconds since 1970, UTC."""
    run_id: str


class Listed(NamedTuple):
    """A row as a list shows it."""

    row: RunRow
    last_seq: int
    """The newest event of the run."""
    attention: str | None
    """Why the run makes no progress; None when no problem is known."""

    @property
    def position(self) -> Position:
        """The place of the run in the list."""
        created_at = self.row.created_at
        return Position(microseconds(created_at) if created_at else 0, self.row.run_id)


class RunTable(Protocol):
    """One row per run, current at once: every reader sees what an append has returned.

    All methods raise `JournalUnavailable` if the storage does not answer.
    """

    async def listed(self, tenant: Tenant, run_id: str) -> Listed | None:
        """The run's row; None if that tenant has no such run."""
        ...

    async def list_runs(
        self, tenant: Tenant, wanted: RunFilter, limit: int, before: Position | None = None
    ) -> Sequence[Listed]:
        """At most `limit` rows, newest first, that come after `before` in that order."""
        ...

    async def count_runs(self, tenant: Tenant, wanted: RunFilter) -> Mapping[RunStatus, int]:
        """The number of rows that match, by status; statuses with none are left out."""
        ...

    async def note_attention(self, found: Mapping[str, str | None]) -> None:
        """Set `attention` of these runs by id; None clears it. Unknown and ended runs stay."""
        ...

    def changed_runs(self) -> AsyncGenerator[frozenset[str] | None, None]:
        """The ids of runs whose rows have changed since the last item, as they change.

        Any number of changes that happen while the reader is busy are one item. None means that
        changes may have been missed: read the list again. The first item is None. Costs nothing
        while nobody reads; close the iterator (`aclosing`) to stop.
        """
        ...


class Storage(Journal, RunTable, Protocol):
    """Both ports on one storage, as every adapter offers them."""

    async def fill_rows(self) -> int:
        """Write the rows that are missing or behind; returns how many there were.

        That is what older versions have left: before an upgrade, and while they run beside this
        one. Readers do the same before they answer. Safe to repeat, to stop and to run
        concurrently. The runs whose first events were swept before get no row.

        Raises:
            JournalUnavailable: the storage did not answer; what is filled stays.
        """
        ...
