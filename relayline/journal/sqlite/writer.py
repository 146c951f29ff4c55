"""The writer thread of the SQLite journal, one per process: many appends share a commit."""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Generic, TypeVar

from relayline.journal.port import JournalError
from relayline.journal.sqlite.file import (
    BUSY_POLL_S,
    BUSY_WAIT_S,
    JournalFile,
    Link,
    is_busy,
    is_storage_fault,
)
from relayline.journal.sqlite.together import DeltaAppend, append_together

T = TypeVar("T")
_GROUP = 500
"""The most jobs in one commit."""


@dataclass(eq=False, slots=True)
class _Job(Generic[T]):
    work: Callable[[sqlite3.Connection], T]
    synced: bool
    deadline: float
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[T]
    deltas: DeltaAppend | None = None
    """The work, if it is an append of deltas."""
    settle: Callable[[], None] = lambda: None
    """Resolves the caller's future; must be called in its loop."""

    def succeed(self, result: T) -> None:
        self.settle = lambda: self.future.set_result(result)

    def fail(self, error: Exception) -> None:
        self.settle = lambda: self.future.set_exception(error)


class Writer:
    """Commits jobs in order of submission; all queued jobs share one transaction.

    A job that raises is rolled back and does not affect the other jobs of its group.
    """

    def __init__(self, file: JournalFile) -> None:
        self._file = file
        self._link = Link(file)
        self._queue: queue.SimpleQueue[_Job[Any] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._synced: tuple[sqlite3.Connection, bool] | None = None

    async def submit(
        self,
        work: Callable[[sqlite3.Connection], T],
        *,
        synced: bool,
        deltas: DeltaAppend | None = None,
    ) -> T:
        """Run `work` in a transaction, and return its result once that is committed.

        With `synced` the commit is on the disk, without it in the operating system's cache.
        `deltas` says the same as `work`, if it is an append of deltas: those run together.

        Raises:
            JournalUnavailable: the storage did not answer within `BUSY_WAIT_S`, or the journal is
                closed.
            Exception: raised by `work`.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        job = _Job(work, synced, time.monotonic() + BUSY_WAIT_S, loop, future, deltas)
        with self._lock:
            if self._closed:
                raise self._file.closed()
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="journal-writer", daemon=True
                )
                self._thread.start()
            self._queue.put(job)
        return await future

    def close(self) -> None:
        """Commit the submitted jobs and end the thread. Blocks; safe to call twice."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._queue.put(None)
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        more = True
        while more:
            group, more = self._take()
            self._commit(group)
        self._link.close()

    def _take(self) -> tuple[list[_Job[Any]], bool]:
        """Wait for jobs and take all that are queued; False if there will be no more."""
        group: list[_Job[Any]] = []
        with suppress(queue.Empty):
            while len(group) < _GROUP:
                job = self._queue.get(block=not group)
                if job is None:
                    return group, False
                group.append(job)
        return group, True

    def _commit(self, group: list[_Job[Any]]) -> None:
        try:
            while group and (db := self._begin(group)) is None:
                group = _without_expired(group, self._file)
                time.sleep(BUSY_POLL_S)
            if group and db:
                for deltas, jobs in groupby(group, key=_has_deltas):
                    perform = _perform_together if deltas else _perform_each
                    perform(db, [*jobs])
                db.execute("COMMIT")
        except sqlite3.Error as error:
            self._abandon(group, self._file.unavailable(error))
        except Exception as error:  # noqa: BLE001  the callers get it; the thread must survive
            self._abandon(group, error)
        _settle(group)

    def _begin(self, group: Sequence[_Job[Any]]) -> sqlite3.Connection | None:
        """Take the write lock; None if another process holds it."""
        synced = any(job.synced for job in group)
        try:
            db = self._link.connection()
            if self._synced != (db, synced):
                db.execute(f"PRAGMA synchronous = {'FULL' if synced else 'NORMAL'}")
                self._synced = (db, synced)
            db.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if not is_busy(error):
                raise
            return None
        return db

    def _abandon(self, group: Sequence[_Job[Any]], error: Exception) -> None:
        """Fail the whole group; closing the connection rolls the transaction back."""
        self._link.close()
        for job in group:
            job.fail(error)


def _has_deltas(job: _Job[Any]) -> bool:
    return job.deltas is not None


def _perform_together(db: sqlite3.Connection, jobs: Sequence[_Job[Any]]) -> None:
    """Run appends of deltas in a savepoint; one by one if their data can't be stored together."""
    db.execute("SAVEPOINT jobs")
    try:
        outcomes = append_together(db, [job.deltas for job in jobs if job.deltas])
    except Exception as error:
        if is_storage_fault(error):
            raise
        db.execute("ROLLBACK TO jobs")
        _perform_each(db, jobs)
    else:
        for job, outcome in zip(jobs, outcomes, strict=True):
            if isinstance(outcome, JournalError):
                job.fail(outcome)
            else:
                job.succeed(outcome)
    db.execute("RELEASE jobs")


def _perform_each(db: sqlite3.Connection, jobs: Sequence[_Job[Any]]) -> None:
    for job in jobs:
        _perform(db, job)


def _perform(db: sqlite3.Connection, job: _Job[Any]) -> None:
    """Run one job in a savepoint."""
    db.execute("SAVEPOINT job")
    try:
        job.succeed(job.work(db))
    except Exception as error:
        if is_storage_fault(error):
            raise
        db.execute("ROLLBACK TO job")
        job.fail(error)
    db.execute("RELEASE job")


def _without_expired(group: Sequence[_Job[Any]], file: JournalFile) -> list[_Job[Any]]:
    """The jobs before their deadline; the others fail because the lock is held."""
    now = time.monotonic()
    expired = [job for job in group if job.deadline < now]
    for job in expired:
        job.fail(file.locked())
    _settle(expired)
    return [job for job in group if job.deadline >= now]


def _settle(group: Sequence[_Job[Any]]) -> None:
    """Resolve all futures, waking each event loop once."""
    by_loop: defaultdict[asyncio.AbstractEventLoop, list[_Job[Any]]] = defaultdict(list)
    for job in group:
        by_loop[job.loop].append(job)
    for loop, jobs in by_loop.items():
        with suppress(RuntimeError):  # that loop is closed: nobody waits for the answer
            loop.call_soon_threadsafe(_answer, jobs)


def _answer(jobs: Sequence[_Job[Any]]) -> None:
    for job in jobs:
        if not job.future.done():  # done: the caller was cancelled
            job.settle()
