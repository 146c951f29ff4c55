"""How the rows of the Postgres journal follow the facts, in the transaction of their append."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from asyncpg import Record

from relayline.contracts.envelope import StoredEvent
from relayline.contracts.keys import QUEUED_KEY
from relayline.contracts.runs import TERMINAL
from relayline.journal.columns import (
    Entry,
    Folded,
    changes_row,
    columns_of,
    entries,
    expires_us,
    folded,
    rewinds,
    spent_of,
)
from relayline.journal.postgres.statements import UPDATE, WIDTH, WRITE
from relayline.journal.rows import NewRow
from relayline.journal.tenants.known_rows import KnownRows
from relayline.projections.row import ROW_TYPES, RunRow

if TYPE_CHECKING:
    from relayline.journal.postgres.database import Connection

ROWS_CHANNEL = "relayline_rows"
"""The NOTIFY channel of changed rows; the payload is the run's id."""
_TYPES = ", ".join(f"'{kind}'" for kind in sorted(ROW_TYPES))
_ENDED = ", ".join(f"'{status}'" for status in sorted(TERMINAL))
_FACTS = f"""
SELECT h.run_id, h.first_seq, h.last_seq, r.state,
    e.run_id, e.seq, e.at_us, e.type, e.step, e.attempt, e.key, e.data
FROM unnest($1::text[]) AS asked (run_id)
JOIN relayline.runs h ON h.run_id = asked.run_id
LEFT JOIN relayline.run_rows r ON r.run_id = h.run_id
CROSS JOIN LATERAL (
    SELECT * FROM relayline.events
    WHERE run_id = h.run_id AND key IS NOT NULL AND type IN ({_TYPES})
    AND seq > CASE WHEN $2 THEN 0 ELSE coalesce(r.folded_seq, 0) END
) e ORDER BY h.run_id, e.seq
"""  # noqa: S608  constants only
"""The facts that are not in the rows yet, or, with the second argument, all of them."""
_FORGET_LABELS = """
DELETE FROM relayline.run_labels l
USING unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::text[])
    AS gone (tenant, key, value, created_us, run_id)
WHERE (l.key, l.value, l.created_us, l.run_id)
    = (gone.key, gone.value, gone.created_us, gone.run_id)
"""
_FORGET_WORDS = """
DELETE FROM relayline.run_words w
USING unnest($1::text[], $2::text[], $3::bigint[], $4::text[])
    AS gone (tenant, word, created_us, run_id)
WHERE (w.word, w.created_us, w.run_id) = (gone.word, gone.created_us, gone.run_id)
"""
_FORGET_ROW = """
WITH unsummed AS (
    DELETE FROM relayline.unsummed_rows WHERE run_id = $1
) DELETE FROM relayline.run_rows WHERE run_id = $1
"""
_TELL = "SELECT pg_notify($1, $2)"
_EXPIRES = "UPDATE relayline.run_rows SET expires_us = $2 WHERE run_id = $1"
_CURRENT = "DELETE FROM relayline.stale_rows WHERE run_id = ANY ($1)"
LOCK = """
SELECT run_id FROM relayline.runs WHERE run_id = ANY ($1) ORDER BY run_id FOR NO KEY UPDATE
"""
_UNBEGUN = """
SELECT r.state FROM relayline.runs h JOIN relayline.run_rows r USING (run_id)
WHERE run_id = $1 AND last_seq = 1
AND EXISTS (SELECT 1 FROM relayline.events e WHERE e.run_id = h.run_id AND e.key = $2)
"""
_WITHDRAW = f"""
WITH gone AS (
    DELETE FROM relayline.events WHERE run_id = $1
), listed AS (
    DELETE FROM relayline.run_rows WHERE run_id = $1
), current AS (
    DELETE FROM relayline.stale_rows WHERE run_id = $1
), summed AS (
    DELETE FROM relayline.unsummed_rows WHERE run_id = $1
), untold AS (
    DELETE FROM relayline.untold WHERE run_id = $1
), deliveries AS (
    DELETE FROM relayline.deliveries WHERE run_id = $1
), empty AS (
    UPDATE relayline.runs SET last_seq = 0 WHERE run_id = $1
) SELECT pg_notify('{ROWS_CHANNEL}', $1)
"""  # noqa: S608  constants only
NOTE = f"""
WITH noted AS (
    UPDATE relayline.run_rows SET attention = $2, attention_at_us = $3
    WHERE run_id = $1 AND attention IS DISTINCT FROM $2
    AND ($2::text IS NULL OR status NOT IN ({_ENDED})) RETURNING run_id
)
SELECT set_config('synchronous_commit', 'off', true), pg_notify('{ROWS_CHANNEL}', run_id)
FROM noted
"""  # noqa: S608  constants only
"""`RunTable.note_attention` of one run: one at a time, so that it can't deadlock with appends."""


New = tuple[str, Sequence[NewRow], Record]
"""An append that added events: its run, its events, and the answer."""


class _Facts(NamedTuple):
    """Of one run."""

    first_seq: int
    last_seq: int
    state: str | None
    events: list[StoredEvent]


async def fold_in(connection: Connection, known: KnownRows, appended: Sequence[New]) -> None:
    """Fold what was appended into the rows of its runs, in the transaction of the append.

    Args:
        connection: Holds the locks on the headers.
        known: What this process has written.
        appended: Of each append that folds and added an event: its run, its events, and the answer
            of `FOLDING`; those of one run in order.
    """
    behind: list[str] = []
    changed: list[tuple[Folded, int]] = []
    for run_id, of_run in groupby(appended, key=lambda new: new[0]):
        appends = [*of_run]
        first_seq, _, state, is_stale = tuple(appends[0][2])[4:]
        events = [event for append in appends for event in _added(*append)]
        fresh = [event for event in events if changes_row(event.type, event.key)]
        if is_stale or rewinds(fresh):
            behind.append(run_id)
        elif fresh and (state is not None or first_seq == 1):
            before = known.load(run_id, state) if state is not None else None
            result = folded(before, known.opened(fresh), None)
            if result and result.changed:
                changed.append((known.marked(result, state), events[-1].seq))
    if changed:
        texts = await _write(connection, changed, known)
        for (result, _), text in zip(changed, texts, strict=True):
            known.keep(result.row, text)
    if behind:
        await bring_up_to_date(connection, behind, known)


