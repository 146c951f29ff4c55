"""MCP servers as a test says, behind the port."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from relayline.activities.tool.mcp.port import McpCall
from relayline.catalog.tools import ToolContext
from relayline.contracts.mcp import Listing, McpQuestions, McpToolSpec, MissingServer
from relayline.contracts.runs import ToolSpec

TEXT = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}


def served(tool: str, server: str = "notes", digest: str = "d", **spec: Any) -> McpToolSpec:
    """A tool of a server."""
    told = ToolSpec.model_validate(
        {"name": f"{server}_{tool}", "description": tool, "parameters": TEXT, **spec}
    )
    return McpToolSpec(server=server, tool=tool, spec=told, digest=digest)


class FakeServers:
    """`McpTools` that lists what it is given and answers calls in turn."""

    def __init__(self, *tools: McpToolSpec, results: Sequence[object] = ()) -> None:
        self.tools = list(tools)
        self.missing: list[MissingServer] = []
        self.failure: Exception | None = None
        """Raised by the next lists."""
        self.lists: list[tuple[str, ...]] = []
        """The servers of each list."""
        self.calls: list[McpCall] = []
        self.forgotten: list[str] = []
        self._results = list(results)
        """Of the calls: texts, questions or exceptions; `hang` waits until it is cancelled."""

    async def listed(self, servers: Sequence[str], run_id: str) -> Listing:
        """As `McpTools.listed`."""
        assert run_id
        self.lists.append(tuple(servers))
        if self.failure:
            raise self.failure
        return Listing(tools=tuple(self.tools), missing=tuple(self.missing))

    async def call(self, call: McpCall, context: ToolContext) -> str | McpQuestions:
        """As `McpTools.call`."""
        self.calls.append(call)
        context.progress("half way", 0.5)
        result = self._results.pop(0) if self._results else "done"
        if result == "hang":
            await asyncio.Event().wait()
        if isinstance(result, Exception):
            raise result
        assert isinstance(result, str | McpQuestions)
        return result

    async def forget(self, run_id: str) -> None:
        """As `McpTools.forget`."""
        self.forgotten.append(run_id)
