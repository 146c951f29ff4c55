"""The runs table of the SQLite journal: its schema, and how rows follow the facts.

Everything here is additive, so that older versions continue to work with the file. A trigger notes
the runs whose rows are behind, whichever version appends; the append of a newer one brings the row
up to date in the same transaction, and a reader does so for what older ones have left.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

from relayline.contracts.envelope import StoredEvent
from relayline.contracts.runs import TERMINAL
from relayline.journal.columns import Folded, columns_of, entries, entry_of, folded, rewinds
from relayline.projections.row import ROW_TYPES, RunRow, dump_row

_TYPES = ", ".join(f"'{kind}'" for kind in sorted(ROW_TYPES))
_ENDED = ", ".join(f"'{status}'" for status in sorted(TERMINAL))
SCHEMA = """
CREATE TABLE IF NOT EXISTS run_rows (
    run_id TEXT PRIMARY KEY,
    folded_seq INTEGER NOT NULL,
    created_us INTEGER NOT NULL,
    tenant TEXT NOT NULL,
    status TEXT NOT NULL,
    agent TEXT,
    model TEXT,
    batch TEXT,
    parent TEXT,
    forked_from TEXT,
    words TEXT NOT NULL,
    attention TEXT,
    attention_at_us INTEGER,
    state TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS rows_by_time ON run_rows (created_us, run_id);
CREATE INDEX IF NOT EXISTS rows_by_tenant ON run_rows (tenant, created_us, run_id);
CREATE INDEX IF NOT EXISTS rows_by_status ON run_rows (status, created_us, run_id);
CREATE INDEX IF NOT EXISTS rows_by_tenant_status ON run_rows (tenant, status, created_us, run_id);
CREATE INDEX IF NOT EXISTS rows_by_agent ON run_rows (agent, created_us, run_id);
CREATE INDEX IF NOT EXISTS rows_by_model ON run_rows (model, created_us, run_id);
CREATE INDEX IF NOT EXISTS rows_by_batch ON run_rows (batch, created_us, run_id)
    WHERE batch IS NOT NULL;
CREATE INDEX IF NOT EXISTS rows_by_parent ON run_rows (parent, created_us, run_id)
    WHERE parent IS NOT NULL;
CREATE INDEX IF NOT EXISTS rows_by_fork ON run_rows (forked_from, created_us, run_id)
    WHERE forked_from IS NOT NULL;
CREATE INDEX IF NOT EXISTS rows_by_attention ON run_rows (created_us, run_id)
    WHERE attention IS NOT NULL;
CREATE INDEX IF NOT EXISTS rows_by_note ON run_rows (attention_at_us)
    WHERE attention_at_us IS NOT NULL;
CREATE TABLE IF NOT EXISTS run_labels (
    tenant TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    created_us INTEGER NOT NULL,
    run_id TEXT NOT NULL,
    PRIMARY KEY (key, value, created_us, run_id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS run_words (
    tenant TEXT NOT NULL,
    word TEXT NOT NULL,
    created_us INTEGER NOT NULL,
    run_id TEXT NOT NULL,
    PRIMARY KEY (word, created_us, run_id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS stale_rows (run_id TEXT PRIMARY KEY) WITHOUT ROWID;
INSERT INTO stale_rows (run_id) SELECT run_id FROM runs
"""
_TRIGGER = f"""
CREATE TRIGGER IF NOT EXISTS rows_go_stale AFTER INSERT ON events
WHEN new.key IS NOT NULL AND new.type IN ({_TYPES}) AND NOT EXISTS (
    SELECT 1 FROM run_rows WHERE run_id = new.run_id AND folded_seq >= new.seq
) BEGIN INSERT OR IGNORE INTO stale_rows (run_id) VALUES (new.run_id); END
"""  # noqa: S608  constants only
_FACTS = f"""
SELECT run_id, seq, at_us, type, step, attempt, key, data FROM events INDEXED BY facts_by_seq
WHERE run_id = ? AND seq > ? AND key IS NOT NULL AND type IN ({_TYPES}) ORDER BY seq
"""  # noqa: S608  constants only
_STORED = """
SELECT state, EXISTS (SELECT 1 FROM stale_rows WHERE run_id = ?1)
FROM (SELECT ?1) LEFT JOIN run_rows ON run_id = ?1
"""
_INSERT = """
INSERT INTO run_rows (run_id, folded_seq, state, words, created_us, tenant, status, agent, model,
    batch, parent, forked_from)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_UPDATE = "UPDATE run_rows SET folded_seq = ?2, state = ?3 WHERE run_id = ?1"
_SWITCH = "UPDATE run_rows SET folded_seq = ?2, state = ?3, status = ?4 WHERE run_id = ?1"
"""Apart from `_UPDATE`, because SQLite rewrites the indexes of every column that is set."""
_MOVE = """
UPDATE run_rows SET folded_seq = ?2, state = ?3, words = ?4, created_us = ?5, tenant = ?6,
    status = ?7, agent = ?8, model = ?9, batch = ?10, parent = ?11, forked_from = ?12
WHERE run_id = ?1
"""
_FORGET = "UPDATE run_rows SET attention = NULL WHERE run_id = ? AND attention IS NOT NULL"
_ATTENTION = f"""
UPDATE run_rows SET attention = ?2, attention_at_us = max(?3, 1 + coalesce(
    (SELECT max(attention_at_us) FROM run_rows WHERE attention_at_us IS NOT NULL), 0))
WHERE run_id = ?1 AND attention IS NOT ?2 AND (?2 IS NULL OR status NOT IN ({_ENDED}))
"""  # noqa: S608  constants only
_NEWEST = """
SELECT (SELECT coalesce(max(id), 0) FROM events), (
    SELECT coalesce(max(attention_at_us), 0) FROM run_rows WHERE attention_at_us IS NOT NULL)
"""
_CHANGED = f"""
SELECT run_id FROM events WHERE id > ?1 AND key IS NOT NULL AND type IN ({_TYPES})
UNION SELECT run_id FROM run_rows WHERE attention_at_us > ?2
"""  # noqa: S608  constants only


class Mark(NamedTuple):
    """A place in the order of all changes of rows."""

    event_id: int
    noted_us: int
    """The newest note of attention."""


def ensure_tables(db: sqlite3.Connection) -> None:
    """Add the runs table to a file that has none; the rows of its runs are filled when asked for.

    Safe to repeat and to run concurrently.
    """
    known = "SELECT 1 FROM sqlite_schema WHERE type = 'trigger' AND name = 'rows_go_stale'"
    if db.execute(known).fetchone():
        return
    db.execute("BEGIN IMMEDIATE")
    try:
        if not db.execute(known).fetchone():
            for statement in SCHEMA.split(";"):
                db.execute(statement)
            db.execute(_TRIGGER)
        db.execute("COMMIT")
    except BaseException:
        db.execute("ROLLBACK")
        raise


def fold_in(
    db: sqlite3.Connection, fresh: Sequence[StoredEvent], first_seq: int, last_seq: int
) -> bool:
    """Fold facts into the row of their run, before they are inserted.

    Args:
        db: In the transaction of the append.
        fresh: The facts of `ROW_TYPES`.
        first_seq: The oldest event of the run that is still there.
        last_seq: The run's newest event after the append.

    Returns:
        False if `bring_up_to_date` must be called after the append.
    """
    state, is_stale = db.execute(_STORED, (fresh[0].run_id,)).fetchone()
    if is_stale or rewinds(fresh):
        return False
    if (state is not None or first_seq == 1) and (result := folded(state, fresh, None)):
        _write(db, result, last_seq)
    return True


def bring_up_to_date(db: sqlite3.Connection, run_id: str) -> None:
    """Fold all facts of the run that are not yet in its row."""
    bounds = db.execute(
        "SELECT first_seq, last_seq FROM runs WHERE run_id = ?", (run_id,)
    ).fetchone()
    stored = db.execute(
        "SELECT folded_seq, state FROM run_rows WHERE run_id = ?", (run_id,)
    ).fetchone()
    db.execute("DELETE FROM stale_rows WHERE run_id = ?", (run_id,))
    first_seq, last_seq = bounds or (1, 0)
    folded_seq, state = stored or (0, None)
    if state is None and first_seq > 1:
        return  # the facts that tell what the run was given were swept
    fresh = _facts(db, run_id, folded_seq)
    whole = _facts(db, run_id, 0) if rewinds(fresh) and first_seq == 1 else None
    if fresh and (result := folded(state, fresh, whole)):
        _write(db, result, last_seq)


def _facts(db: sqlite3.Connection, run_id: str, after: int) -> Sequence[StoredEvent]:
    return [StoredEvent._make(row) for row in db.execute(_FACTS, (run_id, after))]


def _write(db: sqlite3.Connection, result: Folded, last_seq: int) -> None:
    row = result.row
    state = (row.run_id, last_seq, dump_row(row))
    if result.moved:
        _move(db, result, state)
    elif result.switched:
        db.execute(_SWITCH, (*state, row.status.value))
    else:
        db.execute(_UPDATE, state)
    if row.status.ended and result.switched:
        db.execute(_FORGET, (row.run_id,))


def _move(db: sqlite3.Connection, result: Folded, state: tuple[str, int, str]) -> None:
    """Write all columns, labels and words."""
    if result.before is not None:
        _delete(db, result.before)
    entry = entry_of(result.row)
    written = (*state, entry.text, *columns_of(result.row))
    db.execute(_INSERT if result.before is None else _MOVE, written)
    labels, words = entries(result.row, entry)
    db.executemany("INSERT OR IGNORE INTO run_labels VALUES (?, ?, ?, ?, ?)", labels)
    db.executemany("INSERT OR IGNORE INTO run_words VALUES (?, ?, ?, ?)", words)


def _delete(db: sqlite3.Connection, row: RunRow) -> None:
    labels, words = entries(row, entry_of(row))
    db.executemany(
        "DELETE FROM run_labels WHERE (key, value, created_us, run_id) = (?2, ?3, ?4, ?5)",
        labels,
    )
    db.executemany("DELETE FROM run_words WHERE (word, created_us, run_id) = (?2, ?3, ?4)", words)


def stale(db: sqlite3.Connection, limit: int) -> list[str]:
    """Some of the runs whose rows are behind: older versions have appended facts."""
    return [row[0] for row in db.execute("SELECT run_id FROM stale_rows LIMIT ?", (limit,))]


def note(db: sqlite3.Connection, run_id: str, attention: str | None, at_us: int) -> None:
    """`RunTable.note_attention` of one run."""
    db.execute(_ATTENTION, (run_id, attention, at_us))


def newest_change(db: sqlite3.Connection) -> Mark:
    """The place of the newest change of any row."""
    return Mark._make(db.execute(_NEWEST).fetchone())


def changed(db: sqlite3.Connection, after: Mark) -> frozenset[str]:
    """The runs whose rows have changed after that."""
    return frozenset(row[0] for row in db.execute(_CHANGED, after))
