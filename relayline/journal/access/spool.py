"""Rows of the audit log in local files, while the database is away."""

from __future__ import annotations

import errno
import fcntl
import json
import logging
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from relayline.journal.access.audit import AuditRow

_SUFFIX = ".jsonl"
_log = logging.getLogger(__name__)


class Spool:
    """A folder with a file per process; all methods block, and any thread may call them.

    A file is locked by the process that writes it, for as long as that lives and adds to it. What
    nobody writes any more, any process of this host may store and remove.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._fd: int | None = None

    def add(self, rows: Sequence[AuditRow]) -> None:
        """Add rows; they are on the disk then.

        Raises:
            OSError: they may not be.
        """
        lines = "".join(json.dumps(row, separators=(",", ":")) + "\n" for row in rows).encode()
        with self._lock:
            if self._fd is None:
                self._fd = self._new_file()
            try:
                _write(self._fd, lines)
            except OSError:  # what comes next must not continue a line that was cut off
                os.close(self._fd)
                self._fd = None
                raise

    def rotate(self) -> None:
        """Leave the file to whoever stores it; later rows go to a new one."""
        with self._lock:
            if self._fd is not None:
                os.close(self._fd)
                self._fd = None

    def left(self) -> list[Path]:
        """The files; those that are being written among them."""
        return sorted(self._folder.glob(f"*{_SUFFIX}"))

    @contextmanager
    def taken(self, path: Path) -> Iterator[list[AuditRow] | None]:
        """The rows of a file that nobody writes; it is removed after a block without error.

        None if somebody writes it, or another process is storing it. A last line that was cut off
        is left out: whoever wrote it has told nobody that it is kept. Any other line that is no row
        goes to the log of the process.
        """
        try:
            with path.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                yield [row for line in file if (row := _row(line))]
                with suppress(FileNotFoundError):
                    path.unlink()
        except (FileNotFoundError, BlockingIOError):
            yield None

    def _new_file(self) -> int:
        """A locked file: it gets its name only then, so that nobody takes it for an old one."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._folder / f"{uuid4().hex}{_SUFFIX}"
        fresh = path.with_suffix(".new")
        fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        fcntl.flock(fd, fcntl.LOCK_EX)
        fresh.rename(path)
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        return fd


def _write(fd: int, lines: bytes) -> None:
    if os.write(fd, lines) < len(lines):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    os.fsync(fd)


def _row(line: bytes) -> AuditRow | None:
    if not line.endswith(b"\n"):
        return None
    try:
        return AuditRow(*json.loads(line))
    except (ValueError, TypeError) as error:
        tell_lost(line.decode(errors="replace").strip(), str(error))
        return None


def tell_lost(row: str, reason: str) -> None:
    """Write a row into the log of the process, in its text: the log cuts fields, not texts.

    A row has no content, so that the log may have it.
    """
    _log.error("a row of the audit log is only here: %s", row, extra={"reason": reason})
