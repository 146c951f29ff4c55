"""The watcher thread of the SQLite journal, one per process: delivers new events to tails."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial

from relayline.contracts.envelope import StoredEvent
from relayline.journal.changes import Changes
from relayline.journal.port import JournalUnavailable
from relayline.journal.sqlite import run_rows
from relayline.journal.sqlite.file import BUSY_WAIT_S, JournalFile, Link
from relayline.journal.sqlite.sql import data_version, last_id, newer
from relayline.journal.sqlite.watch.log_writes import LogWrites
from relayline.journal.subscription import Subscription

_ROWS_POLL_S = 0.02
"""While nobody follows a run, only lists."""
_RETRY_S = 0.05
_CHUNK = 200
_Reader = Subscription | Changes
_Notice = tuple[_Reader, Callable[[], None]]


class Watcher:
    """Looks for commits of any process while there are subscriptions; otherwise it sleeps."""

    def __init__(self, file: JournalFile) -> None:
        self._file = file
        self._link = Link(file)
        self._writes = LogWrites(file.path)
        self._lock = threading.Lock()
        self._subscriptions: defaultdict[str, set[Subscription]] = defaultdict(set)
        self._watched = threading.Event()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._db: sqlite3.Connection | None = None
        self._version = 0
        self._last_id = 0
        self._changes: set[Changes] = set()
        self._change = run_rows.Mark(0, 0)
        """The newest change of a row that was delivered."""
        self._healthy_at = 0.0

    def subscribe(self, run_id: str) -> Subscription:
        """Deliver events of the run from now on; the first `take` returns None.

        Raises:
            JournalUnavailable: the journal was closed.
        """
        subscription = Subscription(run_id)
        with self._lock:
            self._begin()
            self._subscriptions[run_id].add(subscription)
        return subscription

    def watch_rows(self) -> Changes:
        """Deliver the ids of changed rows from the first `take` on, which returns None.

        Raises:
            JournalUnavailable: the journal was closed.
        """
        changes = Changes()
        with self._lock:
            self._begin()
            self._changes.add(changes)
        return changes

    def _begin(self) -> None:
        """See to it that the thread watches."""
        if self._closed:
            raise self._file.closed()
        self._watched.set()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="journal-watcher", daemon=True)
            self._thread.start()

    def unsubscribe(self, subscription: Subscription) -> None:
        """Deliver no more; safe to call twice."""
        with self._lock:
            of_run = self._subscriptions[subscription.run_id]
            of_run.discard(subscription)
            if not of_run:
                del self._subscriptions[subscription.run_id]
            self._rest()

    def unwatch_rows(self, changes: Changes) -> None:
        """Deliver no more; safe to call twice."""
        with self._lock:
            self._changes.discard(changes)
            self._rest()

    def _rest(self) -> None:
        """Let the thread sleep if nobody watches."""
        if not self._subscriptions and not self._changes and not self._closed:
            self._watched.clear()

    def close(self) -> None:
        """End the thread and fail all tails. Blocks; safe to call twice."""
        with self._lock:
            self._closed = True
            self._watched.set()
        if self._thread is not None:
            self._thread.join()
        self._fail_all(self._file.closed())

    def _run(self) -> None:
        self._healthy_at = time.monotonic()
        while self._await_watched():
            try:
                found = self._link.use(self._poll)
            except JournalUnavailable as error:
                if time.monotonic() - self._healthy_at >= BUSY_WAIT_S:
                    self._fail_all(error)
                time.sleep(_RETRY_S)
            else:
                self._healthy_at = time.monotonic()
                if self._subscriptions:
                    self._writes.sleep(found=found)
                else:
                    time.sleep(_ROWS_POLL_S)
        self._writes.close()
        self._link.close()

    def _await_watched(self) -> bool:
        """Sleep while there is no subscription; False if the journal is closed."""
        if not self._watched.is_set():
            self._watched.wait()
            self._db = None  # new tails read earlier events themselves
            self._healthy_at = time.monotonic()
        return not self._closed

    def _poll(self, db: sqlite3.Connection) -> bool:
        """Deliver events committed since the last poll; True if there was a commit."""
        if db is not self._db:
            self._start_at_end(db)
            return True
        version = data_version(db)
        is_new = version != self._version
        if self._changes:
            self._poll_rows(db, is_new=is_new)
        if is_new:
            self._poll_events(db)
        self._version = version
        return is_new

    def _poll_events(self, db: sqlite3.Connection) -> None:
        if not self._subscriptions:
            newest = last_id(db)
            if not self._subscriptions:  # a tail that begins later reads these itself
                self._last_id = newest
                return
        more = True
        while more:
            self._last_id, events = newer(db, self._last_id, _CHUNK)
            self._deliver(events)
            more = len(events) == _CHUNK

    def _poll_rows(self, db: sqlite3.Connection, *, is_new: bool) -> None:
        """Deliver the ids of rows that have changed, and begin with new readers."""
        with self._lock:
            fresh = [each for each in self._changes if not each.begun]
            others = [each for each in self._changes if each.begun]
        if is_new:
            found, newest = run_rows.changed(db, self._change)
            if newest.event_id < self._change.event_id:  # a run was withdrawn
                _notify((each, each.miss) for each in others)
            self._change = newest
            if found:
                _notify((each, partial(each.deliver, found)) for each in others)
        for each in fresh:
            each.begun = True
        _notify((each, each.miss) for each in fresh)

    def _start_at_end(self, db: sqlite3.Connection) -> None:
        """Start with the next commit; tails read earlier events from the journal."""
        self._writes.watch()  # first: a commit that comes in between is in what is read now
        self._version = data_version(db)
        self._last_id = last_id(db)
        self._change = run_rows.newest_change(db)
        self._db = db
        with self._lock:
            subscriptions = [each for of_run in self._subscriptions.values() for each in of_run]
            changes = [*self._changes]
        for each in changes:
            each.begun = True
        _notify((each, each.fall_behind) for each in subscriptions)
        _notify((each, each.miss) for each in changes)

    def _deliver(self, events: Sequence[StoredEvent]) -> None:
        by_run: defaultdict[str, list[StoredEvent]] = defaultdict(list)
        for event in events:
            if event.run_id in self._subscriptions:
                by_run[event.run_id].append(event)
        with self._lock:
            notices = [
                (each, _delivery(each, of_run))
                for run_id, of_run in by_run.items()
                for each in self._subscriptions.get(run_id, ())
            ]
        _notify(notices)

    def _fail_all(self, error: JournalUnavailable) -> None:
        with self._lock:
            readers: list[_Reader] = [*self._changes]
            readers += [each for of_run in self._subscriptions.values() for each in of_run]
            self._subscriptions.clear()
            self._changes.clear()
            self._rest()
        _notify((each, partial(each.fail, error)) for each in readers)


def _delivery(subscription: Subscription, events: Sequence[StoredEvent]) -> Callable[[], None]:
    return lambda: subscription.deliver(events)


def _notify(notices: Iterable[_Notice]) -> None:
    """Call each notice in the event loop of its reader, waking each loop once."""
    by_loop: defaultdict[asyncio.AbstractEventLoop, list[Callable[[], None]]] = defaultdict(list)
    for reader, notice in notices:
        by_loop[reader.loop].append(notice)
    for loop, of_loop in by_loop.items():
        with suppress(RuntimeError):  # that loop is closed, and its tails with it
            loop.call_soon_threadsafe(_call_all, of_loop)


def _call_all(notices: Sequence[Callable[[], None]]) -> None:
    for notice in notices:
        notice()
