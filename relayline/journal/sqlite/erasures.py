"""Erasures on the SQLite journal."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Collection, Sequence
from pathlib import Path

from relayline.contracts.envelope import moment
from relayline.journal.columns import KnownRows
from relayline.journal.erasures import Erasure
from relayline.journal.port import RunOpen
from relayline.journal.rows import now_us
from relayline.journal.sqlite import held
from relayline.journal.sqlite.beats import forget_told
from relayline.journal.sqlite.reader import Reader
from relayline.journal.sqlite.run_rows import bring_up_to_date, forget
from relayline.journal.sqlite.tombstones import digest_of, erased_tenant
from relayline.journal.sqlite.writer import Writer
from relayline.journal.table import Tenant, may_see
from relayline.projections.row import RunRow, load_row

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


_OF_RUN = ("fences", "untold", "deliveries", "run_starts", "runs")
"""Tables that have something of a run, besides its events and its row."""


class SqliteErasures:
    """`journal.erasures.Erasures` on the threads of the journal."""

    _path: Path
    _reader: Reader
    _writer: Writer

    async def erase(self, tenant: Tenant, run_id: str) -> str | None:
        """As in the port."""
        of = await self._writer.submit(lambda db: _begin(db, tenant, run_id), synced=True)
        if of is None:
            return None
        while await self._writer.submit(lambda db: _delete_events(db, run_id), synced=False):
            pass
        await asyncio.to_thread(forget_told, self._path, run_id)
        return of

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


def _begin(db: sqlite3.Connection, tenant: Tenant, run_id: str) -> str | None:
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
    bring_up_to_date(db, run_id, KnownRows())
    stored = db.execute("SELECT state FROM run_rows WHERE run_id = ?", (run_id,)).fetchone()
    row = load_row(stored[0]) if stored else RunRow(run_id=run_id)
    if not may_see(tenant, row.tenant):
        return None
    if header[0] is None:
        raise RunOpen(run_id)
    tombstone = (digest_of(db, run_id), row.tenant, now_us())
    db.execute("INSERT OR IGNORE INTO erased (digest, tenant, at_us) VALUES (?, ?, ?)", tombstone)
    db.execute(_BEGIN, (run_id, now_us()))
    forget(db, row)
    held.forget(db, run_id)
    for table in _OF_RUN:
        db.execute(f"DELETE FROM {table} WHERE run_id = ?", (run_id,))  # noqa: S608  as above
    return row.tenant


def _delete_events(db: sqlite3.Connection, run_id: str) -> bool:
    """Delete a few of the run's events; True if there were any."""
    return db.execute(_EVENTS, (run_id, _BATCH)).rowcount > 0
