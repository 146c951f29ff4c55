"""The runs table of the SQLite journal: how rows follow the facts.

Its schema, in `additions`, only adds, so that older versions continue to work with the file. A
trigger notes the runs whose rows are behind, whichever version appends; the append of a newer one
brings the row up to date in the same transaction, and a reader does so for what older ones have
left.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

from relayline.contracts.envelope import StoredEvent
from relayline.contracts.keys import QUEUED_KEY
from relayline.contracts.runs import TERMINAL
from relayline.journal.columns import (
    SPENT,
    Folded,
    RowColumns,
    columns_of,
    entries,
    expires_us,
    folded,
    rewinds,
    spent_in,
    spent_of,
)
from relayline.journal.tenants.known_rows import KnownRows
from relayline.projections.row import ROW_TYPES, RunRow

_TYPES = ", ".join(f"'{kind}'" for kind in sorted(ROW_TYPES))
_ENDED = ", ".join(f"'{status}'" for status in sorted(TERMINAL))
_FACTS = f"""
SELECT run_id, seq, at_us, type, step, attempt, key, data FROM events INDEXED BY facts_by_seq
WHERE run_id = ? AND seq > ? AND key IS NOT NULL AND type IN ({_TYPES}) ORDER BY seq
"""  # noqa: S608  constants only
_STORED = """
SELECT state, EXISTS (SELECT 1 FROM stale_rows WHERE run_id = ?1)
FROM (SELECT ?1) LEFT JOIN run_rows ON run_id = ?1
"""
_COLUMNS = RowColumns._fields
_INSERT = f"""
INSERT INTO run_rows (run_id, folded_seq, summed_seq, state, words, {", ".join(_COLUMNS)})
VALUES (?1, ?2, ?2, ?3, ?4, {", ".join(f"?{n}" for n, _ in enumerate(_COLUMNS, 5))})
"""  # noqa: S608  constants only
_SEEN = "UPDATE run_rows SET folded_seq = ?2 WHERE run_id = ?1"
"""For facts that change nothing in the row; else the trigger would take it for stale."""


def _update(*columns: str) -> str:
    more = "".join(f", {name} = ?{n}" for n, name in enumerate(columns, 4))
    return (
        f"UPDATE run_rows SET folded_seq = ?2, summed_seq = ?2, state = ?3{more} WHERE run_id = ?1"  # noqa: S608
    )


_MOVE = _update("words", *_COLUMNS)
_UPDATE = {
    (False, False): _update(),
    (True, False): _update("status"),
    (False, True): _update(*SPENT),
    (True, True): _update("status", *SPENT),
}
"""By whether the status and what the run has used are others: SQLite rewrites the indexes of every
column that is set."""
_SUM = f"UPDATE run_rows SET {', '.join(f'{name} = ?' for name in SPENT)} WHERE run_id = ?"  # noqa: S608
_FORGET = "UPDATE run_rows SET attention = NULL WHERE run_id = ? AND attention IS NOT NULL"
_EXPIRES = "UPDATE run_rows SET expires_us = ?2 WHERE run_id = ?1"
_ATTENTION = f"""
UPDATE run_rows SET attention = ?2, attention_at_us = max(?3, 1 + coalesce(
    (SELECT max(attention_at_us) FROM run_rows WHERE attention_at_us IS NOT NULL), 0))
WHERE run_id = ?1 AND attention IS NOT ?2 AND (?2 IS NULL OR status NOT IN ({_ENDED}))
"""  # noqa: S608  constants only
_NEWEST = """
SELECT (SELECT coalesce(max(id), 0) FROM events), (
    SELECT coalesce(max(attention_at_us), 0) FROM run_rows WHERE attention_at_us IS NOT NULL), (
    SELECT coalesce(max(id), 0) FROM erasures)
