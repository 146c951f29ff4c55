"""The SQL of the SQLite journal: functions that use one connection in one transaction."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from typing import Any, NamedTuple

from relayline.contracts.envelope import StoredEvent
from relayline.contracts.events import TERMINAL_TYPES
from relayline.journal.columns import changes_row
from relayline.journal.port import (
    Appended,
    CursorExpired,
    Fence,
    Head,
    RunEnded,
    RunErased,
    StaleAttempt,
)
from relayline.journal.rows import NewRow, now_us
from relayline.journal.sqlite import held
from relayline.journal.sqlite.run_rows import bring_up_to_date, fold_in
from relayline.journal.sqlite.tombstones import erased_tenant
from relayline.journal.subscription import Page, oldest_wanted
from relayline.journal.tenants.known_rows import KnownRows
from relayline.projections.selection import MAX_SEQ, Selection
from relayline.projections.valid import DELTAS, REWOUND

_PAGE = """
SELECT run_id, seq, at_us, type, step, attempt, key, data FROM events
WHERE run_id = ? AND seq > ? ORDER BY seq LIMIT ?
"""
_FACTS = """
SELECT run_id, seq, at_us, type, step, attempt, key, data FROM events INDEXED BY facts_by_seq
WHERE run_id = ? AND seq > ? AND key IS NOT NULL ORDER BY seq LIMIT ?
"""
_SELECTED = f"""
SELECT run_id, seq, at_us, type, step, attempt, key, data FROM events
WHERE run_id = ? AND seq > ? AND seq < ?
AND (seq > ? OR type NOT IN ({", ".join(f"'{it}'" for it in sorted(DELTAS))}))
AND (? OR type IN (SELECT value FROM json_each(?))) ORDER BY seq LIMIT ?
"""  # noqa: S608  constants only
_NEWEST_SELECTED = _SELECTED.replace("ORDER BY seq", "ORDER BY seq DESC")
_FACT = """
SELECT run_id, seq, at_us, type, step, attempt, key, data FROM events
WHERE run_id = ?1 AND key = ?2 AND EXISTS (SELECT 1 FROM runs WHERE run_id = ?1)
"""
_NEWER = """
SELECT id, run_id, seq, at_us, type, step, attempt, key, data FROM events
WHERE id > ? ORDER BY id LIMIT ?
"""
INSERT = """
INSERT INTO events (run_id, seq, at_us, type, step, attempt, key, data)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""
ADVANCE = """
INSERT INTO runs (run_id, first_seq, last_seq, last_at_us, ended_at_us) VALUES (?, 1, ?, ?, ?)
ON CONFLICT (run_id) DO UPDATE SET last_seq = excluded.last_seq,
    last_at_us = excluded.last_at_us, ended_at_us = excluded.ended_at_us
"""
RAISE_FENCE = """
INSERT INTO fences (run_id, scope, attempt) VALUES (?, ?, ?)
ON CONFLICT (run_id, scope) DO UPDATE SET attempt = excluded.attempt
"""
_TO_SWEEP = """
SELECT run_id, first_seq, last_seq FROM runs
WHERE ended_at_us IS NOT NULL AND first_seq <= last_seq AND ended_at_us < ? AND NOT (
    EXISTS (SELECT 1 FROM untold u WHERE u.run_id = runs.run_id) OR EXISTS (
        SELECT 1 FROM deliveries d WHERE d.run_id = runs.run_id AND d.state = 'pending')
) ORDER BY ended_at_us LIMIT 1
"""
"""Runs of which receivers must still be told are left out."""
_OPEN = """
SELECT run_id, last_at_us FROM runs INDEXED BY runs_open
WHERE ended_at_us IS NULL AND run_id > ? AND last_at_us < ? ORDER BY run_id LIMIT ?
"""
_SWEEP_BATCH = 200


