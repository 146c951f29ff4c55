"""The statements that write rows of the runs table: Postgres."""

from __future__ import annotations

from relayline.contracts.runs import TERMINAL
from relayline.journal.columns import SPENT, RowColumns

_ENDED = ", ".join(f"'{status}'" for status in sorted(TERMINAL))
_SPENT_TYPES = ("bigint", "bigint", "bigint", "smallint", "bigint")
_COLUMNS = ", ".join(RowColumns._fields)
_COLUMN_TYPES = ("bigint", *["text"] * 8, *_SPENT_TYPES)
_TAKEN_OVER = ", ".join(f"{name} = excluded.{name}" for name in RowColumns._fields)


def _arrays(first: int, *types: str) -> str:
    """The parameters from that number on, as arrays of these types."""
    return ", ".join(f"${number}::{it}[]" for number, it in enumerate(types, first))


_ROW_TYPES = ("text", "bigint", "text", "text", *_COLUMN_TYPES)
WIDTH = len(_ROW_TYPES)
"""Columns of a row in `WRITE`, where those of labels and words follow."""
WRITE = f"""
WITH current AS (
    DELETE FROM relayline.stale_rows WHERE run_id = ANY ($1)
), labels AS (
    INSERT INTO relayline.run_labels (tenant, key, value, created_us, run_id)
    SELECT * FROM unnest({_arrays(WIDTH + 1, "text", "text", "text", "bigint", "text")})
    ON CONFLICT DO NOTHING
), words AS (
    INSERT INTO relayline.run_words (tenant, word, created_us, run_id)
    SELECT * FROM unnest({_arrays(WIDTH + 6, "text", "text", "bigint", "text")})
    ON CONFLICT DO NOTHING
)
INSERT INTO relayline.run_rows AS r (run_id, folded_seq, state, words, {_COLUMNS}, summed_seq)
SELECT *, folded_seq FROM unnest({_arrays(1, *_ROW_TYPES)})
    AS new (run_id, folded_seq, state, words, {_COLUMNS})
ON CONFLICT (run_id) DO UPDATE SET folded_seq = excluded.folded_seq, state = excluded.state,
    words = CASE excluded.words WHEN '' THEN r.words ELSE excluded.words END, {_TAKEN_OVER},
    summed_seq = excluded.summed_seq,
    attention = CASE WHEN excluded.status IN ({_ENDED}) THEN NULL ELSE r.attention END
"""  # noqa: S608  constants only
UPDATE = f"""
UPDATE relayline.run_rows r SET folded_seq = new.folded_seq, state = new.state, status = new.status,
    summed_seq = new.folded_seq, {", ".join(f"{name} = new.{name}" for name in SPENT)},
    attention = CASE WHEN new.status IN ({_ENDED}) THEN NULL ELSE r.attention END
FROM unnest({_arrays(1, "text", "bigint", "text", "text", *_SPENT_TYPES)})
    AS new (run_id, folded_seq, state, status, {", ".join(SPENT)})
WHERE r.run_id = new.run_id
"""  # noqa: S608  constants only
"""For rows that were written before and still have the same columns, labels and words but for the
status and what the run has used."""
SUM = f"""
UPDATE relayline.run_rows r SET {", ".join(f"{name} = new.{name}" for name in SPENT)}
FROM unnest({_arrays(1, "text", *_SPENT_TYPES)}) AS new (run_id, {", ".join(SPENT)})
WHERE r.run_id = new.run_id
"""  # noqa: S608  constants only
"""Of rows that older versions have written."""
