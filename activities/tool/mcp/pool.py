"""The connections to one MCP server."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

from relayline.activities.tool.mcp.breaker import Breaker
from relayline.activities.tool.mcp.connection import Connection, Unreachable
from relayline.activities.tool.mcp.port import McpFailure
from relayline.catalog.servers.mcp import McpServer

_EVERYONE = ""
"""Whose connection a modern server's is; of a legacy one each run has its own."""
MAX_OPEN = 64
"""Connections to one legacy server, most of them a process each."""
_log = logging.getLogger(__name__)


class Pool:
    """Opens connections when they are wanted and keeps them.

    One for all calls to a modern server, one for each run to a legacy server, whose session has
    state, and one for each call where the declaration says `shared=False`.
    """

    def __init__(self, server: McpServer, environ: Mapping[str, str], most: int = MAX_OPEN) -> None:
        self.server = server
        self.breaker = Breaker()
        self.modern: bool | None = None
        """None until the first connection."""
        self.version = ""
        """Name and version of the server, as it says."""
        self.said = ""
        """What a process wrote to stderr last before it was lost; without the values given to it.
        """
        self.opened = 0
        """How many connections were opened at all."""
        self.on_change: Callable[[], None] = _nothing
        self._environ = environ
        self._most = most
        self._open: dict[str, Connection] = {}
        self._opening: dict[str, asyncio.Lock] = {}
        self._of_calls = 0
        """Open connections of a call's own."""

    @property
    def connections(self) -> int:
        """How many are open; from any thread."""
        return self._of_calls + sum(it.alive for it in [*self._open.values()])

    @asynccontextmanager
    async def connection(self, run_id: str) -> AsyncIterator[Connection]:
        """A connection for this run, in use until the end of the block.

        Raises:
            McpFailure: there is none, see `breaker`; retryable.
        """
        self._check()
        if not self.server.shared:
            async with self._own() as own:
                yield own
            return
        with await self._shared(run_id) as connection:
            yield connection

    async def forget(self, run_id: str) -> None:
        """Close the run's connection, if it has one of its own, when nobody uses it."""
        if connection := self._open.pop(run_id, None):
            if connection.users:
                connection.wanted = False
            else:
                await connection.close()

    def lost(self, connection: Connection, why: str) -> None:
        """Count a connection that broke in use."""
        self.breaker.failed(why)
        _log.warning("an MCP connection was lost", extra=self._about(why, connection))

    def changed(self) -> None:
        """The server says that its list of tools is another."""
        self.on_change()

    async def close(self) -> None:
        """Close all connections, side by side."""
        connections, self._open = [*self._open.values()], {}
        await asyncio.gather(*(it.close() for it in connections))

    @asynccontextmanager
    async def _own(self) -> AsyncIterator[Connection]:
        """One for this block; if it is cancelled, the process is killed."""
        connection = await self._opened()
        self._of_calls += 1
        patient = False
        try:
            with connection:
                yield connection
            patient = True
        finally:
            self._of_calls -= 1
            await connection.close(patient=patient)

    async def _shared(self, run_id: str) -> Connection:
        # until the era is known everyone waits for the first connection
        owner = run_id if self.modern is False else _EVERYONE
        if found := self._found(owner):
            return found
        async with self._opening.setdefault(owner, asyncio.Lock()):
            if self.modern is False:
                owner = run_id
            if found := self._found(owner):
                return found
            self._forget_ended()
            await self._make_room()
            connection = await self._opened()
            owner = _EVERYONE if connection.session.modern else run_id
            self._open[owner] = connection
            return connection

    async def _make_room(self) -> None:
        """Close the connection that has been idle longest, if there are too many of runs."""
        if len(self._open) < self._most:
            return
        idle = [(it.used_at, owner) for owner, it in self._open.items() if not it.users]
        if not idle:
            text = f"all {self._most} connections to MCP server {self.server.name!r} are in use"
            raise McpFailure(text, retryable=True)
        await self.forget(min(idle)[1])

    def _forget_ended(self) -> None:
        self._open = {owner: it for owner, it in self._open.items() if it.alive}
        self._opening = {
            owner: lock
            for owner, lock in self._opening.items()
            if lock.locked() or owner in self._open
        }

    def _found(self, owner: str) -> Connection | None:
        connection = self._open.get(owner)
        if connection and connection.alive:
            return connection
        self._open.pop(owner, None)
        return None

    def _check(self) -> None:
        if open_s := self.breaker.open_s:
            raise McpFailure(
                f"MCP server {self.server.name!r} is down: {self.breaker.last_error}; "
                f"it is not tried again for {open_s:.0f} s",
                retryable=True,
            )

    async def _opened(self) -> Connection:
        await asyncio.sleep(self.breaker.pause_s)
        self._check()
        connection = Connection(self.server, self._environ, self)
        try:
            await connection.open()
        except Unreachable as error:
            why = connection.clean(str(error))
            self.breaker.failed(why)
            _log.warning("an MCP server can't be reached", extra=self._about(why, connection))
            name = self.server.name
            text = f"MCP server {name!r} can't be reached: {why}"
            raise McpFailure(text, retryable=True) from None
        self.opened += 1
        session = connection.session
        self.modern = session.modern
        info = session.server_info
        self.version = f"{info.name} {info.version}"[:200] if info else ""
        return connection

    def _about(self, why: str, connection: Connection) -> dict[str, str]:
        self.said = connection.said
        return {"mcp_server": self.server.name, "why": why, "stderr": self.said}


def _nothing() -> None:
    """Nobody wants to know."""
