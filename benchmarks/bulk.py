"""Writes the runs of `population` in bulk, past the journal but as its appends would.

Appends would take an hour for 100,000 runs in Postgres: each waits for the disk.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import asyncpg

from benchmarks.population import facts, queued, run_id
from relayline.contracts.envelope import StoredEvent, microseconds
from relayline.journal.columns import RowColumns, columns_of, entries, entry_of
from relayline.journal.rows import NewRow, new_row
from relayline.projections.row import dump_row, row_of

CHUNK = 2000
"""Runs in one transaction."""
_Record = tuple[object, ...]
_COLUMNS = {
    "runs": ("run_id", "first_seq", "last_seq", "last_at_us", "ended_at_us"),
    "run_rows": ("run_id", "folded_seq", "summed_seq", "state", "words", *RowColumns._fields),
    "run_labels": ("tenant", "key", "value", "created_us", "run_id"),
    "run_words": ("tenant", "word", "created_us", "run_id"),
    "events": ("run_id", "seq", "at_us", *NewRow._fields),
}
"""Of each table; events come last, since in SQLite a trigger looks for their row."""


class _Run(NamedTuple):
    """The records of one run, in the order of `_COLUMNS`."""

    header: list[_Record]
    row: list[_Record]
    labels: Sequence[_Record]
    words: Sequence[_Record]
    events: Sequence[_Record]


def _records(number: int) -> _Run:
    id_, at_us = run_id(number), microseconds(queued(number).submitted_at)
    stored = [
        StoredEvent(id_, seq, at_us, *new_row(fact)) for seq, fact in enumerate(facts(number), 1)
    ]
    row, newest = row_of(stored), stored[-1]
    entry = entry_of(row)
    return _Run(
        [(id_, 1, newest.seq, at_us, at_us if newest.ends_run else None)],
        [(id_, *[newest.seq] * 2, dump_row(row), entry.text, *columns_of(row))],
        *entries(row, entry),
        stored,
    )


def _chunks(runs: int) -> Iterator[list[tuple[str, list[_Record]]]]:
    """What each transaction writes: the records of each table."""
    for start in range(0, runs, CHUNK):
        found = [_records(number) for number in range(start, min(start + CHUNK, runs))]
        by_table = (list(chain.from_iterable(of_each)) for of_each in zip(*found, strict=True))
        yield [*zip(_COLUMNS, by_table, strict=True)]


async def fill_sqlite(path: Path, runs: int) -> None:
    """Write so many runs into an empty journal, which has its tables."""
    await asyncio.to_thread(_insert, path, runs)


def _insert(path: Path, runs: int) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA synchronous = OFF")
        for chunk in _chunks(runs):
            with db:
                for name, records in chunk:
                    columns = _COLUMNS[name]
                    places = ", ".join("?" * len(columns))
                    into = f"INSERT INTO {name} ({', '.join(columns)}) VALUES ({places})"  # noqa: S608
                    db.executemany(into, records)
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


async def fill_postgres(dsn: str, runs: int) -> None:
    """As `fill_sqlite`; its statistics are then as autovacuum would have them soon after."""
    connection = await asyncpg.connect(dsn)
    try:
        for chunk in _chunks(runs):
            async with connection.transaction():
                for name, records in chunk:
                    await connection.copy_records_to_table(
                        name, schema_name="relayline", columns=_COLUMNS[name], records=records
                    )
        await connection.execute("VACUUM (ANALYZE)")
    finally:
        await connection.close()
