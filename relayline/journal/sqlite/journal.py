"""The SQLite journal: one file, for any number of processes on one host."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncGenerator, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path

from relayline.contracts.envelope import NewEvent, StoredEvent, microseconds, moment, storable
from relayline.journal.port import Appended, Fence, Head, OpenRun
from relayline.journal.rows import NewRow, new_row
from relayline.journal.sqlite import sql
from relayline.journal.sqlite.file import JournalFile
from relayline.journal.sqlite.reader import Reader
from relayline.journal.sqlite.table import SqliteRunTable
from relayline.journal.sqlite.together import DeltaAppend
from relayline.journal.sqlite.watcher import Watcher
from relayline.journal.sqlite.writer import Writer
from relayline.journal.subscription import TAIL_PAGE, Page, follow
from relayline.projections.valid import DELTAS


class SqliteJournal(SqliteRunTable):
    """`journal.port.Journal` and `journal.table.RunTable` in one SQLite file in WAL mode.

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
        super().__init__(Reader(file), Writer(file), Watcher(file))

    async def append(
        self, run_id: str, events: Sequence[NewEvent], fence: Fence | None = None
    ) -> list[Appended]:
        """As in the port; concurrent appends share one commit."""
        rows = [new_row(event) for event in events]

        def work(db: sqlite3.Connection) -> list[Appended]:
            return sql.append(db, run_id, rows, fence)

        if not rows or any(row.key is not None for row in rows):
            return await self._writer.submit(work, synced=True)
        plain = fence is not None and fence.holder is None and _plain(rows)
        deltas = DeltaAppend(run_id, rows, fence) if fence and plain else None
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
