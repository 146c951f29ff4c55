"""A runs table with as many rows as one likes, written past the journal but as it would."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import timedelta
from itertools import islice
from typing import NamedTuple

import asyncpg

from relayline.contracts.envelope import NewEvent, StoredEvent, microseconds
from relayline.contracts.runs import RunStatus
from relayline.journal.columns import RowColumns, columns_of, entries, entry_of
from relayline.journal.table import EVERY, RunFilter
from relayline.projections.row import dump_row, row_of
from tests.journal.rows import BEGAN, FURTHER, queued
from tests.journal.storage import open_table

CHUNK = 5000
AGENTS = 20
TENANTS = 20
_VERBS = ("fix", "write", "review", "deploy", "explain", "translate")
_THINGS = ("parser", "report", "invoice", "release", "database", "letter", "test")


class Columns(NamedTuple):
    """The rows of one run in each table."""

    header: tuple[object, ...]
    row: tuple[object, ...]
    labels: Sequence[tuple[object, ...]]
    words: Sequence[tuple[object, ...]]


def filters(count: int) -> dict[str, RunFilter]:
    """One filter of each kind, on that many runs."""
    return {
        "none": RunFilter(),
        "open": RunFilter(open=True),
        "ended": RunFilter(open=False),
        "status, common": RunFilter(statuses=frozenset({RunStatus.COMPLETED})),
        "status, rare": RunFilter(statuses=frozenset({RunStatus.WAITING})),
        "statuses": RunFilter(statuses=frozenset({RunStatus.FAILED, RunStatus.QUEUED})),
        "agent": RunFilter(agent="agent_7"),
        "model": RunFilter(model="model_3"),
        "metadata, common": RunFilter(metadata={"team": "red"}),
        "metadata, rare": RunFilter(metadata={"user": "user17"}),
        "metadata, two": RunFilter(metadata={"team": "red", "user": "user17"}),
        "q, common": RunFilter(words=("fix",)),
        "q, rare": RunFilter(words=("user17",)),
        "q, id": RunFilter(words=(f"run_{count // 2:016}",)),
        "q, two words": RunFilter(words=("parser", "rev")),
        "q, one letter": RunFilter(words=("r",)),
        "q, nothing": RunFilter(words=("zebra",)),
        "batch": RunFilter(batch="batch_3"),
        "parent": RunFilter(parent="run_parent_5"),
        "forked_from": RunFilter(forked_from="run_fork_5"),
        "attention": RunFilter(attention=True),
        "no attention": RunFilter(attention=False),
        "conversation": RunFilter(conversation=True),
        "no conversation": RunFilter(conversation=False),
        "created_after": RunFilter(created_after=BEGAN + timedelta(seconds=count - 100)),
        "created_before": RunFilter(created_before=BEGAN + timedelta(seconds=count // 2)),
    }


ONE_DAY = RunFilter(created_after=BEGAN, created_before=BEGAN + timedelta(days=1))


async def fill(storage: str, count: int) -> None:
    """Write so many runs into an empty journal."""
    table = open_table(storage)
    await table.check()
    await table.close()
    adapter, _, where = storage.partition(":")
    runs = (_columns(number) for number in range(count))
    while chunk := [*islice(runs, CHUNK)]:
        if adapter == "sqlite":
            _insert(where, chunk)
        else:
            await _copy(where, chunk)
    if adapter == "postgres":
        await _analyse(where)


def _columns(number: int) -> Columns:
    run = f"run_{number:016}"
    rare = number % 1000 == 5
    begun = queued(
        agent=f"agent_{number * 7 % AGENTS}",
        model=f"model_{number % 5}",
        title=f"{_VERBS[number % 6]} the {_THINGS[number % 7]} number {number * 31 % 9973}",
        metadata={"team": ("red", "blue")[number % 2], "user": f"user{number * 13 % 997}"},
        submitted_at=BEGAN + timedelta(seconds=number),
        tenant=f"tenant_{number * 3 % TENANTS}",
        batch=f"batch_{number // 1000}" if number % 10 == 0 else None,
        parent="run_parent_5" if rare else None,
        forked_from="run_fork_5" if rare else None,
        open=rare,
    )
    status = RunStatus.COMPLETED
    if number % 11 == 0:
        status = RunStatus.FAILED
    if number % 500 == 7:
        status = [RunStatus.QUEUED, RunStatus.RUNNING, RunStatus.WAITING][number // 500 % 3]
    bodies = (begun, *FURTHER[status])
    at = microseconds(begun.submitted_at)
    events = [
        StoredEvent(run, n, at, body.type, None, None, "k", NewEvent(body=body).data_json())
        for n, body in enumerate(bodies, 1)
    ]
    row = row_of(events)
    entry = entry_of(row)
    attention = "no worker" if status is RunStatus.RUNNING else None
    ended = at if status.ended else None
    return Columns(
        (run, 1, len(bodies), at, ended),
        (run, *[len(bodies)] * 2, dump_row(row), entry.text, attention, *columns_of(row)),
        *entries(row, entry),
    )


_HEADER = ("run_id", "first_seq", "last_seq", "last_at_us", "ended_at_us")
_ROW = ("run_id", "folded_seq", "summed_seq", "state", "words", "attention", *RowColumns._fields)
_LABELS = ("tenant", "key", "value", "created_us", "run_id")
_WORDS = ("tenant", "word", "created_us", "run_id")
_TABLES = (("runs", _HEADER), ("run_rows", _ROW), ("run_labels", _LABELS), ("run_words", _WORDS))


def _records(chunk: Sequence[Columns]) -> Iterator[list[tuple[object, ...]]]:
    yield [it.header for it in chunk]
    yield [it.row for it in chunk]
    yield [label for it in chunk for label in it.labels]
    yield [word for it in chunk for word in it.words]


def _insert(file: str, chunk: Sequence[Columns]) -> None:
    with closing(sqlite3.connect(file)) as db, db:
        for (name, columns), records in zip(_TABLES, _records(chunk), strict=True):
            places = ", ".join("?" * len(columns))
            into = f"INSERT INTO {name} ({', '.join(columns)}) VALUES ({places})"  # noqa: S608
            db.executemany(into, records)


async def _copy(dsn: str, chunk: Sequence[Columns]) -> None:
    connection = await asyncpg.connect(dsn)
    for (name, columns), records in zip(_TABLES, _records(chunk), strict=True):
        await connection.copy_records_to_table(
            name, schema_name="relayline", columns=columns, records=records
        )
    await connection.close()


async def _analyse(dsn: str) -> None:
    """As autovacuum does soon after."""
    connection = await asyncpg.connect(dsn)
    for name, _ in _TABLES:
        await connection.execute(f"VACUUM (ANALYZE) relayline.{name}")
    await connection.close()


async def measure(storage: str, count: int, rounds: int = 40) -> dict[str, tuple[float, float]]:
    """Milliseconds of a list of 50 by each filter: the median, and the 95th of 100."""
    found: dict[str, tuple[float, float]] = {}
    table = open_table(storage)

    for name, wanted in filters(count).items():
        took: list[float] = []
        for _ in range(rounds):
            began = time.perf_counter()
            await table.list_runs(EVERY, wanted, 50)
            took.append((time.perf_counter() - began) * 1000)
        took.sort()
        found[name] = (took[len(took) // 2], took[int(len(took) * 0.95)])
    await table.close()
    return found


async def main() -> None:
    """Print what `measure` finds; arguments: a storage, and how many runs it gets."""

    storage, count = sys.argv[1], int(sys.argv[2])
    await fill(storage, count)
    for name, (median, p95) in (await measure(storage, count)).items():
        sys.stdout.write(f"{name:20} {median:7.2f} {p95:7.2f} ms\n")


if __name__ == "__main__":
    asyncio.run(main())
