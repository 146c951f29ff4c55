"""Events of tool calls."""

from __future__ import annotations

import operator
from datetime import datetime
from typing import Literal

from pydantic import Field, JsonValue

from relayline.contracts.errors import ErrorType
from relayline.contracts.files.parts import FilePart
from relayline.contracts.frozen import Frozen


class ToolStarted(Frozen):
    """A tool starts."""

    type: Literal["tool.started"] = "tool.started"
    call_id: str
    """As in `tool_calls` of `message.completed`."""
    name: str
    """The tool's name."""
    arguments: dict[str, JsonValue] = Field(default_factory=dict)
    """Those that the tool gets: the model's, or a person's in their place."""


class ToolProgress(Frozen):
    """A progress report from a running tool."""

    type: Literal["tool.progress"] = "tool.progress"
    call_id: str
    """As in `tool_calls` of `message.completed`."""
    message: str
    """The tool's own words."""
    fraction: float | None = None
    """0 to 1."""


class ToolCompleted(Frozen):
    """The tool returned."""

    type: Literal["tool.completed"] = "tool.completed"
    call_id: str
    """As in `tool_calls` of `message.completed`."""
    name: str
    """The tool's name."""
    output: str
    """What the model reads: text, or JSON as text."""
    truncated: bool = False
    """True when the output was longer than 256 KiB and was cut."""
    files: tuple[FilePart, ...] = Field(default=(), exclude_if=operator.not_)
    """The pictures that it returned, which models that take them see; left out if there are none.
    """


class ToolFailed(Frozen):
    """The tool failed; with `retryable`, another attempt follows."""

    type: Literal["tool.failed"] = "tool.failed"
    call_id: str
    """As in `tool_calls` of `message.completed`."""
    name: str
    """The tool's name."""
    error: str
    """In words; the model reads it unless another attempt follows."""
    retryable: bool = False
    """Whether another attempt follows."""
    error_type: str = ErrorType.TOOL_FAILED
    """An error type, such as `tool-timed-out`."""


class ToolCancelled(Frozen):
    """The tool was cancelled and stopped."""

    type: Literal["tool.cancelled"] = "tool.cancelled"
    call_id: str
    """As in `tool_calls` of `message.completed`."""
    name: str
    """The tool's name."""
    acked_at: datetime
    """When the call ended."""
    confirmed: bool = Field(default=True, exclude_if=bool)
    """False: an MCP server was told to stop and does not say whether it has; left out if true."""


class ToolAbandoned(Frozen):
    """The tool was cancelled and did not stop; its effects are unknown."""

    type: Literal["tool.abandoned"] = "tool.abandoned"
    call_id: str
    """As in `tool_calls` of `message.completed`."""
    name: str
    """The tool's name."""
    acked_at: datetime | None = None
    """Always absent: the tool did not say that it stops."""
