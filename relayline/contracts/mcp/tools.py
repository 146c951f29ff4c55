"""Tools of MCP servers as data: what a run pins, and the questions that a call may ask."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, JsonValue

from relayline.contracts.frozen import Frozen
from relayline.contracts.runs import ToolSpec

MAX_ROUNDS = 10
"""Rounds of questions that one call may ask."""


class McpToolSpec(Frozen):
    """A tool of an MCP server, as a run pins it."""

    server: str
    """The name of the server in the user's module."""
    tool: str
    """The name that the server knows it by."""
    spec: ToolSpec
    """`spec.name` is the name that the model knows: `{server}_{tool}`, see `naming`."""
    digest: str
    """`call_digest` of the definition; a call fails as `tool-changed` where it differs."""


class MissingServer(Frozen):
    """An optional server that could not be listed."""

    server: str
    """Its name in the user's module."""
    reason: str
    """At most 1,000 characters, without secrets."""


class LeftOutTool(Frozen):
    """A tool that is listed but can't be offered to a model."""

    server: str
    """The server's name in the user's module."""
    tool: str
    """The name that the server knows it by."""
    reason: str
    """Why, in words for people."""


class Listing(Frozen):
    """The tools of all MCP servers of an agent, in the order of servers and of their lists."""

    tools: tuple[McpToolSpec, ...] = ()
    missing: tuple[MissingServer, ...] = ()
    left_out: tuple[LeftOutTool, ...] = ()


class McpQuestion(Frozen):
    """One thing that a server asks a person in the middle of a call."""

    key: str
    """The server's name for it; the answer carries it."""
    message: str
    """What the person must answer."""
    answer_schema: dict[str, JsonValue] = Field(default={"type": "object"})
    """JSON Schema of the answer's content."""


class McpQuestions(Frozen):
    """A round of questions: the call has ended, and is repeated with the answers."""

    questions: tuple[McpQuestion, ...]
    """Never empty."""
    state: str | None = None
    """The server's `requestState`: opaque, returned with the answers."""


class McpAnswer(Frozen):
    """A person's answer to one question."""

    action: Literal["accept", "decline", "cancel"]
    content: dict[str, JsonValue] | None = None
    """With `accept`: matches the question's schema."""


class McpRound(Frozen):
    """What a repeated call brings along: the questions that were asked, and the answers by key."""

    asked: McpQuestions
    answers: dict[str, McpAnswer]
