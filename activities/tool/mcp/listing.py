"""The list of a server's tools, kept for as long as it holds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from mcp.shared.exceptions import MCPError
from pydantic import ValidationError

from relayline.activities.tool.mcp.connection import FRESH_S, Connection
from relayline.activities.tool.mcp.offers import offers
from relayline.activities.tool.mcp.pool import Pool
from relayline.activities.tool.mcp.port import McpFailure
from relayline.activities.tool.mcp.session import MAX_LIST_BYTES, MAX_TOOLS, Definitions
from relayline.catalog.servers.lock_file import BadLockFile, read_lock
from relayline.contracts.mcp import LeftOutTool, Listing
from relayline.contracts.mcp.lock import Lock

_MAX_TTL_S = 3600.0
_CUT = f"the list is longer than {MAX_TOOLS} tools or {MAX_LIST_BYTES} bytes; the rest is not read"


class CachedListing:
    """A server's list, read again once it is too old or the server says that it changed.

    It holds for the server's `ttlMs`, of legacy servers for a minute, and for as long as we hear of
    changes.
    """

    def __init__(self, pool: Pool, clock: Callable[[], float] = time.monotonic) -> None:
        self.size: int | None = None
        """How many tools the server has; None: not listed yet."""
        self._pool = pool
        self._clock = clock
        self._kept: Listing | None = None
        self._until = 0.0
        self._source: Connection | None = None
        self._changes = 0
        self._reading = asyncio.Lock()
        pool.on_change = self._forget

    async def get(self, run_id: str) -> Listing:
        """The tools to offer.

        Raises:
            McpFailure: the server did not list them within its `connect_s`; retryable.
        """
        connect_s = self._pool.server.connect_s
        try:
            async with asyncio.timeout(connect_s), self._reading:
                if self._kept is None or not self._holds:
                    self._kept = await self._read(run_id)
                return self._kept
        except TimeoutError:
            why = f"it did not list its tools within {connect_s:g} s"
            self._pool.breaker.failed(why)
            raise self._unlisted(why) from None

    @property
    def _holds(self) -> bool:
        heard = self._source is not None and self._source.alive and self._source.hears
        return heard or self._clock() < self._until

    async def _read(self, run_id: str) -> Listing:
        async with self._pool.connection(run_id) as connection:
            changes = self._changes
            found = await self._asked(connection)
        current = changes == self._changes
        ttl_s = FRESH_S if found.ttl_s is None else min(found.ttl_s, _MAX_TTL_S)
        self._until = self._clock() + ttl_s if current else 0.0
        self._source = connection if current else None
        self.size = len(found.tools)
        wires = ((it.wire, it.task_only) for it in found.tools.values())
        offered = offers(self._pool.server, wires, self._lock())
        if not found.cut:
            return offered
        rest = LeftOutTool(server=self._pool.server.name, tool="…", reason=_CUT)
        return offered.model_copy(update={"left_out": (*offered.left_out, rest)})

    def _lock(self) -> Lock | None:
        pins = self._pool.server.pins
        try:
            return read_lock(pins) if pins else None
        except BadLockFile as error:
            raise McpFailure(f"MCP server {self._pool.server.name!r}: {error}") from None

    async def definitions(self) -> Definitions:
        """All tools as the server lists them now, whether they are offered or not.

        Raises:
            McpFailure: as `get`.
        """
        connect_s = self._pool.server.connect_s
        try:
            async with asyncio.timeout(connect_s), self._pool.connection("") as connection:
                found = await self._asked(connection)
        except TimeoutError:
            raise self._unlisted(f"it did not list them within {connect_s:g} s") from None
        self.size = len(found.tools)
        return found

    async def _asked(self, connection: Connection) -> Definitions:
        try:
            found = await connection.definitions(anew=True)
        except MCPError as error:
            raise self._unlisted(connection.broken_by(error)) from None
        except ValidationError:
            raise self._unlisted("it listed its tools in a way that can't be read") from None
        self._pool.breaker.succeeded()
        return found

    def _forget(self) -> None:
        self._changes += 1
        self._until, self._source = 0.0, None

    def _unlisted(self, why: str) -> McpFailure:
        name = self._pool.server.name
        return McpFailure(f"the tools of MCP server {name!r} are not known: {why}", retryable=True)
