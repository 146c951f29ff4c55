"""The file of the SQLite journal: its schema, its connections and its errors."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from relayline.journal.port import JournalUnavailable
from relayline.journal.sqlite.additions import add_missing

T = TypeVar("T")

APPLICATION_ID = int.from_bytes(b"Rlay")
"""Identifies a SQLite database as a journal."""
SCHEMA_VERSION = 1
BUSY_WAIT_S = 5.0
"""How long to wait for a lock that another process holds."""
BUSY_POLL_S = 0.001
"""SQLite's own busy handler backs off to 100 ms, far above the length of one commit."""

_MAX_IDLE_WAL_BYTES = 64 * 1024 * 1024
_SCHEMA = """
CREATE TABLE runs (
    run_id TEXT PRIMARY KEY,
    first_seq INTEGER NOT NULL,
    last_seq INTEGER NOT NULL,
    last_at_us INTEGER NOT NULL,
    ended_at_us INTEGER
) WITHOUT ROWID;
CREATE INDEX runs_to_sweep ON runs (ended_at_us)
    WHERE ended_at_us IS NOT NULL AND first_seq <= last_seq;
CREATE TABLE events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id TEXT NOT NULL,
    seq INTEGER NOT NULL,
    at_us INTEGER NOT NULL,
    type TEXT NOT NULL,
    step INTEGER,
    attempt INTEGER,
    key TEXT,
    data TEXT NOT NULL
);
CREATE UNIQUE INDEX events_by_seq ON events (run_id, seq);
CREATE UNIQUE INDEX facts_by_key ON events (run_id, key) WHERE key IS NOT NULL;
CREATE INDEX facts_by_seq ON events (run_id, seq) WHERE key IS NOT NULL;
CREATE TABLE fences (
    run_id TEXT NOT NULL,
    scope TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    PRIMARY KEY (run_id, scope)
) WITHOUT ROWID;
"""

_REMEDIES = {
    sqlite3.SQLITE_BUSY: "another process holds its lock; find and stop it",
    sqlite3.SQLITE_LOCKED: "another process holds its lock; find and stop it",
    sqlite3.SQLITE_FULL: "the disk is full; free some space",
    sqlite3.SQLITE_NOTADB: "it is not a SQLite database; move it away or name another file",
    sqlite3.SQLITE_CORRUPT: "it is damaged; restore a copy or move it away",
    sqlite3.SQLITE_CANTOPEN: "it can't be opened; check that it is a file this user may write",
    sqlite3.SQLITE_READONLY: "it can't be written; check its permissions and its folder's",
    sqlite3.SQLITE_PERM: "it can't be written; check its permissions and its folder's",
    sqlite3.SQLITE_IOERR: "the disk failed; check it",
}


