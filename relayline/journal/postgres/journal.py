"""The Postgres journal: for any number of processes on any number of hosts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, TypeVar, cast

from asyncpg import Record

from relayline.contracts.envelope import NewEvent, StoredEvent, microseconds, moment, storable
from relayline.journal.columns import changes_row
from relayline.journal.port import Appended, Fence, Head, OpenRun
from relayline.journal.postgres import sql
from relayline.journal.postgres.database import CHECK_S, WAIT_S, Database
from relayline.journal.postgres.table import PostgresRunTable
from relayline.journal.postgres.watcher import Watcher
from relayline.journal.postgres.writer import Writer
from relayline.journal.rows import new_row
from relayline.journal.subscription import TAIL_PAGE, Page, follow

if TYPE_CHECKING:
    from relayline.journal.postgres.database import Connection

T = TypeVar("T")
_READERS = 8
_LANES = 3
"""Concurrent groups of facts; deltas have one more lane."""


class PostgresJournal(PostgresRunTable):
    """`journal.port.Journal` and `journal.table.RunTable` in the schema `relayline` of a database.

    Postgres must be 14 or newer.

    `relayline migrate` creates the schema. When `append` returns, facts and seals are committed as
    Postgres is configured (by default, on its disk). An append of deltas alone does not wait for
    the disk: it survives the death of any Relayline process and a restart of Postgres, but a crash
    of Postgres or its machine may lose the newest deltas (less than a second of them). `seq` then
    continues from the events that are left, and tails that had yielded lost ones raise
    `EventsLost`. Without `relaxed_deltas`, deltas are as durable as facts.

    After a sweep the keys of a run are unknown: a repeated one raises `RunEnded`.

    Uses at most `_READERS + _LANES + 2` connections, opened when needed. One of them listens while
    a tail is open, so a pooler in between must keep sessions. For one event loop.
    """

    def __init__(self, dsn: str, *, relaxed_deltas: bool = True) -> None:
        self._database = Database(dsn)
        self._facts = Writer(self._database, _LANES, relaxed=False)
        self._deltas = Writer(self._database, 1, relaxed=relaxed_deltas)
        super().__init__(Watcher(self._database))
        self._pool = self._database.pool(_READERS)
        self._opening: asyncio.Task[object] | None = None
        self._was_available = False
        self._closed = False

    async def append(
        self, run_id: str, events: Sequence[NewEvent], fence: Fence | None = None
    ) -> list[Appended]:
        """As in the port; concurrent appends share one commit."""
        if self._closed:
            raise self._database.closed()
        if not events and fence is None:
            return []
        rows = [new_row(event) for event in events]
        deltas_only = bool(rows) and all(row.key is None for row in rows)
        writer = self._deltas if deltas_only else self._facts
        arguments = sql.append_arguments(run_id, rows, fence, notify=writer.relaxed)
        folds = any(changes_row(row.type, row.key) for row in rows)
        answer = await writer.submit(run_id, arguments, folds=folds)
        return sql.appended(answer, run_id, rows, fence)

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
        query = sql.FACTS if facts else sql.READ
        found = await self._fetch(query, run_id, after, max(limit, 0), max_bytes)
        return sql.page(found, after).events

    async def get(self, run_id: str, key: str) -> StoredEvent | None:
        """As in the port."""
        if not storable(key):
            return None
        found = await self._fetch(sql.FACT, run_id, key)
        return StoredEvent._make(found[0]) if found else None

    async def fenced(self, run_id: str, scope: str) -> int:
        """As in the port."""
        found = await self._fetch(sql.FENCED, run_id, scope)
        return int(found[0][0]) if found else 0

    async def head(self, run_id: str) -> Head | None:
        """As in the port."""
        found = await self._fetch(sql.HEAD, run_id)
        return Head._make(found[0]) if found else None

    def tail(
        self, run_id: str, after: int | StoredEvent = 0
    ) -> AsyncGenerator[Sequence[StoredEvent], None]:
        """As in the port; also raises `JournalUnavailable` when the journal is closed."""
        return follow(self._watcher, run_id, after, partial(self._page, run_id))

    async def _page(self, run_id: str, after: int) -> Page:
        page = sql.page(await self._fetch(sql.PAGE, run_id, after, TAIL_PAGE), after)
        if len(page.events) < TAIL_PAGE:
            self._watcher.caught_up(run_id, page.last_seq)
        return page

    async def open_runs(
        self, quiet_since: datetime, after: str = "", limit: int = 100
    ) -> list[OpenRun]:
        """As in the port."""
        found = await self._fetch(sql.OPEN, after, microseconds(quiet_since), limit)
        return [OpenRun(run_id, moment(at_us)) for run_id, at_us in found]

    async def sweep(self, older_than: datetime, limit: int | None = None) -> int:
        """As in the port; in small transactions, so that others can write in between."""
        before_us = microseconds(older_than)
        runs = 0
        while limit is None or runs < limit:
            swept = await self._fetch(sql.SWEEP, before_us, sql.SWEEP_BATCH)
            if not swept:
                break
            runs += swept[0][0]
        return runs

    async def check(self) -> None:
        """As in the port; also checks that the schema is recent enough for this version.

        After a first success, an unreachable Postgres fails the check after `CHECK_S`.
        """
        patience_s = CHECK_S if self._was_available else WAIT_S
        revision = (await self._fetch(sql.CURRENT_REVISION, patience_s=patience_s))[0][0]
        if revision is None or revision < sql.REVISION:
            raise self._database.outdated(revision, sql.REVISION)
        await self._fetch(sql.TOUCH, patience_s=patience_s)
        self._was_available = True

    async def close(self) -> None:
        """As in the port; open tails raise `JournalUnavailable`."""
        self._closed = True
        await self._watcher.close()
        await asyncio.gather(self._facts.close(), self._deltas.close())
        if self._opening is not None:
            await self._opening
            try:
                await asyncio.wait_for(self._pool.close(), WAIT_S)
            except TimeoutError:  # a query is still running: its caller gets an error
                self._pool.terminate()

    async def _fetch(
        self, query: str, *arguments: object, patience_s: float = WAIT_S
    ) -> list[Record]:
        """The rows of an idempotent statement, which is retried after transient errors.

        Raises:
            JournalUnavailable: Postgres did not answer, or the journal is closed.
        """
        await self._opened()
        return await self._database.retry(partial(self._ask, query, *arguments), patience_s)

    async def _transact(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Do idempotent work in a transaction, which is retried after transient errors.

        Raises:
            JournalUnavailable: Postgres did not answer, or the journal is closed.
        """
        await self._opened()
        return await self._database.retry(partial(self._try, work))

    async def _try(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Do the work once; after a time-out, drop the connection, which is still busy."""
        async with self._pool.acquire() as pooled:
            connection = cast("Connection", pooled)
            try:
                async with connection.transaction():
                    return await work(connection)
            except (TimeoutError, asyncio.CancelledError):
                connection.terminate()
                raise

    async def _ask(self, query: str, *arguments: object) -> list[Record]:
        """Run the statement once; after a time-out, drop the connection, which is still busy."""
        async with self._pool.acquire() as connection:
            try:
                return await connection.fetch(query, *arguments)
            except (TimeoutError, asyncio.CancelledError):
                connection.terminate()
                raise

    async def _opened(self) -> None:
        if self._closed:
            raise self._database.closed()
        if self._opening is None:
            self._opening = asyncio.ensure_future(self._open())
        await self._opening

    async def _open(self) -> None:
        await self._pool
