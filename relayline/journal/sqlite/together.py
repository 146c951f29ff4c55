"""Appends of deltas that share a commit: as `sql.append`, but in a few statements for all."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

from relayline.journal.port import (
    Appended,
    Fence,
    JournalError,
    RunEnded,
    RunErased,
    StaleAttempt,
)
from relayline.journal.rows import NewRow, now_us
from relayline.journal.sqlite.sql import ADVANCE, INSERT, RAISE_FENCE
from relayline.journal.sqlite.tombstones import erased_tenant

_HEADERS = """
SELECT run_id, last_seq, last_at_us, ended_at_us FROM runs
WHERE run_id IN (SELECT value FROM json_each(?))
"""
_FENCES = """
SELECT fences.run_id, fences.scope, fences.attempt
FROM json_each(?) AS asked CROSS JOIN fences
ON fences.run_id = json_extract(asked.value, '$[0]')
AND fences.scope = json_extract(asked.value, '$[1]')
"""
Scope = tuple[str, str]
"""A run and a scope of its fences."""


class DeltaAppend(NamedTuple):
    """One append; no row has a key, none ends its run."""

    run_id: str
    rows: Sequence[NewRow]
    fence: Fence


class _Header(NamedTuple):
    last_seq: int
    last_at_us: int
    ended_at_us: int | None


def append_together(
    db: sqlite3.Connection, appends: Sequence[DeltaAppend]
) -> list[list[Appended] | JournalError]:
    """The outcome of each append, in order: its places, or why nothing of it was written."""
    headers, fences = _headers(db, appends), _fences(db, appends)
    this_us = now_us()
    events: list[tuple[object, ...]] = []
    moved: dict[str, _Header] = {}
    raised: dict[Scope, int] = {}
    outcomes: list[list[Appended] | JournalError] = []
    for run_id, rows, fence in appends:
        scope = (run_id, fence.scope)
        by = fences.get(scope, 0)
        header = headers.get(run_id, _Header(0, 0, None))
        if by > fence.attempt:
            outcomes.append(StaleAttempt(run_id, fence, by))
        elif header.ended_at_us is not None:
            said = f"run {run_id!r} has ended: {rows[0].type!r} was not written"
            outcomes.append(RunEnded(said))
        elif run_id not in headers and erased_tenant(db, run_id) is not None:
            outcomes.append(RunErased(run_id))
        else:
            if by < fence.attempt:
                raised[scope] = fences[scope] = fence.attempt
            first, at_us = header.last_seq + 1, max(this_us, header.last_at_us)
            events += [(run_id, seq, at_us, *row) for seq, row in enumerate(rows, first)]
            last_seq = header.last_seq + len(rows)
            moved[run_id] = headers[run_id] = _Header(last_seq, at_us, None)
            outcomes.append([Appended(seq, new=True) for seq in range(first, last_seq + 1)])
    db.executemany(INSERT, events)
    db.executemany(ADVANCE, [(run_id, *header) for run_id, header in moved.items()])
    db.executemany(RAISE_FENCE, [(*scope, attempt) for scope, attempt in raised.items()])
    return outcomes


def _headers(db: sqlite3.Connection, appends: Sequence[DeltaAppend]) -> dict[str, _Header]:
    asked = json.dumps([append.run_id for append in appends])
    return {run_id: _Header(*header) for run_id, *header in db.execute(_HEADERS, (asked,))}


def _fences(db: sqlite3.Connection, appends: Sequence[DeltaAppend]) -> dict[Scope, int]:
    asked = json.dumps([(append.run_id, append.fence.scope) for append in appends])
    found = db.execute(_FENCES, (asked,))
    return {(run_id, scope): attempt for run_id, scope, attempt in found}
