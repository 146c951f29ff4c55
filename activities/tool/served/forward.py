"""A tool of an MCP server as a tool of this worker's: it forwards each call to the server."""

from __future__ import annotations

from typing import Any

from pydantic import JsonValue

from relayline.activities.tool.mcp.port import McpCall, McpTools
from relayline.activities.tool.output import Clean
from relayline.catalog.tools import Tool
from relayline.contracts.mcp import McpQuestions, McpRound, McpToolSpec

CONTEXT = "\0context"
"""The parameter that takes the `ToolContext`; no argument has such a name."""


class Forward:
    """Calls one tool of an MCP server, once; runs in the loop of async tools."""

    def __init__(
        self,
        servers: McpTools,
        tool: McpToolSpec,
        about: dict[str, JsonValue],
        clean: Clean,
    ) -> None:
        self._servers = servers
        self._tool = tool
        self._about = about
        self._clean = clean
        self.round: McpRound | None = None
        """What people have answered, if the call is repeated with that."""
        self.asked: McpQuestions | None = None
        """What the server asks, if the call has ended with that."""
        self._call: McpCall | None = None

    @property
    def stopped(self) -> bool:
        """True if the call was cancelled, and its tool is known not to run any more."""
        return self._call is None or self._call.stopped.is_set()

    async def __call__(self, **given: Any) -> str:
        """Call the tool.

        Raises:
            McpFailure: as in the port.
        """
        context = given.pop(CONTEXT)
        self._call = McpCall(self._tool, given, self._about, self.round)
        result = await self._servers.call(self._call, context)
        if isinstance(result, str):
            return result
        self.asked = _cleaned(result, self._clean)
        return ""

    def as_tool(self) -> Tool:
        """The tool, with the spec that the run has pinned."""
        return Tool(self._tool.spec, self, CONTEXT)


def _cleaned(asked: McpQuestions, clean: Clean) -> McpQuestions:
    """The questions, with secrets cut out of what people read."""
    questions = tuple(
        question.model_copy(update={"message": clean(question.message)})
        for question in asked.questions
    )
    return asked.model_copy(update={"questions": questions})
