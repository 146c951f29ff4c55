"""A called tool of an MCP server as the workflow knows it: without its schema."""

from __future__ import annotations

import operator
from typing import Literal

from pydantic import Field

from relayline.contracts.frozen import Frozen
from relayline.contracts.runs import ToolSpec


class AskedBefore(Frozen):
    """The questions that an earlier run of a call has asked."""

    key: str
    """Of their `tool.asked`."""
    requests: tuple[str, ...]
    """Ids of the requests that people have answered, in the order of the questions."""


class McpPlan(Frozen):
    """What the workflow needs to know about a tool of an MCP server."""

    server: str
    listed: str
    """Key of the `tools.listed` that has its definition."""
    effects: Literal["safe", "unsafe"]
    approval_timeout_s: float
    timeout_s: float
    retries: int
    asked: AskedBefore | None = Field(default=None, exclude_if=operator.not_)
    """Set: the call is repeated with what people have answered."""

    def spec(self, name: str) -> ToolSpec:
        """The tool without its description, schema and rule of approval."""
        return ToolSpec(
            name=name,
            effects=self.effects,
            approval_timeout_s=self.approval_timeout_s,
            timeout_s=self.timeout_s,
            retries=self.retries,
        )
