"""Beats on Postgres: a connection of their own, a table without NOTIFY."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from asyncpg import Record

from relayline.journal.beats import Attempted, HeldCall
from relayline.journal.postgres.database import FAULTS, Database

if TYPE_CHECKING:
    from relayline.journal.postgres.database import Connection

ANSWER_S = 0.9
"""How long to wait for an answer."""
_CHANNEL = "relayline_told"
_BEAT = """
INSERT INTO relayline.beats (worker, counter) VALUES ($1, $2)
ON CONFLICT (worker) DO UPDATE SET counter = excluded.counter
"""
_COUNTERS = "SELECT worker, counter FROM relayline.beats"
_LEAVE = "DELETE FROM relayline.beats WHERE worker = $1"
_HELD = """
SELECT run_id, scope, attempt, activity_id, task_token FROM relayline.held WHERE worker = $1
"""
_RELEASE = """
DELETE FROM relayline.held h USING unnest($2::text[], $3::text[], $4::int[]) AS e (run, scope, nr)
WHERE h.worker = $1 AND h.run_id = e.run AND h.scope = e.scope AND h.attempt = e.nr
"""
_LISTENS = "SELECT 1"
_TELL = "SELECT pg_notify($1, $2)"


class PostgresBeats:
    """`journal.beats.Beats`, for any number of processes on any number of hosts.

    Its one connection is relaxed: a crash of Postgres may lose the newest beats. `told` is woken by
    a NOTIFY; while the connection is down, it misses what is told.
    """

    def __init__(self, dsn: str) -> None:
        self._database = Database(dsn)
        self._connection: Connection | None = None
        self._lock = asyncio.Lock()
        self._told: set[str] = set()
        self._woken = asyncio.Event()
        self._closed = False

    async def beat(self, worker: str, counter: int) -> None:
        """As in the port."""
        await self._fetch(_BEAT, worker, counter)

    async def counters(self) -> Mapping[str, int]:
        """As in the port."""
        return {row["worker"]: row["counter"] for row in await self._fetch(_COUNTERS)}

    async def leave(self, worker: str) -> None:
        """As in the port."""
        await self._fetch(_LEAVE, worker)

    async def held(self, worker: str) -> Sequence[HeldCall]:
        """As in the port."""
        rows = await self._fetch(_HELD, worker)
        return [HeldCall(Attempted(*tuple(row)[:3]), row[3], row[4]) for row in rows]

    async def release(self, worker: str, ended: Collection[Attempted]) -> None:
        """As in the port."""
        runs, scopes, attempts = zip(*ended, strict=True) if ended else ((), (), ())
        await self._fetch(_RELEASE, worker, runs, scopes, attempts)

    async def tell(self, run_id: str) -> None:
        """As in the port."""
        await self._fetch(_TELL, _CHANNEL, run_id)

    async def told(self, within_s: float) -> Collection[str]:
        """As in the port."""
        if self._connection is None or self._connection.is_closed():
            await self._fetch(_LISTENS)
        if not self._told:
            self._woken.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), within_s)
        told, self._told = self._told, set()
        return told

    async def close(self) -> None:
        """As in the port."""
        self._closed = True
        self._drop()

    async def _fetch(self, query: str, *arguments: object) -> list[Record]:
        """The rows of a statement; after any error the next one opens a new connection.

        Raises:
            JournalUnavailable: Postgres did not answer within `ANSWER_S`.
        """
        if self._closed:
            raise self._database.closed()
        try:
            async with asyncio.timeout(ANSWER_S), self._lock:
                if self._connection is None or self._connection.is_closed():
                    self._connection = await self._open()
                return await self._connection.fetch(query, *arguments)
        except FAULTS as error:
            self._drop()
            raise self._database.unavailable(error) from error

    async def _open(self) -> Connection:
        connection = await self._database.connect(relaxed=True)
        try:
            await connection.add_listener(_CHANNEL, self._notice)
        except BaseException:
            connection.terminate()
            raise
        return connection

    def _notice(self, _connection: object, _pid: int, _channel: str, run_id: object) -> None:
        self._told.add(str(run_id))
        self._woken.set()

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()
