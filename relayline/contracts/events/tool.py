"""Events of tool calls."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field, JsonValue

from relayline.contracts.errors import ErrorType
from relayline.contracts.frozen import Frozen


class ToolStarted(Frozen):
    """A tool starts."""

    type: Literal["tool.started"] = "tool.started"
    call_id: str
    name: str
    arguments: dict[str, JsonValue] = Field(default_factory=dict)


class ToolProgress(Frozen):
    """A progress report from a running tool."""

    type: Literal["tool.progress"] = "tool.progress"
    call_id: str
    message: str
    fraction: float | None = None
    """0 to 1."""


class ToolCompleted(Frozen):
    """The tool returned."""

    type: Literal["tool.completed"] = "tool.completed"
    call_id: str
    name: str
    output: str
    truncated: bool = False
    """True when the output was longer than 256 KiB and was cut."""


class ToolFailed(Frozen):
    """The tool failed; with `retryable`, another attempt follows."""

    type: Literal["tool.failed"] = "tool.failed"
    call_id: str
    name: str
    error: str
    retryable: bool = False
    error_type: str = ErrorType.TOOL_FAILED
    """One of `ErrorType`."""


class ToolCancelled(Frozen):
    """The tool was cancelled and stopped."""

    type: Literal["tool.cancelled"] = "tool.cancelled"
    call_id: str
    name: str
    acked_at: datetime


class ToolAbandoned(Frozen):
    """The tool was cancelled and did not stop; its effects are unknown."""

    type: Literal["tool.abandoned"] = "tool.abandoned"
    call_id: str
    name: str
    acked_at: datetime | None = None
