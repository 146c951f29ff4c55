"""The journal in Postgres: for any number of processes on any number of hosts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from datetime import datetime
from functools import partial

from asyncpg import Record

from relayline.contracts.envelope import NewEvent, StoredEvent, microseconds, moment, storable
from relayline.journal.port import Appended, Fence, Head, OpenRun
from relayline.journal.postgres import sql
from relayline.journal.postgres.database import CHECK_S, WAIT_S, Database
from relayline.journal.postgres.watcher import Watcher
from relayline.journal.postgres.writer import Writer
from relayline.journal.rows import new_row
from relayline.journal.subscription import TAIL_PAGE, Page, follow

_READERS = 8
_LANES = 3
"""Groups of facts under way at a time; deltas have one lane of their own."""


class PostgresJournal:
    """`journal.port.Journal` in the schema `relayline` of a Postgres database, 14 or newer.

    `relayline migrate` makes the schema. Facts and seals are committed as Postgres is set up to
    commit (by default, on its disk) when `append` returns. Deltas alone are committed relaxed:
    they survive the death of any of our processes and a restart of Postgres, but the newest of
    them (under a second) may be gone when Postgres or its machine crashes, and `seq` then goes on
    from what is left: tails that gave them out raise `EventsLost`. Without `relaxed_deltas` they
    are as durable as facts.

    A swept run has forgotten its keys: a repeated one is `RunEnded`.

    At most `_READERS + _LANES + 2` connections, made when they are needed; one of them listens
    while somebody watches, so a pooler in between has to keep sessions. For one event loop.
    """

    def __init__(self, dsn: str, *, relaxed_deltas: bool = True) -> None:
        self._database = Database(dsn)
        self._facts = Writer(self._database, _LANES, relaxed=False)
        self._deltas = Writer(self._database, 1, relaxed=relaxed_deltas)
        self._watcher = Watcher(self._database)
        self._pool = self._database.pool(_READERS)
        self._opening: asyncio.Task[object] | None = None
        self._was_available = False
        self._closed = False

    async def append(
        self, run_id: str, events: Sequence[NewEvent], fence: Fence | None = None
    ) -> list[Appended]:
        """As in the port; what several callers append at a time shares one commit."""
        if self._closed:
            raise self._database.closed()
        if not events and fence is None:
            return []
        rows = [new_row(event) for event in events]
        deltas_only = bool(rows) and all(row.key is None for row in rows)
        writer = self._deltas if deltas_only else self._facts
        arguments = sql.append_arguments(run_id, rows, fence, notify=writer.relaxed)
        answer = await writer.submit(run_id, arguments)
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
        """As in the port; in small transactions, between which others write."""
        before_us = microseconds(older_than)
        runs = 0
        while limit is None or runs < limit:
            swept = await self._fetch(sql.SWEEP, before_us, sql.SWEEP_BATCH)
            if not swept:
                break
            runs += swept[0][0]
        return runs

    async def check(self) -> None:
        """As in the port; also that the schema is what this version needs, or newer.

        Once Postgres has passed, one that can't be reached is given up after `CHECK_S`.
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
            except TimeoutError:  # a query is still unanswered: its caller is told
                self._pool.terminate()

    async def _fetch(
        self, query: str, *arguments: object, patience_s: float = WAIT_S
    ) -> list[Record]:
        """The rows that a statement gives; one that may be repeated.

        Raises:
            JournalUnavailable: Postgres did not answer, or the journal is closed.
        """
        if self._closed:
            raise self._database.closed()
        if self._opening is None:
            self._opening = asyncio.ensure_future(self._open())
        await self._opening
        return await self._database.retry(partial(self._ask, query, *arguments), patience_s)

    async def _ask(self, query: str, *arguments: object) -> list[Record]:
        """One try. Cut off, it gives its connection up, so that nobody waits for that any more."""
        async with self._pool.acquire() as connection:
            try:
                return await connection.fetch(query, *arguments)
            except (TimeoutError, asyncio.CancelledError):
                connection.terminate()
                raise

    async def _open(self) -> None:
        await self._pool
