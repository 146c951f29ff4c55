"""The SQL of the Postgres journal, and the meaning of its results."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

from asyncpg import Record

from relayline.contracts.envelope import StoredEvent
from relayline.contracts.events import TERMINAL_TYPES
from relayline.journal.port import (
    SEALED,
    Appended,
    CursorExpired,
    Fence,
    RunEnded,
    RunErased,
    StaleAttempt,
)
from relayline.journal.rows import NewRow
from relayline.journal.subscription import Page
from relayline.projections.selection import MAX_SEQ, Selection
from relayline.projections.valid import DELTAS, REWOUND

SCHEMA = "relayline"
"""The Postgres schema of the journal."""
REVISION = "0019"
"""The newest migration; revisions count up, and each stays compatible with older processes."""
CHANNELS = 16
"""Number of NOTIFY channels that all runs share."""
SWEEP_BATCH = 1000
NOBODY = (None, None, None)
AUDIT_LOCK = ("SELECT pg_advisory_xact_lock(7165233109)", ())
"""Until the transaction ends, nobody else seals or sweeps the audit log of this database."""

_COLUMNS = "e.run_id, e.seq, e.at_us, e.type, e.step, e.attempt, e.key, e.data"
APPEND = """
SELECT refusal, detail, placed, fresh
FROM relayline.append_events($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
"""
FOLDING = """
SELECT refusal, detail, placed, fresh, first_seq, at_us, state, is_stale
FROM relayline.append_folding($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
"""
"""Like `APPEND`, and returns what folding the facts into the run's row needs."""


def _held(append: str) -> str:
    return f"""
WITH appended AS MATERIALIZED ({append}), held AS (
    INSERT INTO relayline.held (worker, run_id, scope, attempt, activity_id, task_token)
    SELECT $11, $1, $3, $4, $12, $13 FROM appended WHERE refusal IS NULL AND $11::text IS NOT NULL
    ON CONFLICT (worker, run_id, scope) DO UPDATE SET attempt = excluded.attempt,
        activity_id = excluded.activity_id, task_token = excluded.task_token
), freed AS (
    DELETE FROM relayline.held h USING appended
    WHERE refusal IS NULL AND $4 = {SEALED} AND h.run_id = $1 AND h.scope = $3
) SELECT * FROM appended
"""  # noqa: S608  constants only


HELD = {append: _held(append) for append in (APPEND, FOLDING)}
"""The same, and they keep in the same transaction who holds the call."""
NOTIFY_ALL = """
SELECT set_config('synchronous_commit', 'off', true), pg_notify(channel, run_id)
FROM unnest($1::text[], $2::text[]) AS appended (channel, run_id)
"""
"""Notify the watchers of these runs, without a wait for the disk."""
PAGE = f"""
SELECT r.first_seq, r.last_seq, r.ended_at_us IS NOT NULL, {_COLUMNS}
FROM relayline.runs r LEFT JOIN LATERAL (
    SELECT * FROM relayline.events WHERE run_id = r.run_id AND seq > $2 ORDER BY seq LIMIT $3
) e ON true
WHERE r.run_id = $1 ORDER BY e.seq
"""  # noqa: S608  constants only
READ = f"""
SELECT r.first_seq, r.last_seq, r.ended_at_us IS NOT NULL, {_COLUMNS}
FROM relayline.runs r LEFT JOIN LATERAL (
    SELECT * FROM (
        SELECT *, sum(octet_length(data)) OVER (ORDER BY seq) AS upto FROM (
            SELECT * FROM relayline.events
            WHERE run_id = r.run_id AND seq > $2 ORDER BY seq LIMIT $3
        ) page
    ) measured WHERE $4::bigint IS NULL OR upto <= $4 OR upto = octet_length(data)
) e ON true
WHERE r.run_id = $1 ORDER BY e.seq
"""  # noqa: S608  constants only
"""Like `PAGE`, with a bound in bytes; Postgres knows the length of data without reading it."""
FACTS = READ.replace("seq > $2", "seq > $2 AND key IS NOT NULL")
SELECTED = READ.replace(
    "seq > $2",
    "seq > $2 AND seq < $5::bigint AND (seq > $6::bigint OR type <> ALL ($7::text[])) "
    "AND (cardinality($8::text[]) = 0 OR type = ANY ($8::text[]))",
)
_NEWEST_SELECTED = SELECTED.replace("ORDER BY seq", "ORDER BY seq DESC")
FACT = f"""
SELECT {_COLUMNS} FROM relayline.events e WHERE e.run_id = $1 AND e.key = $2
AND EXISTS (SELECT 1 FROM relayline.runs h WHERE h.run_id = e.run_id)
"""  # noqa: S608  constants only
NEWER = f"""
SELECT {_COLUMNS} FROM unnest($1::text[], $2::bigint[]) AS woken (run_id, after)
CROSS JOIN LATERAL (
    SELECT * FROM relayline.events WHERE run_id = woken.run_id AND seq > woken.after
    ORDER BY seq LIMIT $3
) e ORDER BY e.run_id, e.seq
"""  # noqa: S608  constants only
HEAD = """
SELECT first_seq, last_seq, ended_at_us IS NOT NULL, NULL AS erased FROM relayline.runs
WHERE run_id = $1 AND last_seq > 0
UNION ALL SELECT 0, 0, false, tenant FROM relayline.erased WHERE digest = relayline.digest_of($1)
"""
"""The last column is the tenant of a run that was erased."""
FENCED = "SELECT attempt FROM relayline.fences WHERE run_id = $1 AND scope = $2"
OPEN = """
SELECT run_id, last_at_us FROM relayline.runs
WHERE ended_at_us IS NULL AND run_id > $1 AND last_at_us < $2 AND last_seq > 0
ORDER BY run_id LIMIT $3
"""
SWEEP = """
WITH picked AS (
    SELECT run_id, least(first_seq + $2, last_seq + 1) AS kept_from,
        first_seq + $2 > last_seq AS whole
    FROM relayline.runs r WHERE ended_at_us < $1 AND NOT swept AND NOT (
        EXISTS (SELECT 1 FROM relayline.untold u WHERE u.run_id = r.run_id) OR EXISTS (
            SELECT 1 FROM relayline.deliveries d WHERE d.run_id = r.run_id AND d.state = 'pending')
    ) ORDER BY ended_at_us LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED
), deliveries_gone AS (
    DELETE FROM relayline.deliveries d USING picked p WHERE d.run_id = p.run_id AND p.whole
), events_gone AS (
    DELETE FROM relayline.events e USING picked p WHERE e.run_id = p.run_id AND e.seq < p.kept_from
), fences_gone AS (
    DELETE FROM relayline.fences f USING picked p WHERE f.run_id = p.run_id AND p.whole
), held_gone AS (
    DELETE FROM relayline.held h USING picked p WHERE h.run_id = p.run_id AND p.whole
), names_gone AS (
    DELETE FROM relayline.webhook_runs w USING picked p WHERE w.run_id = p.run_id AND p.whole
)
UPDATE relayline.runs r SET first_seq = p.kept_from, swept = p.whole
FROM picked p WHERE r.run_id = p.run_id RETURNING p.whole
"""
"""Delete the oldest events of one run that ended before; returns whether they were its last.

Runs of which receivers must still be told are left out."""
TOUCH = """
INSERT INTO relayline.health (checked_at) VALUES (now())
ON CONFLICT (id) DO UPDATE SET checked_at = excluded.checked_at
"""
CURRENT_REVISION = "SELECT max(version_num) FROM relayline.alembic_version"
IS_BOUND = "SELECT coalesce(row_security_active(to_regclass('relayline.run_rows')::oid), false)"
"""True if the policies of the tables hold for this role."""


def channel_of(run_id: str) -> str:
    """The NOTIFY channel of the run."""
    return f"relayline_{zlib.crc32(run_id.encode()) % CHANNELS}"


def append_arguments(
    run_id: str, rows: Sequence[NewRow], fence: Fence | None, *, notify: bool = True
) -> tuple[object, ...]:
    """The arguments of `APPEND` and `FOLDING`; with `notify`, its commit notifies the watchers."""
    types, steps, attempts, keys, data = (
        ([], [], [], [], []) if not rows else map(list, zip(*rows, strict=True))
    )
    scope, attempt = (fence.scope, fence.attempt) if fence else (None, None)
    kinds = [_kind(row.type) for row in rows]
    where = (run_id, channel_of(run_id) if notify else None, scope, attempt)
    return (*where, types, steps, attempts, keys, data, kinds)


def holder_arguments(fence: Fence | None) -> tuple[object, ...] | None:
    """The further arguments of those in `HELD`; None if nobody takes or loses a call."""
    if fence and fence.holder:
        return tuple(fence.holder)
    return NOBODY if fence and fence.attempt == SEALED else None


def _kind(event_type: str) -> str:
    """The effect of the event on the run: `ends`, `reopens` or `` (none)."""
    if event_type in TERMINAL_TYPES:
        return "ends"
    return "reopens" if event_type == REWOUND else ""


def appended(
    answer: Record, run_id: str, rows: Sequence[NewRow], fence: Fence | None
) -> list[Appended]:
    """Read the result of `APPEND` or `FOLDING`.

    Raises:
        StaleAttempt, RunEnded, RunErased: as in the port.
    """
    refusal, detail, placed, fresh = tuple(answer)[:4]
    if refusal == "stale":
        assert fence is not None  # noqa: S101  an attempt is stale only under a fence
        raise StaleAttempt(run_id, fence, detail)
    if refusal == "erased":
        raise RunErased(run_id)
    if refusal == "ended":
        refused = rows[detail - 1].type
        raise RunEnded(f"run {run_id!r} has ended: {refused!r} was not written")
    return [Appended(seq, new=new) for seq, new in zip(placed or (), fresh or (), strict=True)]


def has_new_events(answer: Record) -> bool:
    """True if the append added an event."""
    return answer["refusal"] is None and any(answer["fresh"] or ())


def reading(selection: Selection | None, *, facts: bool) -> tuple[str, tuple[object, ...]]:
    """The query of `Journal.read`, and its arguments after those of `READ`."""
    if selection is None:
        return (FACTS if facts else READ), ()
    types, deltas_after, before = selection
    query = SELECTED if before == MAX_SEQ else _NEWEST_SELECTED
    return query, (before, deltas_after, sorted(DELTAS), sorted(types))


def page(records: Sequence[Record], oldest: int) -> Page:
    """Read the result of a query of events, which must still have the one with `seq` oldest.

    Raises:
        CursorExpired: as in the port.
    """
    if not records:
        return Page([], ended=False, last_seq=0)
    first_seq, last_seq, ended = tuple(records[0])[:3]
    if oldest < first_seq:
        raise CursorExpired(first_seq)
    rows = (tuple(record)[3:] for record in records)
    events = [StoredEvent._make(row) for row in rows if row[0] is not None]
    reached = events[-1].seq if events else oldest - 1
    return Page(events, ended and reached >= last_seq, last_seq)
