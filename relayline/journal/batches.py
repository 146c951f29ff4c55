"""The port to the batches, and to the runs of them that are accepted but not yet started."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple, Protocol

from relayline.contracts.calls import agent_sha256
from relayline.contracts.runs import RunInput
from relayline.contracts.submissions.batches import StoredBatch

if TYPE_CHECKING:
    from relayline.journal.table import Tenant


class PendingStart(NamedTuple):
    """A run that is accepted and must still be started."""

    run: RunInput
    submitted_at: datetime


class StartRow(NamedTuple):
    """The start of a run as columns; its agent is stored once, with the batch."""

    run_id: str
    batch_id: str
    position: int
    data: str


class BatchPlace(NamedTuple):
    """A place in the list of batches, newest first."""

    created_us: int
    batch_id: str


class BatchRow(NamedTuple):
    """A batch in a list."""

    batch_id: str
    created_us: int
    accepted: int
    rejected: int

    @classmethod
    def of(cls, batch_id: str, created_us: int, data: str) -> BatchRow:
        """The row of a stored batch."""
        stored = json.loads(data)
        counts = (len(stored.get(name, ())) for name in ("accepted", "rejected"))
        return cls(batch_id, created_us, *counts)

    @property
    def place(self) -> BatchPlace:
        """Where it is in the list."""
        return BatchPlace(self.created_us, self.batch_id)


class Batches(Protocol):
    """Batches and pending starts.

    A batch and all its starts are stored together or not at all, and survive the death of any
    process. All methods raise `JournalUnavailable` if the storage does not answer.
    """

    async def store_batch(self, batch: StoredBatch, runs: Sequence[RunInput]) -> bool:
        """Store the batch with the starts of these runs; False if there is one with that id.

        Then nothing changes.
        """
        ...

    async def find_batch(self, tenant: Tenant, batch_id: str) -> StoredBatch | None:
        """The batch, None if that tenant has none with that id."""
        ...

    async def batches(
        self, tenant: Tenant, limit: int, before: BatchPlace | None = None
    ) -> Sequence[BatchRow]:
        """At most `limit` of that tenant's batches, newest first; after that place, if given."""
        ...

    async def pending_starts(
        self, tenant: Tenant, batch_id: str, limit: int
    ) -> Sequence[PendingStart]:
        """At most `limit` of the batch's pending starts, in the order of the request.

        None of them if the batch is another tenant's.
        """
        ...

    async def pending_start(self, tenant: Tenant, run_id: str) -> PendingStart | None:
        """The pending start of that run, None if that tenant has none."""
        ...

    async def forget_starts(self, run_ids: Collection[str]) -> None:
        """Delete the pending starts of these runs, because they have started."""
        ...

    async def batches_to_start(self, before: datetime, limit: int) -> Sequence[str]:
        """Ids of batches stored before that time that still have pending starts."""
        ...


def start_rows(batch_id: str, runs: Sequence[RunInput]) -> list[StartRow]:
    """The rows of these starts."""
    return [
        StartRow(run.run_id, batch_id, position, _dump(run)) for position, run in enumerate(runs)
    ]


def load_start(data: str, batch: StoredBatch) -> PendingStart:
    """The start that was stored as `data`, with its batch.

    Raises:
        ValidationError: this version can't read it.
    """
    fields = json.loads(data)
    agent = batch.agents[fields["agent"]]
    return PendingStart(RunInput.model_validate({**fields, "agent": agent}), batch.created_at)


def _dump(run: RunInput) -> str:
    fields = run.model_dump(mode="json", exclude={"agent"}, exclude_defaults=True)
    return json.dumps({**fields, "agent": agent_sha256(run.agent)})
