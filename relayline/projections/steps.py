"""One model call and one tool call as a person sees them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from pydantic import JsonValue

from relayline.contracts.envelope import Envelope, StoredEvent
from relayline.contracts.messages import ToolCall, Usage

Data = Mapping[str, JsonValue]
_FIRST_ATTEMPT = 1


class ToolState(StrEnum):
    """Where a tool call stands."""

    REQUESTED = "requested"
    RUNNING = "running"
    RETRYING = "retrying"
    """It failed and is tried again."""
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    ABANDONED = "abandoned"
    """It was told to stop and did not."""


TOOL_STATES = {
    "tool.started": ToolState.RUNNING,
    "tool.progress": ToolState.RUNNING,
    "tool.completed": ToolState.COMPLETED,
    "tool.failed": ToolState.FAILED,
    "tool.cancelled": ToolState.CANCELLED,
    "tool.abandoned": ToolState.ABANDONED,
}


@dataclass(frozen=True)
class RenderedTool:
    """One tool call."""

    call_id: str
    name: str
    step: int
    arguments: Mapping[str, JsonValue] = field(default_factory=dict)
    state: ToolState = ToolState.REQUESTED
    output: str = ""
    """What it returned, or why it failed."""
    truncated: bool = False
    progress: str = ""
    """Its newest word while it runs."""
    since: int = 0
    """`seq` of its first event."""
    seq: int = 0
    """Of its newest event."""


@dataclass(frozen=True)
class RenderedStep:
    """One model call: the text of its latest attempt, or its message once that stands."""

    step: int
    attempt: int = _FIRST_ATTEMPT
    """The attempt whose text this is; what a lower one streamed is void."""
    text: str = ""
    reasoning: str = ""
    ended: bool = False
    """True once `message.completed` or `message.interrupted` has given the text."""
    interrupted: bool = False
    finish_reason: str | None = None
    usage: Usage = field(default_factory=Usage)
    since: int = 0
    """`seq` of its first event."""
    seq: int = 0
    """Of its newest event."""


ANEW: dict[str, Any] = {"state": ToolState.REQUESTED, "output": "", "progress": ""}
"""What a tool call forgets when the run is rewound to before its end."""


def step_event(step: RenderedStep, event: Envelope | StoredEvent, data: Data) -> RenderedStep:
    """The step after one of its events; the very same object if that changes nothing."""
    match event.type:
        case "step.started":
            return RenderedStep(step.step)
        case "message.completed" | "message.interrupted":
            return replace(
                step,
                text=str(data.get("text", "")),
                ended=True,
                interrupted=event.type == "message.interrupted",
                finish_reason=str(data.get("finish_reason", "")),
                usage=Usage.model_validate(data.get("usage") or {}),
            )
        case "attempt.superseded" if not step.ended:
            void = data.get("attempt")
            if isinstance(void, int) and void >= step.attempt:
                return RenderedStep(step.step, void + 1)
            return step
        case "message.delta" | "reasoning.delta" if not step.ended:
            return _delta(step, event, str(data.get("text", "")))
        case _:
            return step


def _delta(step: RenderedStep, event: Envelope | StoredEvent, piece: str) -> RenderedStep:
    """The step with one more piece, unless that is of an attempt that is void."""
    attempt = event.attempt or _FIRST_ATTEMPT
    if attempt < step.attempt:
        return step
    if attempt > step.attempt:
        step = RenderedStep(step.step, attempt)
    if event.type == "message.delta":
        return replace(step, text=step.text + piece)
    return replace(step, reasoning=step.reasoning + piece)


def asked_for(data: Data) -> list[ToolCall]:
    calls = data.get("tool_calls")
    return [ToolCall.model_validate(call) for call in calls] if isinstance(calls, list) else []


def tool_event(
    tools: Mapping[str, RenderedTool], event: Envelope | StoredEvent, data: Data
) -> RenderedTool:
    """The tool call after one of its events."""
    call_id = str(data.get("call_id", ""))
    name = str(data.get("name", ""))
    tool = tools.get(call_id) or RenderedTool(call_id, name, event.step or 0)
    state = TOOL_STATES[event.type]
    arguments = data.get("arguments")
    if state is ToolState.FAILED and data.get("retryable"):
        state = ToolState.RETRYING
    return replace(
        tool,
        name=name or tool.name,
        arguments=arguments if isinstance(arguments, dict) else tool.arguments,
        state=state,
        output=str(data.get("output", data.get("error", ""))),
        truncated=bool(data.get("truncated", False)),
        progress=str(data.get("message", tool.progress)),
    )
