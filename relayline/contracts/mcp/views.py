"""MCP servers of an agent, as the API shows them: never how they are reached."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from relayline.contracts.runs import ToolSpec


class ServerView(BaseModel):
    """An MCP server of an agent, with its tools as the newest run that listed it found them."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    server: str
    """Its name in the agent's module."""
    tools: tuple[ToolSpec, ...] | None = None
    """Null while no run has listed it."""
    missing: str | None = None
    """Why that run had to do without it; null if it was there."""
    seen_at: datetime | None = None
    """When that run listed it."""
