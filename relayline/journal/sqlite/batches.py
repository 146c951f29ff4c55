"""Batches and pending starts in the SQLite journal."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from relayline.contracts.envelope import microseconds
from relayline.contracts.runs import RunInput
from relayline.contracts.submissions.batches import StoredBatch
from relayline.journal.batches import BatchPlace, BatchRow, PendingStart, StartRow
from relayline.journal.table import Tenant, may_see
from relayline.journal.tenants.sealed_batches import SealedBatches, listed

if TYPE_CHECKING:
    from relayline.journal.sqlite.reader import Reader
    from relayline.journal.sqlite.writer import Writer
    from relayline.journal.tenants.sealing import Sealing

BATCHES = (
    """
    CREATE TABLE IF NOT EXISTS batches (
        batch_id TEXT PRIMARY KEY,
        tenant TEXT NOT NULL,
        created_us INTEGER NOT NULL,
        data TEXT NOT NULL
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE IF NOT EXISTS run_starts (
        run_id TEXT PRIMARY KEY,
        batch_id TEXT NOT NULL,
        position INTEGER NOT NULL,
        data TEXT NOT NULL
    )
    """,
    "CREATE INDEX IF NOT EXISTS run_starts_by_batch ON run_starts (batch_id, position)",
    "CREATE INDEX IF NOT EXISTS batches_listed ON batches (tenant, created_us, batch_id)",
    "CREATE INDEX IF NOT EXISTS batches_by_time ON batches (created_us, batch_id)",
)
"""Older files get them on opening, and older versions ignore them. `run_starts` has what is about
to start, so whatever scans it is quick."""
_STORE = "INSERT OR IGNORE INTO batches (batch_id, tenant, created_us, data) VALUES (?, ?, ?, ?)"
_STORE_START = "INSERT INTO run_starts (run_id, batch_id, position, data) VALUES (?, ?, ?, ?)"
_PENDING = "SELECT run_id, data FROM run_starts WHERE batch_id = ? ORDER BY position LIMIT ?"
_TO_START = """
SELECT batch_id FROM batches WHERE created_us < ?
AND batch_id IN (SELECT batch_id FROM run_starts) ORDER BY created_us LIMIT ?
"""


class SqliteBatches:
    """`journal.batches.Batches` on the threads of the journal."""

    _reader: Reader
    _writer: Writer
    _sealing: Sealing

    async def store_batch(self, batch: StoredBatch, runs: Sequence[RunInput]) -> bool:
        """As in the port; on the disk when it returns."""
        sealed = SealedBatches(self._sealing)
        at_us, stored = microseconds(batch.created_at), await sealed.stored(batch)
        columns = (batch.batch_id, batch.tenant, at_us, stored)
        rows = await sealed.starts(batch.batch_id, runs)
        return await self._writer.submit(lambda db: _store(db, columns, rows), synced=True)

    async def find_batch(self, tenant: Tenant, batch_id: str) -> StoredBatch | None:
        """As in the port."""
        text = await self._reader.run(lambda db: _batch(db, batch_id))
        found = await SealedBatches(self._sealing).batch(batch_id, text) if text else None
        return found if found and may_see(tenant, found.tenant) else None

    async def batches(
        self, tenant: Tenant, limit: int, before: BatchPlace | None = None
    ) -> Sequence[BatchRow]:
        """As in the port."""
        query = listed("batches", tenant, limit, before)
        found = await self._reader.run(lambda db: db.execute(*query).fetchall())
        return await SealedBatches(self._sealing).rows(found)

    async def pending_starts(
        self, tenant: Tenant, batch_id: str, limit: int
    ) -> Sequence[PendingStart]:
        """As in the port."""

        def read(db: sqlite3.Connection) -> tuple[list[tuple[str, str]], str | None]:
            rows = db.execute(_PENDING, (batch_id, limit)).fetchall()
            return rows, _batch(db, batch_id) if rows else None

        rows, text = await self._reader.run(read)
        return await self._pending(tenant, batch_id, rows, text)

    async def pending_start(self, tenant: Tenant, run_id: str) -> PendingStart | None:
        """As in the port."""

        def read(db: sqlite3.Connection) -> tuple[str, str, str | None] | None:
            found = db.execute(
                "SELECT batch_id, data FROM run_starts WHERE run_id = ?", (run_id,)
            ).fetchone()
            return (*found, _batch(db, found[0])) if found else None

        if (found := await self._reader.run(read)) is None:
            return None
        batch_id, data, text = found
        pending = await self._pending(tenant, batch_id, [(run_id, data)], text)
        return pending[0] if pending else None

    async def _pending(
        self, tenant: Tenant, batch_id: str, rows: Sequence[tuple[str, str]], text: str | None
    ) -> list[PendingStart]:
        """The starts of a batch with that text; none if it is another tenant's."""
        sealed = SealedBatches(self._sealing)
        batch = await sealed.batch(batch_id, text) if text else None
        if batch is None or not may_see(tenant, batch.tenant):
            return []
        return await sealed.pending(rows, batch)

    async def forget_starts(self, run_ids: Collection[str]) -> None:
        """As in the port."""
        rows = [(run_id,) for run_id in run_ids]

        def work(db: sqlite3.Connection) -> None:
            db.executemany("DELETE FROM run_starts WHERE run_id = ?", rows)

        await self._writer.submit(work, synced=False)

    async def batches_to_start(self, before: datetime, limit: int) -> Sequence[str]:
        """As in the port."""
        arguments = (microseconds(before), limit)
        return await self._reader.run(
            lambda db: [batch_id for (batch_id,) in db.execute(_TO_START, arguments)]
        )


def _store(
    db: sqlite3.Connection, columns: tuple[str, str, int, str], rows: Sequence[StartRow]
) -> bool:
    if not db.execute(_STORE, columns).rowcount:
        return False
    db.executemany(_STORE_START, rows)
    return True


def _batch(db: sqlite3.Connection, batch_id: str) -> str | None:
    """The text that stores the batch."""
    found = db.execute("SELECT data FROM batches WHERE batch_id = ?", (batch_id,)).fetchone()
    return found[0] if found else None