"""
_CHANGED = f"""
SELECT run_id FROM events WHERE id > ?1 AND key IS NOT NULL AND type IN ({_TYPES})
UNION SELECT run_id FROM run_rows WHERE attention_at_us > ?2
UNION SELECT run_id FROM erasures WHERE id > ?3
"""  # noqa: S608  constants only
_STALE = """
SELECT run_id FROM stale_rows UNION ALL SELECT run_id FROM unsummed_rows LIMIT ?
"""
_UNBEGUN = """
SELECT state FROM runs JOIN events USING (run_id) JOIN run_rows USING (run_id)
WHERE run_id = ? AND last_seq = 1 AND key = ?
"""


class Mark(NamedTuple):
    """A place in the order of all changes of rows."""

    event_id: int
    noted_us: int
    """The newest note of attention."""
    erasure_id: int = 0


def fold_in(
    db: sqlite3.Connection, known: KnownRows, fresh: Sequence[StoredEvent], bounds: tuple[int, int]
) -> bool:
    """Fold facts into the row of their run, before they are inserted.

    Args:
        db: In the transaction of the append.
        known: What this process has written.
        fresh: The facts of `ROW_TYPES`.
        bounds: The run's oldest event that is still there, and its newest after the append.

    Returns:
        False if `bring_up_to_date` must be called after the append.
    """
    run_id, (first_seq, last_seq) = fresh[0].run_id, bounds
    state, is_stale = db.execute(_STORED, (run_id,)).fetchone()
    if is_stale or rewinds(fresh):
        return False
    if state is None and first_seq > 1:
        return True  # the facts that tell what the run was given were swept
    before = known.load(run_id, state) if state is not None else None
    if result := folded(before, known.opened(fresh), None):
        _write(db, known.marked(result, state), last_seq, known)
    return True


def bring_up_to_date(db: sqlite3.Connection, run_id: str, known: KnownRows) -> None:
    """Fold all facts of the run that are not yet in its row, and sum up what it has used."""
    _fold(db, run_id, known)
    _sum_up(db, run_id, known)


def _fold(db: sqlite3.Connection, run_id: str, known: KnownRows) -> None:
    bounds = db.execute(
        "SELECT first_seq, last_seq FROM runs WHERE run_id = ?", (run_id,)
    ).fetchone()
    stored = db.execute(
        "SELECT folded_seq, state FROM run_rows WHERE run_id = ?", (run_id,)
    ).fetchone()
    db.execute("DELETE FROM stale_rows WHERE run_id = ?", (run_id,))
    if bounds is None:
        return  # it was erased meanwhile
    first_seq, last_seq = bounds
    folded_seq, state = stored or (0, None)
    if state is None and first_seq > 1:
        return  # the facts that tell what the run was given were swept
    fresh = _facts(db, run_id, folded_seq, known)
    whole = _facts(db, run_id, 0, known) if rewinds(fresh) and first_seq == 1 else None
    before = known.row(run_id, state) if state is not None else None
    if fresh and (result := folded(before, fresh, whole)):
        _write(db, known.marked(result, state), last_seq, known)


def _sum_up(db: sqlite3.Connection, run_id: str, known: KnownRows) -> None:
    """Write what sums are made of if an older version has not."""
    if not db.execute("DELETE FROM unsummed_rows WHERE run_id = ?", (run_id,)).rowcount:
        return
    stored = db.execute("SELECT state FROM run_rows WHERE run_id = ?", (run_id,)).fetchone()
    if stored:
        db.execute(_SUM, (*spent_in(known.opened_state(run_id, stored[0])), run_id))


def _facts(
    db: sqlite3.Connection, run_id: str, after: int, known: KnownRows
) -> Sequence[StoredEvent]:
    return known.opened(map(StoredEvent._make, db.execute(_FACTS, (run_id, after))))


def _write(db: sqlite3.Connection, result: Folded, last_seq: int, known: KnownRows) -> None:
    row = result.row
    if not result.changed:
        db.execute(_SEEN, (row.run_id, last_seq))
        return
    text = known.dump(row)
    state = (row.run_id, last_seq, text)
    if result.moved:
        _move(db, result, state, known)
    else:
        status = (row.status.value,) if result.switched else ()
        spent = spent_of(row.usage, row.ended_at) if result.spent else ()
        db.execute(_UPDATE[result.switched, result.spent], (*state, *status, *spent))
    if row.status.ended and result.switched:
        db.execute(_FORGET, (row.run_id,))
    if result.expires:
        db.execute(_EXPIRES, (row.run_id, expires_us(row)))
    known.keep(row, text)


def _move(
    db: sqlite3.Connection, result: Folded, state: tuple[str, int, str], known: KnownRows
) -> None:
    """Write all columns, labels and words."""
    if result.before is not None:
        _delete(db, result.before, known)
    entry = known.entry(result.row)
    written = (*state, entry.text, *columns_of(result.row))
    db.execute(_INSERT if result.before is None else _MOVE, written)
    labels, words = entries(result.row, entry)
    db.executemany("INSERT OR IGNORE INTO run_labels VALUES (?, ?, ?, ?, ?)", labels)
    db.executemany("INSERT OR IGNORE INTO run_words VALUES (?, ?, ?, ?)", words)


def _delete(db: sqlite3.Connection, row: RunRow, known: KnownRows) -> None:
    for entry in known.entries_to_delete(row):
        labels, words = entries(row, entry)
        db.executemany(
            "DELETE FROM run_labels WHERE (key, value, created_us, run_id) = (?2, ?3, ?4, ?5)",
            labels,
        )
        db.executemany(
            "DELETE FROM run_words WHERE (word, created_us, run_id) = (?2, ?3, ?4)", words
        )


def withdraw(db: sqlite3.Connection, run_id: str, known: KnownRows) -> bool:
    """`RunTable.withdraw`."""
    found = db.execute(_UNBEGUN, (run_id, QUEUED_KEY)).fetchone()
    if found is None:
        return False
    forget(db, known.row(run_id, found[0]), known)
    for table in ("events", "runs", "untold", "deliveries"):
        db.execute(f"DELETE FROM {table} WHERE run_id = ?", (run_id,))  # noqa: S608  as above
    return True


def forget(db: sqlite3.Connection, row: RunRow, known: KnownRows) -> None:
    """Delete the row, its labels and its words."""
    _delete(db, row, known)
    for table in ("run_rows", "stale_rows", "unsummed_rows"):
        db.execute(f"DELETE FROM {table} WHERE run_id = ?", (row.run_id,))  # noqa: S608  as above


def stale(db: sqlite3.Connection, limit: int) -> list[str]:
    """Some of the runs whose rows or sums are behind: older versions have appended facts."""
    return [row[0] for row in db.execute(_STALE, (limit,))]


def note(db: sqlite3.Connection, run_id: str, attention: str | None, at_us: int) -> None:
    """`RunTable.note_attention` of one run."""
    db.execute(_ATTENTION, (run_id, attention, at_us))


def newest_change(db: sqlite3.Connection) -> Mark:
    """The place of the newest change of any row."""
    return Mark._make(db.execute(_NEWEST).fetchone())


def changed(db: sqlite3.Connection, after: Mark) -> tuple[frozenset[str], Mark]:
    """The runs whose rows have changed after that, and the newest change, in one snapshot."""
    db.execute("BEGIN")
    try:
        newest = newest_change(db)
        return frozenset(row[0] for row in db.execute(_CHANGED, after)), newest
    finally:
        db.execute("ROLLBACK")
