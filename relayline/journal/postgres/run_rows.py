"""How the rows of the Postgres journal follow the facts, in the transaction of their append."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from relayline.contracts.envelope import StoredEvent
from relayline.contracts.runs import TERMINAL
from relayline.journal.columns import (
    Folded,
    RowColumns,
    columns_of,
    entries,
    entry_of,
    folded,
    rewinds,
)
from relayline.projections.row import ROW_TYPES, RunRow, dump_row

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
_COLUMNS = ", ".join(RowColumns._fields)
_TAKEN_OVER = ", ".join(f"{name} = excluded.{name}" for name in RowColumns._fields)
_WRITE = f"""
WITH current AS (
    DELETE FROM relayline.stale_rows WHERE run_id = ANY ($1)
), labels AS (
    INSERT INTO relayline.run_labels (tenant, key, value, created_us, run_id)
    SELECT * FROM unnest($13::text[], $14::text[], $15::text[], $16::bigint[], $17::text[])
    ON CONFLICT DO NOTHING
), words AS (
    INSERT INTO relayline.run_words (tenant, word, created_us, run_id)
    SELECT * FROM unnest($18::text[], $19::text[], $20::bigint[], $21::text[])
    ON CONFLICT DO NOTHING
)
INSERT INTO relayline.run_rows AS r (run_id, folded_seq, state, words, {_COLUMNS})
SELECT * FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::bigint[], $6::text[],
    $7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::text[])
ON CONFLICT (run_id) DO UPDATE SET folded_seq = excluded.folded_seq, state = excluded.state,
    words = CASE excluded.words WHEN '' THEN r.words ELSE excluded.words END, {_TAKEN_OVER},
    attention = CASE WHEN excluded.status IN ({_ENDED}) THEN NULL ELSE r.attention END
"""  # noqa: S608  constants only
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
_CURRENT = "DELETE FROM relayline.stale_rows WHERE run_id = ANY ($1)"
LOCK = """
SELECT run_id FROM relayline.runs WHERE run_id = ANY ($1) ORDER BY run_id FOR NO KEY UPDATE
"""
STALE = "SELECT run_id FROM relayline.stale_rows ORDER BY run_id LIMIT $1"
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


class _Facts(NamedTuple):
    """Of one run."""

    first_seq: int
    last_seq: int
    state: str | None
    events: list[StoredEvent]


async def bring_up_to_date(connection: Connection, run_ids: Sequence[str]) -> None:
    """Fold new facts into the rows of these runs.

    Must be called in a transaction that holds the locks on their headers.
    """
    fresh = await _read(connection, run_ids, whole=False)
    again = [id_ for id_, it in fresh.items() if it.first_seq == 1 and rewinds(it.events)]
    whole = await _read(connection, again, whole=True) if again else {}
    results = {
        run_id: folded(it.state, it.events, whole[run_id].events if run_id in whole else None)
        for run_id, it in fresh.items()
        if it.state is not None or it.first_seq == 1  # else what it was given was swept
    }
    changed = [(it, fresh[run_id].last_seq) for run_id, it in results.items() if it]
    if changed:
        await _write(connection, changed)
    if len(changed) < len(run_ids):
        await connection.execute(_CURRENT, run_ids)


async def _read(
    connection: Connection, run_ids: Sequence[str], *, whole: bool
) -> dict[str, _Facts]:
    records = await connection.fetch(_FACTS, run_ids, whole)
    found: dict[str, _Facts] = {}
    for run_id, of_run in groupby(map(tuple, records), key=lambda record: record[0]):
        rows = [*of_run]
        _, first_seq, last_seq, state = rows[0][:4]
        events = [StoredEvent._make(row[4:]) for row in rows]
        found[run_id] = _Facts(first_seq, last_seq, state, events)
    return found


async def _write(connection: Connection, changed: Sequence[tuple[Folded, int]]) -> None:
    moved = [result for result, _ in changed if result.moved]
    if left := [result.before for result in moved if result.before]:
        labels, words = _entries(left)
        await connection.execute(_FORGET_LABELS, *_turned(labels, 5))
        await connection.execute(_FORGET_WORDS, *_turned(words, 4))
    labels, words = _entries([result.row for result in moved])
    rows = [
        (
            result.row.run_id,
            last_seq,
            dump_row(result.row),
            entry_of(result.row).text if result.moved else "",
            *columns_of(result.row),
        )
        for result, last_seq in changed
    ]
    await connection.execute(_WRITE, *_turned(rows, 12), *_turned(labels, 5), *_turned(words, 4))


def _entries(rows: Sequence[RunRow]) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
    """Labels and words of all these rows."""
    found = [entries(row, entry_of(row)) for row in rows]
    labels: list[tuple[object, ...]] = [it for of_row, _ in found for it in of_row]
    return labels, [it for _, of_row in found for it in of_row]


def _turned(rows: Sequence[Sequence[object]], width: int) -> list[list[object]]:
    """The columns of the rows."""
    return [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(width)]
