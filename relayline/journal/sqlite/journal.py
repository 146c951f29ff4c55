"""The SQLite journal: one file, for any number of processes on one host."""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

from relayline.contracts.envelope import NewEvent, StoredEvent, microseconds, moment, storable
from relayline.journal.port import Appended, Fence, Head, OpenRun
from relayline.journal.rows import NewRow, new_row
from relayline.journal.sqlite import sql
from relayline.journal.sqlite.file import BUSY_WAIT_S, JournalFile, Link
from relayline.journal.sqlite.together import DeltaAppend
from relayline.journal.sqlite.watcher import Watcher
from relayline.journal.sqlite.writer import Writer
from relayline.journal.subscription import TAIL_PAGE, Page, follow
from relayline.projections.valid import DELTAS

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


class SqliteJournal:
    """`journal.port.Journal` in one SQLite file in WAL mode.

    The first use creates the file and its folder. Facts and seals are on the disk when `append`
    returns. An append of deltas alone is then in the operating system's cache: it survives the
    death of any process but not a power failure.

    A run that has only fences does not exist yet: `head` returns None. After a sweep the keys of a
    run are unknown: a repeated one raises `RunEnded`. Later runs reuse the space of swept ones.

    One thread writes, four read, and one polls for new events every 3 ms while a tail is open. Safe
    to use from several event loops.
    """

    def __init__(self, path: Path) -> None:
        file = JournalFile(path)
        self._writer = Writer(file)
        self._reader = Reader(file)
        self._watcher = Watcher(file)

    async def append(
        self, run_id: str, events: Sequence[NewEvent], fence: Fence | None = None
    ) -> list[Appended]:
        """As in the port; concurrent appends share one commit."""
        rows = [new_row(event) for event in events]

        def work(db: sqlite3.Connection) -> list[Appended]:
            return sql.append(db, run_id, rows, fence)

        if not rows or any(row.key is not None for row in rows):
            return await self._writer.submit(work, synced=True)
        deltas = DeltaAppend(run_id, rows, fence) if fence and _plain(rows) else None
        return await self._writer.submit(work, synced=False, deltas=deltas)

    async def read(
        self,
        run_id: str,
        after: int = 0,
        limit: int = 1000,
        *,
        facts: bool = False,
        max_bytes: int | None = None,
    ) -> list[StoredEvent]:
        """As in the port."""
        bounds = (limit, max_bytes)
        page = await self._reader.run(lambda db: sql.page(db, run_id, after, bounds, facts=facts))
        return page.events

    async def get(self, run_id: str, key: str) -> StoredEvent | None:
        """As in the port."""
        if not storable(key):
            return None
        return await self._reader.run(lambda db: sql.fact(db, run_id, key))

    async def fenced(self, run_id: str, scope: str) -> int:
        """As in the port."""
        return await self._reader.run(lambda db: sql.fenced(db, run_id, scope))

    async def head(self, run_id: str) -> Head | None:
        """As in the port."""
        return await self._reader.run(lambda db: sql.head(db, run_id))

    def tail(
        self, run_id: str, after: int | StoredEvent = 0
    ) -> AsyncGenerator[Sequence[StoredEvent], None]:
        """As in the port; also raises `JournalUnavailable` when the journal is closed."""
        return follow(self._watcher, run_id, after, partial(self._page, run_id))

    async def _page(self, run_id: str, after: int) -> Page:
        return await self._reader.run(
            lambda db: sql.page(db, run_id, after, (TAIL_PAGE, None), facts=False)
        )

    async def open_runs(
        self, quiet_since: datetime, after: str = "", limit: int = 100
    ) -> list[OpenRun]:
        """As in the port."""
        before_us = microseconds(quiet_since)
        rows = await self._reader.run(lambda db: sql.open_runs(db, before_us, after, limit))
        return [OpenRun(run_id, moment(at_us)) for run_id, at_us in rows]

    async def sweep(self, older_than: datetime, limit: int | None = None) -> int:
        """As in the port; in small transactions, so that others can write in between."""
        before_us = microseconds(older_than)
        runs = 0
        while limit is None or runs < limit:
            swept = await self._writer.submit(
                lambda db: sql.sweep_step(db, before_us), synced=False
            )
            if not swept.more:
                break
            runs += swept.finished
        return runs

    async def check(self) -> None:
        """As in the port."""
        await self._writer.submit(sql.touch, synced=False)

    async def close(self) -> None:
        """As in the port; open tails raise `JournalUnavailable`."""
        self._reader.refuse()
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        self._watcher.close()
        self._writer.close()
        self._reader.close()


def _plain(rows: Sequence[NewRow]) -> bool:
    """True for rows that change nothing but the journal's length."""
    return all(row.type in DELTAS for row in rows)
