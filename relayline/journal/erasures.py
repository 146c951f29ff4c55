"""The port to erasures: ended runs that are deleted for good, and never come back."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from relayline.journal.table import Tenant


class Erasure(NamedTuple):
    """An erased run that may have left something elsewhere."""

    run_id: str
    begun_at: datetime


class Erasures(Protocol):
    """Erases ended runs, and keeps a tombstone of each: its tenant, an HMAC of its id, the time.

    Guarantees, which the contract suite checks on every adapter:

    1. The tombstone is written first, in the transaction that deletes the run's header, row, labels
       and words: from then on `append` and `head` raise `RunErased`, and no list has the run.
    2. An erasure that was begun is finished whoever dies: it is in `unfinished` until `settle` says
       that nothing is left of the run anywhere.
    3. A tombstone stays forever. It does not tell the id.

    All methods raise `JournalUnavailable` if the storage does not answer.
    """

    async def erase(self, tenant: Tenant, run_id: str) -> str | None:
        """Erase an ended run; returns its tenant, None if the given one has no such run.

        When this returns, the journal has nothing of the run but the tombstone and its id in
        `unfinished`. Erasing a run again deletes what an interrupted call has left, and adds it to
        `unfinished` again.

        Raises:
            RunOpen: it has no terminal fact.
        """
        ...

    async def erase_runs(self, tenant: str, limit: int) -> int:
        """Erase at most `limit` runs of the tenant, open ones, too; returns how many.

        After the last one, and if there is none, its labels, words and batches are deleted. For a
        tenant for which nothing is accepted any more. Needs no key.
        """
        ...

    async def expired(self, limit: int) -> Sequence[str]:
        """At most `limit` ended runs whose own retention is over; the first to expire go first."""
        ...

    async def unfinished(self, limit: int) -> Sequence[Erasure]:
        """At most `limit` erased runs that may have left something elsewhere.

        Those that were looked at longest ago go first.
        """
        ...

    async def settle(self, done: Collection[str], others: Collection[str] = ()) -> None:
        """Forget the ids of the runs of which nothing is left; note that the others were looked at.

        The journal then has nothing but their tombstones.
        """
        ...
