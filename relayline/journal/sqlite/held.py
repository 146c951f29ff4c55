"""The calls that workers hold, in the SQLite journal: begun, and not ended."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection

from relayline.journal.beats import Attempted, HeldCall
from relayline.journal.port import SEALED, Fence

HELD = """
CREATE TABLE IF NOT EXISTS held (
    worker TEXT NOT NULL,
    run_id TEXT NOT NULL,
    scope TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    activity_id TEXT NOT NULL,
    task_token BLOB NOT NULL,
    PRIMARY KEY (worker, run_id, scope)
) WITHOUT ROWID
"""
"""Older files get it on opening, and older versions ignore it. It has the calls that run now, so
whatever scans it is quick."""


def hold(db: sqlite3.Connection, run_id: str, fence: Fence) -> None:
    """Keep who holds the call; a sealed one is held by nobody."""
    scope, attempt, holder = fence
    if holder is not None:
        worker, activity_id, token = holder
        db.execute(
            "INSERT OR REPLACE INTO held (worker, run_id, scope, attempt, activity_id, task_token)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (worker, run_id, scope, attempt, activity_id, token),
        )
    elif attempt == SEALED:
        db.execute("DELETE FROM held WHERE run_id = ? AND scope = ?", (run_id, scope))


def held(db: sqlite3.Connection, worker: str) -> list[HeldCall]:
    """`Beats.held`."""
    rows = db.execute(
        "SELECT run_id, scope, attempt, activity_id, task_token FROM held WHERE worker = ?",
        (worker,),
    )
    return [HeldCall(Attempted(*row[:3]), row[3], row[4]) for row in rows]


def release(db: sqlite3.Connection, worker: str, ended: Collection[Attempted]) -> None:
    """`Beats.release`, in a transaction of its own."""
    db.execute("BEGIN IMMEDIATE")
    try:
        db.executemany(
            "DELETE FROM held WHERE worker = ? AND run_id = ? AND scope = ? AND attempt = ?",
            [(worker, *each) for each in ended],
        )
        db.execute("COMMIT")
    except BaseException:
        db.execute("ROLLBACK")
        raise


def forget(db: sqlite3.Connection, run_id: str) -> None:
    """Forget every call of a run."""
    db.execute("DELETE FROM held WHERE run_id = ?", (run_id,))