def append(
    db: sqlite3.Connection,
    known: KnownRows,
    run_id: str,
    rows: Sequence[NewRow],
    fence: Fence | None,
) -> list[Appended]:
    """`Journal.append`; checks everything before it writes anything."""
    raised = fence is not None and _is_raised(db, run_id, fence)
    header = db.execute(
        "SELECT first_seq, last_seq, last_at_us, ended_at_us FROM runs WHERE run_id = ?", (run_id,)
    ).fetchone()
    if header is None and erased_tenant(db, run_id) is not None:
        raise RunErased(run_id)
    first_seq, last_seq, last_at_us, ended_at_us = header or (1, 0, 0, None)
    placed = _place(db, run_id, rows, last_seq, ended=ended_at_us is not None)
    new = [(row, place.seq) for row, place in zip(rows, placed, strict=True) if place.new]
    if fence is not None and raised:
        db.execute(RAISE_FENCE, (run_id, fence.scope, fence.attempt))
    if fence is not None:
        held.hold(db, run_id, fence)
    if new:
        at_us = max(now_us(), last_at_us)
        last_row, seq = new[-1]
        facts = [
            StoredEvent(run_id, its_seq, at_us, *row)
            for row, its_seq in new
            if changes_row(row.type, row.key)
        ]
        is_folded = not facts or fold_in(db, known, facts, (first_seq, seq))
        db.executemany(INSERT, [(run_id, seq, at_us, *row) for row, seq in new])
        db.execute(
            ADVANCE, (run_id, seq, at_us, at_us if last_row.type in TERMINAL_TYPES else None)
        )
        if not is_folded:
            bring_up_to_date(db, run_id, known)
    return placed


def _is_raised(db: sqlite3.Connection, run_id: str, fence: Fence) -> bool:
    """True if the append raises the fence, False if the fence is already there."""
    found = _fence(db, run_id, fence.scope)
    if found and found[0] > fence.attempt:
        raise StaleAttempt(run_id, fence, found[0])
    return not found or found[0] < fence.attempt


def _fence(db: sqlite3.Connection, run_id: str, scope: str) -> tuple[int] | None:
    found: tuple[int] | None = db.execute(
        "SELECT attempt FROM fences WHERE run_id = ? AND scope = ?", (run_id, scope)
    ).fetchone()
    return found


def fenced(db: sqlite3.Connection, run_id: str, scope: str) -> int:
    """`Journal.fenced`."""
    found = _fence(db, run_id, scope)
    return found[0] if found else 0


def _place(
    db: sqlite3.Connection, run_id: str, rows: Sequence[NewRow], last_seq: int, *, ended: bool
) -> list[Appended]:
    """The place of each row; a key that exists keeps its place."""
    placed: list[Appended] = []
    by_key: dict[str, int] = {}
    for row in rows:
        known = _seq_of(db, run_id, row.key, by_key)
        if known is not None:
            placed.append(Appended(known, new=False))
            continue
        if ended and row.type != REWOUND:
            raise RunEnded(f"run {run_id!r} has ended: {row.type!r} was not written")
        last_seq += 1
        placed.append(Appended(last_seq, new=True))
        if row.key is not None:
            by_key[row.key] = last_seq
        ended = row.type in TERMINAL_TYPES
    return placed


def _seq_of(
    db: sqlite3.Connection, run_id: str, key: str | None, by_key: dict[str, int]
) -> int | None:
    if key is None:
        return None
    if key in by_key:
        return by_key[key]
    found = db.execute(
        "SELECT seq FROM events WHERE run_id = ? AND key = ?", (run_id, key)
    ).fetchone()
    return int(found[0]) if found else None


class Wanted(NamedTuple):
    """What `page` reads; the fields are those of `Journal.read`."""

    after: int
    limit: int
    max_bytes: int | None = None
    facts: bool = False
    selection: Selection | None = None

    def statement(self, run_id: str) -> tuple[str, tuple[object, ...]]:
        """The query and its arguments."""
        if self.selection is None:
            return (_FACTS if self.facts else _PAGE), (run_id, self.after, self.limit)
        types, deltas_after, before = self.selection
        query = _SELECTED if before == MAX_SEQ else _NEWEST_SELECTED
        listed = json.dumps(sorted(types))
        return query, (run_id, self.after, before, deltas_after, not types, listed, self.limit)