def _added(run_id: str, rows: Sequence[NewRow], answer: Record) -> list[StoredEvent]:
    """The events that the append has added."""
    placed = zip(rows, answer["placed"], answer["fresh"], strict=True)
    return [StoredEvent(run_id, seq, answer["at_us"], *row) for row, seq, new in placed if new]


async def bring_up_to_date(
    connection: Connection, run_ids: Sequence[str], known: KnownRows
) -> None:
    """Fold new facts into the rows of these runs.

    Must be called in a transaction that holds the locks on their headers.
    """
    fresh = await _read(connection, run_ids, known, whole=False)
    again = [id_ for id_, it in fresh.items() if it.first_seq == 1 and rewinds(it.events)]
    whole = await _read(connection, again, known, whole=True) if again else {}
    results = {
        run_id: folded(
            known.row(run_id, it.state) if it.state is not None else None,
            it.events,
            whole[run_id].events if run_id in whole else None,
        )
        for run_id, it in fresh.items()
        if it.state is not None or it.first_seq == 1  # else what it was given was swept
    }
    changed = [
        (known.marked(it, fresh[run_id].state), fresh[run_id].last_seq)
        for run_id, it in results.items()
        if it
    ]
    if changed:
        await _write(connection, changed, known)
    if len(changed) < len(run_ids):
        await connection.execute(_CURRENT, run_ids)


async def withdraw(connection: Connection, run_id: str, known: KnownRows) -> bool:
    """`RunTable.withdraw`, in a transaction. The header stays, as that of a run with fences."""
    await connection.execute(LOCK, [run_id])
    state: str | None = await connection.fetchval(_UNBEGUN, run_id, QUEUED_KEY)
    if state is None:
        return False
    await _forget([known.row(run_id, state)], connection, known)
    await connection.execute(_WITHDRAW, run_id)
    return True


async def _read(
    connection: Connection, run_ids: Sequence[str], known: KnownRows, *, whole: bool
) -> dict[str, _Facts]:
    records = await connection.fetch(_FACTS, run_ids, whole)
    found: dict[str, _Facts] = {}
    for run_id, of_run in groupby(map(tuple, records), key=lambda record: record[0]):
        rows = [*of_run]
        _, first_seq, last_seq, state = rows[0][:4]
        events = known.opened(StoredEvent._make(row[4:]) for row in rows)
        found[run_id] = _Facts(first_seq, last_seq, state, events)
    return found


async def _write(
    connection: Connection, changed: Sequence[tuple[Folded, int]], known: KnownRows
) -> list[str]:
    """Write the rows; returns the texts that store them."""
    texts = [known.dump(result.row) for result, _ in changed]
    moved = [result for result, _ in changed if result.moved]
    if not moved:
        rows = [
            (
                it.row.run_id,
                last_seq,
                text,
                it.row.status.value,
                *spent_of(it.row.usage, it.row.ended_at),
            )
            for (it, last_seq), text in zip(changed, texts, strict=True)
        ]
        await connection.execute(UPDATE, *_turned(rows, len(rows[0])))
        await _write_expiry(connection, changed)
        return texts
    if left := [result.before for result in moved if result.before]:
        await _forget(left, connection, known)
    entered = [(result.row, known.entry(result.row)) for result in moved]
    labels, words = _entries(entered)
    whole = [
        (
            result.row.run_id,
            last_seq,
            text,
            known.entry(result.row).text if result.moved else "",
            *columns_of(result.row),
        )
        for (result, last_seq), text in zip(changed, texts, strict=True)
    ]
    await connection.execute(WRITE, *_turned(whole, WIDTH), *_turned(labels, 5), *_turned(words, 4))
    await _write_expiry(connection, changed)
    return texts


async def _write_expiry(connection: Connection, changed: Sequence[tuple[Folded, int]]) -> None:
    for result, _ in changed:
        if result.expires:
            row = result.row
            await connection.execute(_EXPIRES, row.run_id, expires_us(row))


async def forget(connection: Connection, row: RunRow, known: KnownRows) -> None:
    """Delete the row, its labels and its words, and tell those who read lists."""
    await _forget([row], connection, known)
    await connection.execute(_CURRENT, [row.run_id])
    await connection.execute(_FORGET_ROW, row.run_id)
    await connection.execute(_TELL, ROWS_CHANNEL, row.run_id)


async def _forget(rows: Sequence[RunRow], connection: Connection, known: KnownRows) -> None:
    """Delete labels and words."""
    labels, words = _entries([(row, it) for row in rows for it in known.entries_to_delete(row)])
    await connection.execute(_FORGET_LABELS, *_turned(labels, 5))
    await connection.execute(_FORGET_WORDS, *_turned(words, 4))


def _entries(
    entered: Sequence[tuple[RunRow, Entry]],
) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
    """Labels and words of all these rows."""
    found = [entries(row, entry) for row, entry in entered]
    labels: list[tuple[object, ...]] = [it for of_row, _ in found for it in of_row]
    return labels, [it for _, of_row in found for it in of_row]


def _turned(rows: Sequence[Sequence[object]], width: int) -> list[list[object]]:
    """The columns of the rows."""
    return [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(width)]
