"""Answers about the agents of a server."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, JsonValue

from relayline.contracts.mcp.views import ServerView
from relayline.contracts.runs import Limits, ModelChoice, ToolSpec


class _Answer(BaseModel):
    model_config = ConfigDict(use_attribute_docstrings=True)


class AgentView(_Answer, ModelChoice):
    """An agent that this server can run."""

    name: str
    model: str
    tools: tuple[str, ...]
    tool_details: tuple[ToolSpec, ...] = ()
    """Of each tool what the model is told, its effects, and which calls a person must approve."""
    mcp: tuple[ServerView, ...] = ()
    """The MCP servers whose tools it has, too."""
    limits: Limits
    output_schema: dict[str, JsonValue] | None = None
    """JSON Schema of its answers; null if they are text."""


class AgentList(_Answer):
    """The agents of this server."""

    agents: tuple[AgentView, ...]
    build: str | None = None
    """Of the workers, empty if they have none; null before any worker was there."""
    seen_at: datetime | None = None  # when a worker last started with them
