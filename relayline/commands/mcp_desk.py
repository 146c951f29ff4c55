"""What `relayline mcp` works with: the MCP servers of the configured catalog, connected to."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from uuid import uuid4

from pydantic import JsonValue

from relayline.activities.tool.elsewhere import CallElsewhere
from relayline.activities.tool.mcp.port import McpCall, McpFailure
from relayline.activities.tool.mcp.servers import McpServers
from relayline.catalog.agents import CatalogError
from relayline.catalog.schemas.schema import mismatch
from relayline.catalog.servers.mcp import McpServer
from relayline.console.exit import Failure, expecting
from relayline.console.mcp_shown import Answer, Found
from relayline.contracts.mcp import McpQuestions
from relayline.runtime.settings import Settings
from relayline.wiring import build_catalog


class _Trying(CallElsewhere):
    """The `ToolContext` of a call by hand."""

    def __init__(self) -> None:
        run_id = f"try_{uuid4().hex}"
        super().__init__({"run_id": run_id, "call_id": "call_1_0"}, run_id)
        self.lines: list[str] = []

    def progress(self, message: str, fraction: float | None = None) -> None:
        """Keep the line."""
        self.lines.append(message if fraction is None else f"{message} ({fraction:.0%})")


class McpDesk:
    """The servers of a catalog, for people at a terminal."""

    def __init__(self, declared: Mapping[str, McpServer]) -> None:
        self.declared = declared
        self._servers = McpServers(declared)

    async def found(self, name: str) -> Found:
        """What there is to know about a server; connects to it."""
        definitions: list[dict[str, JsonValue]] | None = None
        listing, error = None, ""
        try:
            definitions = await self._servers.definitions(name)
            listing = await self._servers.listed([name], "")
            if listing.missing:
                error = listing.missing[0].reason
        except McpFailure as failure:
            error = str(failure)
        state = self._servers.state(name)
        server, said = self.declared[name], state.said if error else ""
        return Found(server, state.era, state.version, definitions, listing, error, said)

    async def tried(self, name: str, tool: str, arguments: dict[str, JsonValue]) -> Answer:
        """Call a tool that is offered.

        Raises:
            Failure: it is not offered, the arguments do not fit, or the call failed.
        """
        context = _Trying()
        with expecting(McpFailure):
            listing = await self._servers.listed([name], context.run_id)
            wanted = {it.tool: it for it in listing.tools} | {
                it.spec.name: it for it in listing.tools
            }
            if tool not in wanted:
                left = {it.tool: it.reason for it in (*listing.left_out,)}
                raise Failure(f"{name} does not offer {tool!r}: {left.get(tool, 'no such tool')}")
            if misfit := mismatch(wanted[tool].spec.parameters, dict(arguments)):
                raise Failure(f"the arguments do not fit: {misfit}")
            said = await self._servers.call(McpCall(wanted[tool], arguments), context)
        questions = said.questions if isinstance(said, McpQuestions) else ()
        text = said if isinstance(said, str) else ""
        return Answer(context.lines, text, [it.message for it in questions])

    async def close(self) -> None:
        """Close all connections."""
        await self._servers.close()


@asynccontextmanager
async def mcp_desk(settings: Settings) -> AsyncIterator[McpDesk]:
    """The desk for the configured catalog.

    Raises:
        Failure: the catalog can't be used, or declares no server.
    """
    with expecting(CatalogError):
        catalog = await asyncio.to_thread(build_catalog, settings)
    if not catalog.mcp:
        raise Failure("no agent of the catalog has MCP servers: set RELAYLINE_CATALOG, or mcp=[…]")
    logging.getLogger(McpServers.__module__.rpartition(".")[0]).addHandler(logging.NullHandler())
    desk = McpDesk(catalog.mcp)
    try:
        yield desk
    finally:
        await desk.close()
