"""Connections to MCP servers for tests, and a context that keeps what it is told."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import JsonValue

from relayline.activities.tool.elsewhere import CallElsewhere
from relayline.activities.tool.mcp.port import McpCall
from relayline.activities.tool.mcp.servers import McpServers
from relayline.catalog.servers.mcp import McpServer
from relayline.contracts.mcp import Listing, McpQuestions, McpRound, McpToolSpec

ODD = (sys.executable, "-m", "tests.activities.tool.mcp.odd_server")
SLOW_S = 60.0
"""Tests are patient: a Python server takes three seconds to start on a busy machine."""


class Told(CallElsewhere):
    """A `ToolContext` that keeps the progress."""

    def __init__(self, run_id: str = "run_1") -> None:
        about = {"run_id": run_id, "call_id": "call_1_0", "tenant": "acme"}
        super().__init__(about, f"{run_id}/key")
        self.lines: list[tuple[str, float | None]] = []

    def progress(self, message: str, fraction: float | None = None) -> None:
        self.lines.append((message, fraction))


class Wing:
    """The servers, and the tools that a run has pinned."""

    def __init__(self, servers: McpServers, names: list[str]) -> None:
        self.servers = servers
        self.names = names
        self.tools: dict[str, McpToolSpec] = {}
        self.last: McpCall | None = None
        """The newest call."""

    async def pin(self, run_id: str = "run_1") -> Listing:
        listing = await self.servers.listed(self.names, run_id)
        self.tools = {tool.tool: tool for tool in listing.tools}
        return listing

    async def call(
        self,
        tool: str,
        arguments: dict[str, JsonValue] | None = None,
        told: Told | None = None,
        *,
        again: McpRound | None = None,
        about: dict[str, JsonValue] | None = None,
    ) -> str | McpQuestions:
        self.last = McpCall(self.tools[tool], arguments or {}, about or {}, again)
        return await self.servers.call(self.last, told or Told())


Opened = Callable[..., Any]


@asynccontextmanager
async def wing(*servers: McpServer, environ: dict[str, str] | None = None) -> AsyncIterator[Wing]:
    """Connections to these, closed at the end."""
    made = McpServers({it.name: it for it in servers}, {} if environ is None else environ)
    try:
        yield Wing(made, [it.name for it in servers])
    finally:
        await made.close()


@pytest.fixture
async def opened() -> AsyncIterator[Opened]:
    """Opens wings that are closed after the test."""
    async with AsyncExitStack() as stack:

        async def give(*servers: McpServer, environ: dict[str, str] | None = None) -> Wing:
            return await stack.enter_async_context(wing(*servers, environ=environ))

        yield give


def odd(folder: Path, **options: Any) -> McpServer:
    """The odd server, which leaves word in that folder."""
    env = {"ODD_FOLDER": str(folder), **options.pop("env", {})}
    given = {"command": ODD, "trusted": True, "connect_s": SLOW_S, **options}
    return McpServer("odd", env=env, **given)


async def eventually(true: Callable[[], bool]) -> None:
    """Wait until it is."""
    async with asyncio.timeout(SLOW_S):
        while not true():
            await asyncio.sleep(0.02)


def words(folder: Path, name: str) -> int:
    """How often the odd server left that word."""
    file = folder / name
    return len(file.read_text().splitlines()) if file.exists() else 0
