"""The runs table of the SQLite journal: its schema, and how rows follow the facts.

Everything here is additive, so that older versions go on to work with the file. A trigger notes the
runs whose rows are behind, whichever version appends; the append of a newer one brings the row up
to date in the same transaction, and a reader does so for what older ones have left.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from relayline.contracts.envelope import StoredEvent
from relayline.contracts.runs import TERMINAL
from relayline.journal.columns import Entry, Folded, entries, entry_of, folded, rewinds
from relayline.projections.row import ROW_TYPES, RunRow, dump_row

_TYPES = ", ".join(f"'{kind}'" for kind in sorted(ROW_TYPES))
_ENDED = ", ".join(f"'{status}'" for status in sorted(TERMINAL))
SCHEMA = """
CREATE TABLE IF NOT EXISTS run_rows (
    run_id TEXT PRIMARY KEY,
    folded_seq INTEGER NOT NULL,
    change INTEGER NOT NULL,
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
CREATE INDEX IF NOT EXISTS rows_by_change ON run_rows (change);
CREATE INDEX IF NOT EXISTS rows_by_time ON run_rows (created_us, run_id);
CREATE INDEX IF NOT EXISTS rows_by_tenant ON run_rows (tenant, created_us, run_id);
CREATE INDEX IF NOT EXISTS rows_by_status ON run_rows (status, created_us, run_id);
CREATE INDEX IF NOT EXISTS rows_by_tenant_status ON run_rows (tenant, status, created_us, run_id);
CREATE INDEX IF NOT EXISTS rows_by_agent ON run_rows (agent, created_us, run_id);
CREATE INDEX IF NOT EXISTS rows_by_tenant_agent ON run_rows (tenant, agent, created_us, run_id);
CREATE INDEX IF NOT EXISTS rows_by_model ON run_rows (model, created_us, run_id);
CREATE INDEX IF NOT EXISTS rows_by_tenant_model ON run_rows (tenant, model, created_us, run_id);
CREATE INDEX IF NOT EXISTS rows_by_batch ON run_rows (batch, created_us, run_id)
    WHERE batch IS NOT NULL;
CREATE INDEX IF NOT EXISTS rows_by_parent ON run_rows (parent, created_us, run_id)
    WHERE parent IS NOT NULL;
CREATE INDEX IF NOT EXISTS rows_by_fork ON run_rows (forked_from, created_us, run_id)
    WHERE forked_from IS NOT NULL;
CREATE INDEX IF NOT EXISTS rows_by_attention ON run_rows (created_us, run_id)
    WHERE attention IS NOT NULL;
CREATE TABLE IF NOT EXISTS run_labels (
    tenant TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    created_us INTEGER NOT NULL,
    run_id TEXT NOT NULL,
    PRIMARY KEY (tenant, key, value, created_us, run_id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS labels_of_all ON run_labels (key, value, created_us, run_id);
CREATE TABLE IF NOT EXISTS run_words (
    tenant TEXT NOT NULL,
    word TEXT NOT NULL,
    created_us INTEGER NOT NULL,
    run_id TEXT NOT NULL,
    PRIMARY KEY (tenant, word, created_us, run_id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS words_of_all ON run_words (word, created_us, run_id);
CREATE TABLE IF NOT EXISTS stale_rows (run_id TEXT PRIMARY KEY) WITHOUT ROWID;
INSERT INTO stale_rows (run_id) SELECT run_id FROM runs
"""
_TRIGGER = f"""
CREATE TRIGGER IF NOT EXISTS rows_go_stale AFTER INSERT ON events
WHEN new.key IS NOT NULL AND new.type IN ({_TYPES})
BEGIN INSERT OR IGNORE INTO stale_rows (run_id) VALUES (new.run_id); END
"""  # noqa: S608  constants only
_FACTS = f"""
SELECT run_id, seq, at_us, type, step, attempt, key, data FROM events INDEXED BY facts_by_seq
WHERE run_id = ? AND seq > ? AND key IS NOT NULL AND type IN ({_TYPES}) ORDER BY seq
"""  # noqa: S608  constants only
_NEXT_CHANGE = "(SELECT coalesce(max(change), 0) + 1 FROM run_rows)"
_INSERT = f"""
INSERT INTO run_rows (change, run_id, folded_seq, state, created_us, tenant, status, agent, model,
    batch, parent, forked_from, words)
VALUES ({_NEXT_CHANGE}, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""  # noqa: S608  constants only
_UPDATE = f"""
UPDATE run_rows SET change = {_NEXT_CHANGE}, folded_seq = ?2, state = ?3 WHERE run_id = ?1
"""  # noqa: S608  constants only
_UPDATE_COLUMNS = f"""
UPDATE run_rows SET created_us = ?2, tenant = ?3, status = ?4, agent = ?5, model = ?6, batch = ?7,
    parent = ?8, forked_from = ?9,
    attention = CASE WHEN ?4 IN ({_ENDED}) THEN NULL ELSE attention END
WHERE run_id = ?1
"""  # noqa: S608  constants only
_ATTENTION = f"""
UPDATE run_rows SET change = {_NEXT_CHANGE}, attention = ?2, attention_at_us = ?3
WHERE run_id = ?1 AND attention IS NOT ?2 AND (?2 IS NULL OR status NOT IN ({_ENDED}))
"""  # noqa: S608  constants only


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


def bring_up_to_date(db: sqlite3.Connection, run_id: str) -> None:
    """Fold the run's new facts into its row, in the transaction of their append."""
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
    row, columns = result.row, result.columns
    state = (row.run_id, last_seq, dump_row(row))
    entry = entry_of(row) if result.moved else None
    if result.before is None:
        assert columns is not None and entry is not None  # noqa: S101, PT018  it is new
        db.execute(_INSERT, (*state, *columns, entry.text))
    else:
        db.execute(_UPDATE, state)
        if columns is not None:
            db.execute(_UPDATE_COLUMNS, (row.run_id, *columns))
    if entry is not None:
        _move(db, result, entry)


def _move(db: sqlite3.Connection, result: Folded, entry: Entry) -> None:
    """Write labels and words anew."""
    if result.before is not None:
        _delete(db, result.before)
        text = (entry.text, result.row.run_id)
        db.execute("UPDATE run_rows SET words = ? WHERE run_id = ?", text)
    labels, words = entries(result.row, entry)
    db.executemany("INSERT OR IGNORE INTO run_labels VALUES (?, ?, ?, ?, ?)", labels)
    db.executemany("INSERT OR IGNORE INTO run_words VALUES (?, ?, ?, ?)", words)


def _delete(db: sqlite3.Connection, row: RunRow) -> None:
    labels, words = entries(row, entry_of(row))
    db.executemany(
        "DELETE FROM run_labels WHERE (tenant, key, value, created_us, run_id) = (?, ?, ?, ?, ?)",
        labels,
    )
    db.executemany(
        "DELETE FROM run_words WHERE (tenant, word, created_us, run_id) = (?, ?, ?, ?)", words
    )


def stale(db: sqlite3.Connection, limit: int) -> list[str]:
    """Some of the runs whose rows are behind: older versions have appended facts."""
    return [row[0] for row in db.execute("SELECT run_id FROM stale_rows LIMIT ?", (limit,))]


def note(db: sqlite3.Connection, run_id: str, attention: str | None, at_us: int) -> None:
    """`RunTable.note_attention` of one run."""
    db.execute(_ATTENTION, (run_id, attention, at_us))


def newest_change(db: sqlite3.Connection) -> int:
    """The number of the newest change of any row."""
    return int(db.execute("SELECT coalesce(max(change), 0) FROM run_rows").fetchone()[0])


def changed(db: sqlite3.Connection, after: int) -> frozenset[str]:
    """The runs whose rows have changed after that number, and those whose rows are behind."""
    found = db.execute(
        "SELECT run_id FROM run_rows WHERE change > ? UNION SELECT run_id FROM stale_rows", (after,)
    )
    return frozenset(row[0] for row in found)
