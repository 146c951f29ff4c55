"""The reader threads of the SQLite journal."""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from relayline.journal.sqlite.file import BUSY_WAIT_S, JournalFile, Link

T = TypeVar("T")
_THREADS = 4


class Reader:
    """Runs queries in threads, off the event loop."""

    def __init__(self, file: JournalFile) -> None:
        self._file = file
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="journal-reader")
        self._links: queue.LifoQueue[Link] = queue.LifoQueue()
        for _ in range(_THREADS):
            self._links.put(Link(file))
        self._closed = False

    async def run(self, query: Callable[[sqlite3.Connection], T]) -> T:
        """Run a query in a thread.

        Raises:
            JournalUnavailable: the storage did not answer within `BUSY_WAIT_S`, or the journal is
                closed.
        """
        if self._closed:
            raise self._file.closed()
        deadline = time.monotonic() + BUSY_WAIT_S
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, self._run, query, deadline)

    def _run(self, query: Callable[[sqlite3.Connection], T], deadline: float) -> T:
        link = self._links.get_nowait()
        try:
            return link.use(query, deadline)
        finally:
            self._links.put(link)

    def refuse(self) -> None:
        """Refuse new queries."""
        self._closed = True

    def close(self) -> None:
        """Finish running queries. Blocks; safe to call twice."""
        self._closed = True
        self._pool.shutdown()
        while not self._links.empty():
            self._links.get_nowait().close()
