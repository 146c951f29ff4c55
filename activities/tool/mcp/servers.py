"""The MCP servers of a worker."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple, TypeVar

from pydantic import JsonValue

from relayline.activities.tool.mcp.calling import Calling
from relayline.activities.tool.mcp.listing import CachedListing
from relayline.activities.tool.mcp.pool import Pool
from relayline.activities.tool.mcp.port import McpCall, McpFailure, OutcomeUnknown
from relayline.activities.tool.mcp.thread import McpThread
from relayline.catalog.servers.mcp import McpServer
from relayline.catalog.tools import ToolContext
from relayline.contracts.errors import ErrorType
from relayline.contracts.mcp import Listing, McpQuestions, MissingServer, clash_of

MAX_REASON_CHARS = 1000
OUTCOMES = ("completed", "asked", "failed", "unknown", "cancelled")
"""How one attempt of a call ends: with a result, a question of the server, a failure, so that
nobody knows whether it ran, or stopped by the run."""
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
    said: str
    """The end of its stderr when it was lost last; for the operator alone."""
    connections: int
    """How many are open."""
    opened: int
    """How many were opened at all."""
    failures: int
    """How many could not be opened or broke; those of one second count once."""
    calls: Mapping[str, int]
    """How many have ended, by `OUTCOMES`."""


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
        pools = {name: Pool(it, environ) for name, it in servers.items()}
        self._known = {
            name: _Known(it, CachedListing(it), dict.fromkeys(OUTCOMES, 0))
            for name, it in pools.items()
        }
        self.names = tuple(pools)
        """Of the servers."""

    async def listed(self, servers: Sequence[str], run_id: str) -> Listing:
        """As `McpTools.listed`."""
        return await self._thread.run(self._listed(servers, run_id))

    async def call(self, call: McpCall, context: ToolContext) -> str | McpQuestions:
        """As `McpTools.call`; a cancelled call that had ended anyway returns its result."""
        return await self._thread.run(self._called(call, context))

    async def forget(self, run_id: str) -> None:
        """As `McpTools.forget`."""
        if not self._closed:
            await self._thread.run(self._forget(run_id))

    async def definitions(self, server: str) -> list[dict[str, JsonValue]]:
        """All tools of one server as it lists them now, whether they are offered or not.

        Raises:
            McpFailure: as `listed`.
        """
        found = await self._thread.run(self._server(server).listing.definitions())
        return [it.wire for it in found.tools.values()]

    def state(self, server: str) -> ServerState:
        """What is known of that server; from any thread."""
        pool, listing, calls = self._known[server]
        era = {None: "", True: "modern", False: "legacy"}[pool.modern]
        breaker = pool.breaker
        return ServerState(
            *(era, pool.version, listing.size, breaker.last_error, breaker.open_s, pool.said),
            connections=pool.connections,
            opened=pool.opened,
            failures=breaker.failed_ever,
            calls=dict(calls),
        )

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
        try:
            return await known.listing.get(run_id)
        except McpFailure as failure:
            if not known.pool.server.optional:
                raise
            reason = str(failure)[:MAX_REASON_CHARS]
            return Listing(missing=(MissingServer(server=name, reason=reason),))

    async def _called(self, call: McpCall, context: ToolContext) -> str | McpQuestions:
        known, outcome = self._server(call.tool.server), "failed"
        try:
            result = await Calling(known.pool, call, context).run()
            outcome = "completed" if isinstance(result, str) else "asked"
        except OutcomeUnknown:
            outcome = "unknown"
            raise
        except asyncio.CancelledError:
            outcome = "cancelled"
            raise
        finally:
            known.calls[outcome] += 1
        return result

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


class _Known(NamedTuple):
    """A server's connections and its list."""

    pool: Pool
    listing: CachedListing
    calls: dict[str, int]


async def _side_by_side(work: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """All results; if some fail, the first failure once all have ended."""
    ended = await asyncio.gather(*work, return_exceptions=True)
    results: list[T] = []
    for it in ended:
        if isinstance(it, BaseException):
            raise it
        results.append(it)
    return results
