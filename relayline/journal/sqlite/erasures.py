"""Erasures on the SQLite journal."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Collection, Sequence
from functools import partial
from pathlib import Path

from relayline.contracts.envelope import moment
from relayline.journal.columns import indexed
from relayline.journal.erasures import Erasure
from relayline.journal.files.file_port import Files
from relayline.journal.port import RunOpen
from relayline.journal.rows import now_us
from relayline.journal.sqlite import held
from relayline.journal.sqlite.beats import forget_told
from relayline.journal.sqlite.reader import Reader
from relayline.journal.sqlite.run_rows import bring_up_to_date, forget
from relayline.journal.sqlite.tombstones import digest_of, erased_tenant
from relayline.journal.sqlite.writer import Writer
from relayline.journal.table import Tenant, may_see
from relayline.journal.tenants.known_rows import KnownRows
from relayline.journal.tenants.vault import Vault
from relayline.projections.row import RunRow

_BATCH = 200
"""Events deleted in one transaction, so that others can write in between."""
_EVENTS = """
DELETE FROM events WHERE run_id = ?1 AND seq < ?2 + (
    SELECT min(seq) FROM events WHERE run_id = ?1)
"""
_EXPIRED = """
SELECT run_id FROM run_rows WHERE expires_us IS NOT NULL AND expires_us <= ?
ORDER BY expires_us LIMIT ?
"""
_UNFINISHED = "SELECT run_id, begun_us FROM erasures ORDER BY checked_us, id LIMIT ?"
_BEGIN = "INSERT OR IGNORE INTO erasures (run_id, begun_us) VALUES (?, ?)"


_OF_TENANT = "SELECT run_id, state FROM run_rows WHERE tenant = ? LIMIT ?"
REST = (
    """DELETE FROM run_labels WHERE (key, value, created_us, run_id) IN (
    SELECT key, value, created_us, run_id FROM run_labels WHERE tenant = ? LIMIT 200)""",
    """DELETE FROM run_words WHERE (word, created_us, run_id) IN (
    SELECT word, created_us, run_id FROM run_words WHERE tenant = ? LIMIT 200)""",
    """DELETE FROM run_starts WHERE run_id IN (
    SELECT s.run_id FROM run_starts s JOIN batches b USING (batch_id)
    WHERE b.tenant = ? LIMIT 200)""",
    """DELETE FROM batches WHERE batch_id IN (
    SELECT batch_id FROM batches WHERE tenant = ? LIMIT 20)""",
    """DELETE FROM webhooks WHERE webhook_id IN (
    SELECT webhook_id FROM webhooks WHERE tenant = ? AND named_only = 1 LIMIT 200)""",
)
"""What a tenant has besides its runs, a few at a time."""
_OF_RUN = ("fences", "untold", "deliveries", "webhook_runs", "run_starts", "runs")
"""Tables that have something of a run, besides its events and its row."""


class SqliteErasures:
    """`journal.erasures.Erasures` on the threads of the journal."""

    _path: Path
    _reader: Reader
    _writer: Writer
    _vault: Vault
    _known: KnownRows
    files: Files

    async def erase(self, tenant: Tenant, run_id: str) -> str | None:
        """As in the port."""
        of = await self._vault.retry(
            lambda: self._writer.submit(
                lambda db: _begin(db, tenant, run_id, self._known), synced=True
            )
        )
        if of is None:
            return None
        await self._delete_rest(run_id)
        return of

    async def _delete_rest(self, run_id: str) -> None:
        while await self._writer.submit(lambda db: _delete_events(db, run_id), synced=False):
            pass
        await asyncio.to_thread(forget_told, self._path, run_id)
        await self.files.forget_run(run_id)

    async def erase_runs(self, tenant: str, limit: int) -> int:
        """As in the port."""
        asked = (indexed(tenant), limit)
        found = await self._reader.run(lambda db: db.execute(_OF_TENANT, asked).fetchall())
        for run_id, state in found:
            row = self._known.row_to_forget(tenant, run_id, state)
            await self._writer.submit(partial(_bury, row=row, known=self._known), synced=True)
            await self._delete_rest(run_id)
        if len(found) < limit:
            for statement in REST:
                delete = partial(_delete_some, statement=statement, tenant=asked[0])
                while await self._writer.submit(delete, synced=False):
                    pass
            await self.files.forget_tenant(tenant)
        return len(found)

    async def expired(self, limit: int) -> Sequence[str]:
        """As in the port."""
        asked = (now_us(), limit)
        found = await self._reader.run(lambda db: db.execute(_EXPIRED, asked).fetchall())
        return [run_id for (run_id,) in found]

    async def unfinished(self, limit: int) -> Sequence[Erasure]:
        """As in the port."""
        found = await self._reader.run(lambda db: db.execute(_UNFINISHED, (limit,)).fetchall())
        return [Erasure(run_id, moment(begun_us)) for run_id, begun_us in found]

    async def settle(self, done: Collection[str], others: Collection[str] = ()) -> None:
        """As in the port."""

        def work(db: sqlite3.Connection) -> None:
            db.executemany("DELETE FROM erasures WHERE run_id = ?", [(it,) for it in done])
            looked_at = [(now_us(), run_id) for run_id in others]
            db.executemany("UPDATE erasures SET checked_us = ? WHERE run_id = ?", looked_at)

        await self._writer.submit(work, synced=True)


def _begin(db: sqlite3.Connection, tenant: Tenant, run_id: str, known: KnownRows) -> str | None:
    """Write the tombstone and delete all but the events, which nobody can reach any more.

    Returns the tenant of the run; None if nothing of it may be deleted.
    """
    header = db.execute("SELECT ended_at_us FROM runs WHERE run_id = ?", (run_id,)).fetchone()
    if header is None:
        of = erased_tenant(db, run_id)
        if of is None or not may_see(tenant, of):
            return None
        db.execute(_BEGIN, (run_id, now_us()))
        return of
    bring_up_to_date(db, run_id, known)
    stored = db.execute("SELECT state FROM run_rows WHERE run_id = ?", (run_id,)).fetchone()
    row = known.row(run_id, stored[0]) if stored else RunRow(run_id=run_id)
    if not may_see(tenant, row.tenant):
        return None
    if header[0] is None:
        raise RunOpen(run_id)
    _bury(db, row, known)
    return row.tenant


def _bury(db: sqlite3.Connection, row: RunRow, known: KnownRows) -> None:
    run_id = row.run_id
    tombstone = (digest_of(db, run_id), row.tenant, now_us())
    db.execute("INSERT OR IGNORE INTO erased (digest, tenant, at_us) VALUES (?, ?, ?)", tombstone)
    db.execute(_BEGIN, (run_id, now_us()))
    forget(db, row, known)
    held.forget(db, run_id)
    for table in _OF_RUN:
        db.execute(f"DELETE FROM {table} WHERE run_id = ?", (run_id,))  # noqa: S608  as above


def _delete_some(db: sqlite3.Connection, statement: str, tenant: str) -> bool:
    """Delete a few rows of the tenant; True if there were any."""
    return db.execute(statement, (tenant,)).rowcount > 0


def _delete_events(db: sqlite3.Connection, run_id: str) -> bool:
    """Delete a few of the run's events; True if there were any."""
    return db.execute(_EVENTS, (run_id, _BATCH)).rowcount > 0