def page(db: sqlite3.Connection, run_id: str, wanted: Wanted) -> Page:
    """`Journal.read` in one snapshot with the run's head."""
    after, max_bytes = wanted.after, wanted.max_bytes
    db.execute("BEGIN")
    try:
        run = _bounds(db, run_id)
        with closing(db.execute(*wanted.statement(run_id))) as found:
            rows = found.fetchall() if max_bytes is None else _fitting(found, max_bytes)
    finally:
        db.execute("ROLLBACK")
    if run is None:  # unknown, or events that an erasure will delete
        return Page([], ended=False, last_seq=0)
    if oldest_wanted(after, wanted.selection) < run.first_seq:
        raise CursorExpired(run.first_seq)
    step = -1 if rows and rows[-1][1] < rows[0][1] else 1  # the newest may come first
    events = [StoredEvent._make(row) for row in rows[::step]]
    reached = events[-1].seq if events else after
    return Page(events, run.ended and reached >= run.last_seq, run.last_seq)


def _fitting(found: sqlite3.Cursor, max_bytes: int) -> list[tuple[Any, ...]]:
    """The first rows whose data fit into `max_bytes` together, but at least one."""
    rows: list[tuple[Any, ...]] = []
    for row in found:
        max_bytes -= len(row[-1].encode())
        if rows and max_bytes < 0:
            break
        rows.append(row)
    return rows


def fact(db: sqlite3.Connection, run_id: str, key: str) -> StoredEvent | None:
    """`Journal.get`."""
    row = db.execute(_FACT, (run_id, key)).fetchone()
    return StoredEvent._make(row) if row else None


def head(db: sqlite3.Connection, run_id: str) -> Head | None:
    """`Journal.head`."""
    bounds = _bounds(db, run_id)
    if bounds is None and (tenant := erased_tenant(db, run_id)) is not None:
        raise RunErased(run_id, tenant)
    return bounds


def _bounds(db: sqlite3.Connection, run_id: str) -> Head | None:
    row = db.execute(
        "SELECT first_seq, last_seq, ended_at_us IS NOT NULL FROM runs WHERE run_id = ?", (run_id,)
    ).fetchone()
    return Head(row[0], row[1], bool(row[2])) if row else None


def open_runs(
    db: sqlite3.Connection, before_us: int, after: str, limit: int
) -> list[tuple[str, int]]:
    """`Journal.open_runs`: ids with the time of their newest event, in microseconds."""
    return db.execute(_OPEN, (after, before_us, limit)).fetchall()


def data_version(db: sqlite3.Connection) -> int:
    """A number that changes whenever another connection commits."""
    return int(db.execute("PRAGMA data_version").fetchone()[0])


def last_id(db: sqlite3.Connection) -> int:
    """The position of the newest event in the commit order of all runs."""
    return int(db.execute("SELECT coalesce(max(id), 0) FROM events").fetchone()[0])


def newer(db: sqlite3.Connection, after_id: int, limit: int) -> tuple[int, list[StoredEvent]]:
    """The position of the last one, and the next events of all runs in commit order."""
    rows = db.execute(_NEWER, (after_id, limit)).fetchall()
    return (rows[-1][0] if rows else after_id), [StoredEvent._make(row[1:]) for row in rows]


class Swept(NamedTuple):
    """The result of one step of a sweep."""

    more: bool
    """False if nothing was left to delete."""
    finished: bool
    """True if this step deleted the last events of a run."""


def sweep_step(db: sqlite3.Connection, before_us: int) -> Swept:
    """Delete a few of the oldest events of one run that ended before, to not block writers."""
    row = db.execute(_TO_SWEEP, (before_us,)).fetchone()
    if row is None:
        return Swept(more=False, finished=False)
    run_id, first_seq, last_seq = row
    kept_from = min(first_seq + _SWEEP_BATCH, last_seq + 1)
    db.execute("DELETE FROM events WHERE run_id = ? AND seq < ?", (run_id, kept_from))
    db.execute("UPDATE runs SET first_seq = ? WHERE run_id = ?", (kept_from, run_id))
    finished = kept_from > last_seq
    if finished:
        for table in ("fences", "deliveries", "webhook_runs"):
            db.execute(f"DELETE FROM {table} WHERE run_id = ?", (run_id,))  # noqa: S608  constants only
        held.forget(db, run_id)
    return Swept(more=True, finished=finished)


def touch(db: sqlite3.Connection) -> None:
    """Rewrite one page without a change, to check that the storage is writable."""
    version = db.execute("PRAGMA user_version").fetchone()[0]
    db.execute(f"PRAGMA user_version = {version}")
