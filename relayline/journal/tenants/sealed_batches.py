"""Batches and pending starts as they are stored: sealed where their tenant has a key."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from relayline.contracts.runs import RunInput
from relayline.contracts.submissions.batches import StoredBatch
from relayline.journal.batches import (
    BatchPlace,
    BatchRow,
    PendingStart,
    StartRow,
    load_start,
    start_rows,
)
from relayline.journal.outbox_sql import after, of_tenant
from relayline.journal.table import Tenant
from relayline.journal.tenants.sealing import Sealing

_BATCH, _START = "batch", "start"


class SealedBatches:
    """Between batches and their texts; all methods raise as those of `Sealing`."""

    def __init__(self, sealing: Sealing) -> None:
        self._sealing = sealing

    async def stored(self, batch: StoredBatch) -> str:
        """The text that stores the batch."""
        text = batch.model_dump_json(exclude_defaults=True)
        return await self._sealing.seal(batch.tenant, text, _BATCH, batch.batch_id)

    async def starts(self, batch_id: str, runs: Sequence[RunInput]) -> list[StartRow]:
        """The rows of these starts."""
        return [
            row._replace(data=await self._sealing.seal(run.tenant, row.data, _START, row.run_id))
            for row, run in zip(start_rows(batch_id, runs), runs, strict=True)
        ]

    async def batch(self, batch_id: str, text: str) -> StoredBatch:
        """The batch of that text."""
        opened = await self._sealing.open(text, _BATCH, batch_id)
        return StoredBatch.model_validate_json(opened)

    async def rows(self, found: Iterable[tuple[str, int, str]]) -> list[BatchRow]:
        """The rows of a list: ids, times, and the texts."""
        return [
            BatchRow.of(batch_id, created_us, await self._sealing.open(text, _BATCH, batch_id))
            for batch_id, created_us, text in found
        ]

    async def pending(
        self, found: Iterable[tuple[str, str]], batch: StoredBatch
    ) -> list[PendingStart]:
        """The starts of these ids and texts."""
        return [
            load_start(await self._sealing.open(text, _START, run_id), batch)
            for run_id, text in found
        ]


def listed(
    table: str, tenant: Tenant, limit: int, before: BatchPlace | None
) -> tuple[str, tuple[object, ...]]:
    """The query of batches, newest first: its text, where `?` stands for an argument, and those."""
    where, theirs = of_tenant(tenant)
    older, place = after(before, "batch_id")
    query = (
        f"SELECT batch_id, created_us, data FROM {table} WHERE {where} AND {older} "  # noqa: S608  constants only
        "ORDER BY created_us DESC, batch_id DESC LIMIT ?"
    )
    return query, (*theirs, *place, limit)
