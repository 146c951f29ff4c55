"""Beats on SQLite: a file of their own, so that they wake no tail; calls are in the journal."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import TypeVar

from relayline.journal.beats import Attempted, HeldCall, beats_path
from relayline.journal.port import JournalUnavailable
from relayline.journal.sqlite import held as sql_held
from relayline.journal.sqlite.file import JournalFile, Link, is_busy
from relayline.journal.sqlite.sql import data_version

T = TypeVar("T")
ANSWER_S = 0.5
"""How long to wait for a lock that another process holds."""
_BUSY_POLL_S = 0.005
_TELL_POLL_S = 0.125
"""How long a run that was told of may wait for a look."""
_TOLD_KEPT = 1000
_SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = OFF;
CREATE TABLE IF NOT EXISTS beats (worker TEXT PRIMARY KEY, counter INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS told (id INTEGER PRIMARY KEY AUTOINCREMENT, run_id TEXT NOT NULL);
"""


def forget_told(journal: Path, run_id: str) -> None:
    """Forget that workers were told of the run.

    Raises:
        JournalUnavailable: the file of beats did not answer.
    """
    path = beats_path(journal.absolute())
    if not path.exists():
        return
    try:
        with closing(sqlite3.connect(path, timeout=ANSWER_S)) as db, db:
            for statement in filter(str.strip, _SCHEMA.split(";")):
                db.execute(statement).fetchall()
            db.execute("DELETE FROM told WHERE run_id = ?", (run_id,))
    except sqlite3.Error as error:
        said = f"the beats in {path} are unavailable ({error})"
        raise JournalUnavailable(said) from error


class SqliteBeats:
    """`journal.beats.Beats`, for any number of processes on one host.

    The file is created when it is missing, also later: it holds nothing that can't be lost.
    """

    def __init__(self, journal: Path) -> None:
        self._path = beats_path(journal.absolute())
        self._journal = Link(JournalFile(journal))
        self._db: sqlite3.Connection | None = None
        self._inode: int | None = None
        self._told: int | None = None
        self._version = -1
        self._others = True
        """False while no other worker beats, which could tell."""

    async def beat(self, worker: str, counter: int) -> None:
        """As in the port."""
        self._use(
            lambda db: db.execute(
                "INSERT INTO beats VALUES (?, ?) "
                "ON CONFLICT (worker) DO UPDATE SET counter = excluded.counter",
                (worker, counter),
            )
        )

    async def counters(self) -> Mapping[str, int]:
        """As in the port."""
        known = dict(self._use(lambda db: db.execute("SELECT * FROM beats").fetchall()))
        self._others = len(known) > 1
        return known

    async def leave(self, worker: str) -> None:
        """As in the port."""
        self._use(lambda db: db.execute("DELETE FROM beats WHERE worker = ?", (worker,)))

    async def held(self, worker: str) -> Sequence[HeldCall]:
        """As in the port."""
        until = time.monotonic() + ANSWER_S
        return self._journal.use(lambda db: sql_held.held(db, worker), until)

    async def release(self, worker: str, ended: Collection[Attempted]) -> None:
        """As in the port."""
        until = time.monotonic() + ANSWER_S
        self._journal.use(lambda db: sql_held.release(db, worker, ended), until)

    async def tell(self, run_id: str) -> None:
        """As in the port."""

        def insert(db: sqlite3.Connection) -> None:
            newest = db.execute("INSERT INTO told (run_id) VALUES (?)", (run_id,)).lastrowid or 0
            db.execute("DELETE FROM told WHERE id <= ?", (newest - _TOLD_KEPT,))

        self._use(insert)

    async def told(self, within_s: float) -> Collection[str]:
        """As in the port; looks every `_TELL_POLL_S`, and not at the end: the next call does.

        While no other worker is known, it looks once.
        """
        deadline = time.monotonic() + within_s
        poll_s = _TELL_POLL_S if self._others else within_s
        while True:
            found = self._use(self._newly_told)
            left_s = deadline - time.monotonic()
            if found or left_s <= 0:
                return found
            await asyncio.sleep(min(left_s, poll_s))
            if left_s <= poll_s:
                return frozenset()

    async def close(self) -> None:
        """As in the port."""
        self._drop()
        self._journal.close()

    def _newly_told(self, db: sqlite3.Connection) -> frozenset[str]:
        version = data_version(db)
        if version == self._version:
            return frozenset()
        self._version = version
        if self._told is None:
            newest = db.execute("SELECT coalesce(max(id), 0) FROM told").fetchone()
            self._told = int(newest[0])
        rows = db.execute("SELECT id, run_id FROM told WHERE id > ?", (self._told,)).fetchall()
        self._told = max([self._told, *(row[0] for row in rows)])
        return frozenset(row[1] for row in rows)

    def _use(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` on the file of beats, and retry while that is locked."""
        deadline = time.monotonic() + ANSWER_S
        while True:
            try:
                return work(self._connection())
            except (sqlite3.Error, OSError) as error:
                if not (isinstance(error, sqlite3.Error) and is_busy(error)):
                    self._drop()
                    raise self._unavailable(error) from error
                if time.monotonic() >= deadline:
                    raise self._unavailable(error) from error
            time.sleep(_BUSY_POLL_S)

    def _connection(self) -> sqlite3.Connection:
        """A connection to the file that is at the path now."""
        with suppress(FileNotFoundError):
            if self._db is not None and os.stat(self._path).st_ino == self._inode:
                return self._db
        self._drop()
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with suppress(FileExistsError):
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        db = sqlite3.connect(self._path, timeout=0, isolation_level=None, check_same_thread=False)
        try:
            for statement in filter(str.strip, _SCHEMA.split(";")):
                db.execute(statement).fetchall()
            self._inode = os.stat(self._path).st_ino
        except BaseException:
            db.close()
            raise
        self._db = db
        return db

    def _drop(self) -> None:
        if self._db is not None:
            self._db.close()
        self._db = self._told = None
        self._version = -1

    def _unavailable(self, error: Exception) -> JournalUnavailable:
        return JournalUnavailable(f"the beats in {self._path} are unavailable ({error})")
