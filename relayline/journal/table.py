"""The port to the runs table: one row per run, kept in the transaction of the facts.

Each row equals the fold of its run's facts (`projections.row`), and nothing else: the contract
suite checks that on every adapter. `attention` alone comes from Temporal and is not a part of it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

from relayline.contracts.envelope import microseconds
from relayline.contracts.messages import UsageSum
from relayline.contracts.runs import RunStatus
from relayline.journal.batches import Batches
from relayline.journal.erasures import Erasures
from relayline.journal.port import Journal
from relayline.projections.row import RunRow

if TYPE_CHECKING:
    from relayline.contracts.envelope import NewEvent
    from relayline.journal.access.api_keys import ApiKeys
    from relayline.journal.access.audit import Audit, AuditRow
    from relayline.journal.access.quotas import StoredQuotas
    from relayline.journal.catalogs.specs_by_build import Catalogs
    from relayline.journal.files.file_port import Files
    from relayline.journal.port import Appended
    from relayline.journal.tenants.tenant_keys import TenantKeys
    from relayline.journal.webhooks import Webhooks


class EveryTenant(Enum):
    """The type of `EVERY`."""

    EVERY = "every tenant"


EVERY: Literal[EveryTenant.EVERY] = EveryTenant.EVERY
"""Reads the rows of all tenants; for operators, and while authentication is off."""
Tenant = str | Literal[EveryTenant.EVERY]


def may_see(tenant: Tenant, owner: str) -> bool:
    """True if that tenant may see what belongs to that owner."""
    return tenant in {owner, EVERY}


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
    root: str | None = None
    """All runs below this one, which no other run has started."""
    forked_from: str | None = None
    conversation: bool | None = None
    """True: takes messages, or took them; False: never did."""
    attention: bool | None = None
    """True: with a known problem; False: without."""
    created_after: datetime | None = None
    """At that time or later."""
    created_before: datetime | None = None
    """Earlier than that."""
    ended_after: datetime | None = None
    """At that time or later; open runs do not match."""
    ended_before: datetime | None = None
    """Earlier than that; open runs do not match."""


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


class Summed(NamedTuple):
    """Some runs together."""

    runs: int
    usage: UsageSum


class RunTable(Protocol):
    """One row per run, current at once: every reader sees what an append has returned.

    All methods raise `JournalUnavailable` if the storage does not answer.
    """

    async def listed(self, tenant: Tenant, run_id: str) -> Listed | None:
        """The run's row; None if that tenant has no such run."""
        ...

    async def owner(self, run_id: str) -> str | None:
        """The run's tenant, None if there is no such run; remembered, for it never changes."""
        ...

    async def list_runs(
        self, tenant: Tenant, wanted: RunFilter, limit: int, before: Position | None = None
    ) -> Sequence[Listed]:
        """At most `limit` rows, newest first, that come after `before` in that order."""
        ...

    async def count_runs(self, tenant: Tenant, wanted: RunFilter) -> Mapping[RunStatus, int]:
        """The number of rows that match, by status; statuses with none are left out."""
        ...

    async def sum_runs(self, tenant: Tenant, wanted: RunFilter) -> Mapping[RunStatus, Summed]:
        """The number of rows that match with what those runs have used, by status.

        Tokens and cost are exact sums over the rows; a run counts at most 10^12 tokens of each kind
        and 9.2 million dollars. Without a filter, or by tenant and time of creation, this reads an
        index alone; by tenant and time of the end, the rows of that time.
        """
        ...

    async def withdraw(self, run_id: str) -> bool:
        """Remove a run that did not begin, with `run.queued` as its only event; True if it was one.

        Receivers of webhooks are not told of it any more.

        Any other run stays. If it begins after all, `run.queued` is appended again as event 1.
        """
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


class Storage(Journal, RunTable, Batches, Erasures, Protocol):
    """All ports on one storage, as every adapter offers them, with the outbox beside them."""

    webhooks: Webhooks
    """Receivers of webhooks and what they are told."""
    api_keys: ApiKeys
    """What is stored of API keys."""
    audit: Audit
    """Who did what."""

    async def append_audited(
        self, run_id: str, events: Sequence[NewEvent], audit: Sequence[AuditRow]
    ) -> Sequence[Appended]:
        """`append`, which also adds rows to the audit log, in the same transaction.

        Raises:
            RunEnded, RunErased, Unstorable, JournalUnavailable: as `append`; it added no row.
        """
        ...

    quotas: StoredQuotas
    """The quotas of tenants."""
    catalogs: Catalogs
    """What each build of the workers can run."""
    files: Files
    """What people and tools give to models."""
    tenant_keys: TenantKeys
    """Whose content is sealed, and what was erased."""

    async def fill_rows(self) -> int:
        """Write the rows that are missing or behind; returns how many there were.

        That is what older versions have left: before an upgrade, and while they run beside this
        one. Readers do the same before they answer. Safe to repeat, to stop and to run
        concurrently. The runs whose first events were swept before get no row.

        Raises:
            JournalUnavailable: the storage did not answer; what is filled stays.
        """
        ...