class JournalFile:
    """The file of the journal. It is created on first use, and never again after that."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self._seen = False

    def identity(self) -> tuple[int, int] | None:
        """Device and inode of the file at the path, None if it does not exist yet.

        Raises:
            JournalUnavailable: the file existed and is gone.
        """
        try:
            found = os.stat(self.path)
        except OSError as error:
            if not self._seen:
                return None
            raise JournalUnavailable(
                f"the journal {self.path} is gone ({error.strerror}); put it back"
            ) from error
        return found.st_dev, found.st_ino

    def connect(self) -> sqlite3.Connection:
        """Open the file; the first time, create folder, file and schema.

        Raises:
            JournalUnavailable: the file can't be opened, or this version can't read it.
            sqlite3.OperationalError: the file is busy; retry.
        """
        self._check_no_orphaned_log()
        if not self._seen:
            self._make_place()
        mode = "rw" if self._seen else "rwc"
        connection = sqlite3.connect(
            f"{self.path.as_uri()}?mode={mode}",
            uri=True,
            timeout=0,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        self._seen = True
        return connection

    def _check_no_orphaned_log(self) -> None:
        """Refuse to open a journal whose file is missing or empty while its log is still there.

        Otherwise a process that starts while the file is missing would create an empty one, the
        others would continue in it, and SQLite would delete the log with the newest events.
        """
        log = Path(f"{self.path}-wal")
        # the log is checked first, because SQLite creates it second
        if self._size(log) is not None and not self._size(self.path):
            raise JournalUnavailable(
                f"the journal {self.path} is gone, but not its {log.name}; put it back, or move "
                f"{log.name} away, too, to begin a new one"
            )

    def _size(self, path: Path) -> int | None:
        """Size of the file in bytes, None if it does not exist."""
        try:
            return os.stat(path).st_size
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise JournalUnavailable(
                f"the journal {self.path} can't be accessed ({error.strerror}); give this user "
                "access to its folder, or name another with RELAYLINE_DATA_DIR"
            ) from error

    def _make_place(self) -> None:
        """Make the folder and an empty file, if they are missing, for this user alone."""
        folder = self.path.parent
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise JournalUnavailable(
                f"the journal's folder {folder} can't be created ({error.strerror}); "
                "name another with RELAYLINE_DATA_DIR"
            ) from error
        with suppress(OSError):  # it exists, or SQLite says what is wrong
            # exclusively: closing a file that exists would drop SQLite's locks on it
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))

    def _prepare(self, connection: sqlite3.Connection) -> None:
        if self._must_create(connection):
            self._create(connection)
        mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        if mode != "wal":
            raise JournalUnavailable(
                f"the journal {self.path} can't be shared between processes (journal mode "
                f"{mode!r}); keep it on a local disk"
            )
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA temp_store = MEMORY")  # else each savepoint makes a file
        add_missing(connection)
        connection.execute(f"PRAGMA journal_size_limit = {_MAX_IDLE_WAL_BYTES}").fetchall()

    def _must_create(self, connection: sqlite3.Connection) -> bool:
        """`_is_empty`, unless another process is creating the schema: it reads one snapshot."""
        connection.execute("BEGIN")
        try:
            return self._is_empty(connection)
        finally:
            connection.execute("ROLLBACK")

    def _is_empty(self, connection: sqlite3.Connection) -> bool:
        """True if the schema must be created, False if it exists; in the caller's transaction."""
        owner = connection.execute("PRAGMA application_id").fetchone()[0]
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
        if (owner, version, tables) == (0, 0, 0):
            if self._seen:
                raise JournalUnavailable(
                    f"the journal {self.path} was replaced by an empty file; put it back"
                )
            return True
        if owner != APPLICATION_ID:
            raise JournalUnavailable(
                f"{self.path} is a database of another program; name another file"
            )
        if version != SCHEMA_VERSION:
            raise JournalUnavailable(
                f"the journal {self.path} has schema {version}, this version knows "
                f"{SCHEMA_VERSION}; run a matching version or name another file"
            )
        return False

    def _create(self, connection: sqlite3.Connection) -> None:
        """Create the schema, unless another process was faster."""
        connection.execute("BEGIN IMMEDIATE")
        if self._is_empty(connection):
            for statement in _SCHEMA.split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        connection.execute("COMMIT")

    def unavailable(self, error: sqlite3.Error) -> JournalUnavailable:
        """The port's error for an error of SQLite, with a remedy."""
        remedy = _REMEDIES.get(_primary_code(error), "see the message")
        return JournalUnavailable(f"the journal {self.path} is unavailable ({error}): {remedy}")

    def closed(self) -> JournalUnavailable:
        """The port's error after this process has closed the journal."""
        return JournalUnavailable(f"the journal {self.path} is closed")

    def locked(self) -> JournalUnavailable:
        """The port's error for a lock that another process did not release."""
        return JournalUnavailable(
            f"the journal {self.path} was locked for {BUSY_WAIT_S:g} s: "
            f"{_REMEDIES[sqlite3.SQLITE_BUSY]}"
        )


def _primary_code(error: sqlite3.Error) -> int:
    """SQLite's primary result code, 0 for errors that are not from SQLite itself."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def is_busy(error: sqlite3.Error) -> bool:
    """True if another connection holds the lock; a retry may help."""
    return _primary_code(error) in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


def is_storage_fault(error: Exception) -> bool:
    """True for errors about the file; other errors of SQLite are about its input."""
    return type(error) in {sqlite3.OperationalError, sqlite3.DatabaseError}


class Link:
    """One connection to the file, opened when needed and reopened after errors.

    Not thread-safe.
    """

    def __init__(self, file: JournalFile) -> None:
        self.file = file
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None

    def connection(self) -> sqlite3.Connection:
        """A connection to the file that is at the path now.

        Raises:
            JournalUnavailable, sqlite3.Error: as in `JournalFile.connect`.
        """
        identity = self.file.identity()
        if self._connection is None or identity != self._identity:
            self.close()
            self._connection = self.file.connect()
            self._identity = self.file.identity()
        return self._connection

    def use(self, query: Callable[[sqlite3.Connection], T], deadline: float | None = None) -> T:
        """Run a query, and retry while the file is locked.

        Args:
            query: May run several times.
            deadline: End of the wait for a lock, on the monotonic clock; the default is
                `BUSY_WAIT_S` from now.

        Raises:
            JournalUnavailable: the storage did not answer; the next use opens a new connection.
        """
        deadline = deadline or time.monotonic() + BUSY_WAIT_S
        while True:
            try:
                return query(self.connection())
            except sqlite3.Error as error:
                if not is_storage_fault(error):
                    raise
                if not is_busy(error):
                    self.close()
                    raise self.file.unavailable(error) from error
                if time.monotonic() >= deadline:
                    raise self.file.locked() from error
            time.sleep(BUSY_POLL_S)

    def close(self) -> None:
        """Close the connection; the next use opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
