"""`relayline mcp serve`: the MCP server over stdin and stdout, for a client on the same machine."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mcp.server.stdio import stdio_server

from relayline.client import AsyncClient
from relayline.mcp_server.server import Context, McpServer


async def serve(base_url: str, *, decides: bool) -> None:
    """Serve the API at that address until the other side of stdin ends.

    Args:
        base_url: Of the API; its key is that of `RELAYLINE_API_KEY`.
        decides: True: models may approve the calls of agents.
    """
    async with AsyncClient(base_url) as client:

        @asynccontextmanager
        async def clients(_ctx: Context) -> AsyncIterator[AsyncClient]:
            yield client

        server = McpServer(clients, decides=decides).server
        async with stdio_server() as (reading, writing):
            await server.run(reading, writing, server.create_initialization_options())
