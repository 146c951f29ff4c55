"""Events of MCP servers: the tools that a run has of them, and what they ask in a call."""

from __future__ import annotations

import operator
from typing import Literal

from pydantic import Field, JsonValue

from relayline.contracts.frozen import Frozen
from relayline.contracts.mcp.tools import LeftOutTool, McpQuestion, MissingServer

HIDDEN = {
    "tools.listed": frozenset({"specs"}),
    "tool.asked": frozenset({"state", "given"}),
}
"""Fields of events that only workers get, by type: schemas, and what a server keeps to itself."""


class ListedTool(Frozen):
    """A tool of an MCP server, as a run has it."""

    name: str
    """As the model knows it: `{server}_{tool}`."""
    digest: str
    """Of its definition: name, schemas, annotations. A call fails where it has changed."""
    server: str = ""
    """The server, as the agent's module names it."""


class ToolsListed(Frozen):
    """The run has these tools of its MCP servers, whatever the servers change later."""

    type: Literal["tools.listed"] = "tools.listed"
    servers: tuple[str, ...]
    """All that the agent names."""
    tools: tuple[ListedTool, ...] = ()
    """In the order of the servers and of their lists."""
    missing: tuple[MissingServer, ...] = ()
    """Optional servers that could not be listed: the run continues without their tools."""
    left_out: tuple[LeftOutTool, ...] = ()
    """Tools that can't be offered to a model."""
    sha256: str
    """Digest of the whole list."""
    specs: tuple[dict[str, JsonValue], ...] = ()
    """The tools whole, as `McpToolSpec`; clients do not get it."""


class ToolAsked(Frozen):
    """An MCP server asks people in the middle of a call, which is repeated with their answers."""

    type: Literal["tool.asked"] = "tool.asked"
    call_id: str
    """As in `tool_calls` of `message.completed`."""
    name: str
    """The tool's name."""
    round: int = 1
    """1, 2, 3, … within the call."""
    questions: tuple[McpQuestion, ...]
    """In the order of their `input.requested`."""
    problems: dict[str, str] = Field(default_factory=dict, exclude_if=operator.not_)
    """Why an earlier answer does not fit, by the question's key; left out if none was given."""
    state: str | None = None
    """What the server wants to be given back; clients do not get it."""
    given: dict[str, dict[str, JsonValue]] = Field(default_factory=dict, exclude_if=operator.not_)
    """Answers that were given already, as `McpAnswer` by the question's key; clients do not get
    them."""
