"""Wakes a reader when another process writes to the log of a SQLite file."""

from __future__ import annotations

import ctypes
import logging
import os
import select
import sys
import time
from pathlib import Path

POLL_S = 0.001
"""Time between two looks where the kernel can't say that a file was written."""
LONGEST_S = 0.010
"""The longest sleep, in case that the kernel said nothing."""
_COMMIT_S = 0.0005
"""From the first write of a commit until readers see it, if it need not wait for the disk."""
_LOOKS = 25
"""How often to look, `POLL_S` apart, for a commit that waits for the disk."""
_IN_MODIFY = 0x2
_log = logging.getLogger(__name__)


class LogWrites:
    """Sleeps until a commit may be there.

    On Linux the kernel tells of each write to the log (inotify), and SQLite writes the whole commit
    there before readers see it. Elsewhere, and where the kernel refuses, it polls. Not thread-safe.
    """

    def __init__(self, journal: Path) -> None:
        self._path = f"{journal}-wal".encode()
        self._fd: int | None = None
        self._writes = select.poll() if hasattr(select, "poll") else None
        self._looks = 0

    def watch(self) -> None:
        """Watch the log that is at the path now, and no other; it must exist."""
        self.close()
        if not sys.platform.startswith("linux") or self._writes is None:
            return
        kernel = ctypes.CDLL(None, use_errno=True)
        fd = kernel.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if fd < 0 or kernel.inotify_add_watch(fd, self._path, _IN_MODIFY) < 0:
            _log.info("polling the journal", extra={"reason": os.strerror(ctypes.get_errno())})
            if fd >= 0:
                os.close(fd)
            return
        self._writes.register(fd, select.POLLIN)
        self._fd = fd

    def sleep(self, *, found: bool) -> None:
        """Return when it is worth looking for a commit, after `LONGEST_S` at the latest.

        Args:
            found: True if the last look found one.
        """
        if self._fd is None or self._writes is None:
            time.sleep(POLL_S)
        elif self._looks and not found:
            self._looks -= 1
            time.sleep(POLL_S)
        elif self._writes.poll(LONGEST_S * 1000):
            self._looks = _LOOKS
            time.sleep(_COMMIT_S)
            os.read(self._fd, 4096)  # one message, or several: what comes later wakes again
        else:
            self._looks = 0

    def close(self) -> None:
        """Watch no longer; safe to call twice."""
        self._looks = 0
        if self._fd is not None and self._writes is not None:
            self._writes.unregister(self._fd)
            os.close(self._fd)
            self._fd = None
