"""Batches and pending starts in the Postgres journal."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from asyncpg import Record

from relayline.contracts.envelope import microseconds
from relayline.contracts.runs import RunInput
from relayline.contracts.submissions.batches import StoredBatch
from relayline.journal.batches import BatchPlace, BatchRow, PendingStart, StartRow
from relayline.journal.postgres.table import numbered
from relayline.journal.table import EVERY, Tenant, may_see
from relayline.journal.tenants.sealed_batches import SealedBatches, listed

if TYPE_CHECKING:
    from relayline.journal.postgres.database import Connection
    from relayline.journal.tenants.sealing import Sealing

T = TypeVar("T")
_STORE = """
INSERT INTO relayline.batches (batch_id, tenant, created_us, data) VALUES ($1, $2, $3, $4)
ON CONFLICT DO NOTHING RETURNING true
"""
_STORE_STARTS = """
INSERT INTO relayline.run_starts (run_id, batch_id, position, data)
SELECT * FROM unnest($1::text[], $2::text[], $3::integer[], $4::text[])
"""
_BATCH = "SELECT data FROM relayline.batches WHERE batch_id = $1"
_PENDING = """
SELECT s.run_id, s.data, b.batch_id,
    CASE WHEN row_number() OVER (ORDER BY s.position) = 1 THEN b.data END AS batch
FROM relayline.run_starts s, relayline.batches b
WHERE s.batch_id = $1 AND b.batch_id = $1 ORDER BY s.position LIMIT $2
"""
"""The batch, which may be large, comes with its first start alone."""
_ONE = """
SELECT s.run_id, s.data, b.batch_id, b.data AS batch FROM relayline.run_starts s
JOIN relayline.batches b ON b.batch_id = s.batch_id WHERE s.run_id = $1
"""
_FORGET = "DELETE FROM relayline.run_starts WHERE run_id = ANY ($1)"
_TO_START = """
SELECT batch_id FROM relayline.batches WHERE created_us < $1
AND batch_id IN (SELECT batch_id FROM relayline.run_starts) ORDER BY created_us LIMIT $2
"""


class PostgresBatches(ABC):
    """`journal.batches.Batches` on the connections of the journal."""

    _sealing: Sealing

    @abstractmethod
    async def _fetch(self, tenant: Tenant, query: str, *arguments: object) -> list[Record]:
        """The rows of an idempotent statement, which is retried after transient errors."""

    @abstractmethod
    async def _transact(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Do idempotent work in a transaction, which is retried after transient errors."""

    async def store_batch(self, batch: StoredBatch, runs: Sequence[RunInput]) -> bool:
        """As in the port.

        If the connection breaks as Postgres commits, the retry finds the batch: then this very
        batch counts as new.
        """
        sealed = SealedBatches(self._sealing)
        stored, rows = await sealed.stored(batch), await sealed.starts(batch.batch_id, runs)
        if await self._transact(partial(_store, batch=batch, stored=stored, rows=rows)):
            return True
        return await self.find_batch(EVERY, batch.batch_id) == batch

    async def find_batch(self, tenant: Tenant, batch_id: str) -> StoredBatch | None:
        """As in the port."""
        found = await self._fetch(tenant, _BATCH, batch_id)
        sealed = SealedBatches(self._sealing)
        batch = await sealed.batch(batch_id, found[0][0]) if found else None
        return batch if batch and may_see(tenant, batch.tenant) else None

    async def batches(
        self, tenant: Tenant, limit: int, before: BatchPlace | None = None
    ) -> Sequence[BatchRow]:
        """As in the port."""
        query, arguments = listed("relayline.batches", tenant, limit, before)
        found = await self._fetch(tenant, numbered(query), *arguments)
        return await SealedBatches(self._sealing).rows((row[0], row[1], row[2]) for row in found)

    async def pending_starts(
        self, tenant: Tenant, batch_id: str, limit: int
    ) -> Sequence[PendingStart]:
        """As in the port."""
        return await self._loaded(tenant, await self._fetch(tenant, _PENDING, batch_id, limit))

    async def pending_start(self, tenant: Tenant, run_id: str) -> PendingStart | None:
        """As in the port."""
        found = await self._loaded(tenant, await self._fetch(tenant, _ONE, run_id))
        return found[0] if found else None

    async def _loaded(self, tenant: Tenant, records: Sequence[Record]) -> list[PendingStart]:
        """The starts with the batch of the first; none if it is another tenant's."""
        if not records:
            return []
        sealed = SealedBatches(self._sealing)
        batch = await sealed.batch(records[0]["batch_id"], records[0]["batch"])
        if not may_see(tenant, batch.tenant):
            return []
        return await sealed.pending([(it["run_id"], it["data"]) for it in records], batch)

    async def forget_starts(self, run_ids: Collection[str]) -> None:
        """As in the port."""
        await self._fetch(EVERY, _FORGET, [*run_ids])

    async def batches_to_start(self, before: datetime, limit: int) -> Sequence[str]:
        """As in the port."""
        found = await self._fetch(EVERY, _TO_START, microseconds(before), limit)
        return [batch_id for (batch_id,) in found]


async def _store(
    connection: Connection, batch: StoredBatch, stored: str, rows: Sequence[StartRow]
) -> bool:
    at_us = microseconds(batch.created_at)
    if not await connection.fetch(_STORE, batch.batch_id, batch.tenant, at_us, stored):
        return False
    if rows:
        await connection.execute(_STORE_STARTS, *map(list, zip(*rows, strict=True)))
    return True
