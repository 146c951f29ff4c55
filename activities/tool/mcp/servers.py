"""The MCP servers of a worker."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple, TypeVar

from mcp.shared.exceptions import MCPError
from pydantic import ValidationError

from relayline.activities.tool.mcp.calling import Calling
from relayline.activities.tool.mcp.connection import FRESH_S
from relayline.activities.tool.mcp.offers import offers
from relayline.activities.tool.mcp.pool import Pool
from relayline.activities.tool.mcp.port import McpCall, McpFailure
from relayline.activities.tool.mcp.session import Definitions
from relayline.activities.tool.mcp.thread import McpThread
from relayline.catalog.mcp import McpServer
from relayline.catalog.tools import ToolContext
from relayline.contracts.errors import ErrorType
from relayline.contracts.mcp import Listing, McpQuestions, MissingServer, clash_of

MAX_REASON_CHARS = 1000
_MAX_TTL_S = 3600.0
T = TypeVar("T")


class ServerState(NamedTuple):
    """What is known of a server, for people."""

    era: str
    """`modern`, `legacy`, or empty before the first connection."""
    version: str
    """Its name and version, as it says."""
    tools: int | None
    """How many it lists; None: not listed yet."""
    last_error: str
    """Empty if its last connection worked."""
    open_s: float
    """Seconds for which it is not tried any more."""


class McpServers:
    """`McpTools` over connections that are kept, in a thread of their own."""

    def __init__(
        self, servers: Mapping[str, McpServer], environ: Mapping[str, str] = os.environ
    ) -> None:
        """Connect to nothing yet.

        Args:
            servers: Of the catalog, by name.
            environ: Where `Env` is looked up.
        """
        self._thread = McpThread()
        self._closed = False
        self._known = {name: _Known(Pool(it, environ)) for name, it in servers.items()}

    async def listed(self, servers: Sequence[str], run_id: str) -> Listing:
        """As `McpTools.listed`."""
        return await self._thread.run(self._listed(servers, run_id))

    async def call(self, call: McpCall, context: ToolContext) -> str | McpQuestions:
        """As `McpTools.call`; a cancelled call that had ended anyway returns its result."""
        return await self._thread.run(self._called(call, context))

    async def forget(self, run_id: str) -> None:
        """As `McpTools.forget`."""
        await self._thread.run(self._forget(run_id))

    def state(self, server: str) -> ServerState:
        """What is known of that server; from any thread."""
        return self._known[server].state()

    async def close(self) -> None:
        """Close all connections and end the thread; nothing else may be called after that."""
        if self._closed:
            return
        self._closed = True
        try:
            await self._thread.run(self._close())
        finally:
            self._thread.close()

    async def _listed(self, servers: Sequence[str], run_id: str) -> Listing:
        found = await _side_by_side(self._one(name, run_id) for name in servers)
        listing = Listing(
            tools=tuple(chain.from_iterable(it.tools for it in found)),
            missing=tuple(chain.from_iterable(it.missing for it in found)),
            left_out=tuple(chain.from_iterable(it.left_out for it in found)),
        )
        if clash := clash_of(tool.spec.name for tool in listing.tools):
            raise McpFailure(f"two tools of MCP servers have the name {clash!r}: rename a server")
        return listing

    async def _one(self, name: str, run_id: str) -> Listing:
        known = self._server(name)
        server = known.pool.server
        try:
            definitions = await known.definitions(run_id)
        except McpFailure as failure:
            if not server.optional:
                raise
            reason = str(failure)[:MAX_REASON_CHARS]
            return Listing(missing=(MissingServer(server=name, reason=reason),))
        return offers(server, ((it.wire, it.task_only) for it in definitions.tools.values()))

    async def _called(self, call: McpCall, context: ToolContext) -> str | McpQuestions:
        return await Calling(self._server(call.tool.server).pool, call, context).run()

    async def _forget(self, run_id: str) -> None:
        await asyncio.gather(*(it.pool.forget(run_id) for it in self._known.values()))

    async def _close(self) -> None:
        await asyncio.gather(*(it.pool.close() for it in self._known.values()))

    def _server(self, name: str) -> _Known:
        if name not in self._known:
            raise McpFailure(
                f"this worker's catalog has no MCP server {name!r}", kind=ErrorType.UNKNOWN_TOOL
            )
        return self._known[name]


class _Known:
    """A server, its connections, and its tools as they were listed last."""

    def __init__(self, pool: Pool, clock: Callable[[], float] = time.monotonic) -> None:
        self.pool = pool
        self._clock = clock
        self._definitions: Definitions | None = None
        self._until = 0.0
        self._changes = 0
        self._listing = asyncio.Lock()
        pool.on_change = self._forget

    def state(self) -> ServerState:
        era = {None: "", True: "modern", False: "legacy"}[self.pool.modern]
        tools = len(self._definitions.tools) if self._definitions else None
        breaker = self.pool.breaker
        return ServerState(era, self.pool.version, tools, breaker.last_error, breaker.open_s)

    async def definitions(self, run_id: str) -> Definitions:
        """The server's tools, from the cache for as long as the server allows.

        Raises:
            McpFailure: it did not answer within its `connect_s`; retryable.
        """
        connect_s = self.pool.server.connect_s
        try:
            async with asyncio.timeout(connect_s), self._listing:
                if self._definitions is None or self._clock() >= self._until:
                    self._definitions = await self._list(run_id)
                return self._definitions
        except TimeoutError:
            why = f"it did not list its tools within {connect_s:g} s"
            self.pool.breaker.failed(why)
            raise self._unlisted(why) from None

    async def _list(self, run_id: str) -> Definitions:
        async with self.pool.connection(run_id) as connection:
            try:
                changes = self._changes
                found = await connection.definitions(anew=True)
                self.pool.breaker.succeeded()
            except MCPError as error:
                raise self._unlisted(connection.broken_by(error)) from None
            except ValidationError:
                raise self._unlisted("it listed its tools in a way that can't be read") from None
        ttl_s = FRESH_S if found.ttl_s is None else min(found.ttl_s, _MAX_TTL_S)
        self._until = self._clock() + ttl_s if changes == self._changes else 0.0
        return found

    def _forget(self) -> None:
        self._changes += 1
        self._until = 0.0

    def _unlisted(self, why: str) -> McpFailure:
        name = self.pool.server.name
        return McpFailure(f"the tools of MCP server {name!r} are not known: {why}", retryable=True)


async def _side_by_side(work: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """All results; if some fail, the first failure once all have ended."""
    ended = await asyncio.gather(*work, return_exceptions=True)
    results: list[T] = []
    for it in ended:
        if isinstance(it, BaseException):
            raise it
        results.append(it)
    return results
