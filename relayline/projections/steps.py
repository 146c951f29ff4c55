"""One model call and one tool call as a person sees them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from pydantic import JsonValue

from relayline.contracts.messages import ToolCall, Usage
from relayline.projections.projection import Data, Event, as_of

_FIRST_ATTEMPT = 1


class ToolState(StrEnum):
    """Where a tool call stands."""

    REQUESTED = "requested"
    RUNNING = "running"
    RETRYING = "retrying"
    """It failed and will be tried again."""
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    ABANDONED = "abandoned"
    """It was cancelled and did not stop."""

    @property
    def ended(self) -> bool:
        """True when the call runs no more."""
        return self in _ENDED


_ENDED = frozenset(
    {ToolState.COMPLETED, ToolState.FAILED, ToolState.CANCELLED, ToolState.ABANDONED}
)
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
    seq: int = 0
    """Of the event that made this version."""
    before: RenderedTool | None = field(default=None, compare=False, repr=False)

    def behind(self) -> RenderedTool:
        """The version to keep behind the next one.

        While the call is under way, one version is enough for each set of arguments: after a reset
        it starts over.
        """
        earlier = self.before
        alike = earlier is not None and earlier.arguments is self.arguments
        if earlier is None or not alike or earlier.state.ended or self.state.ended:
            return self
        return earlier

    def rewound(self, to_seq: int, seq: int) -> RenderedTool | None:
        """As it was at `to_seq`, starting over unless it had ended; None if it was not there yet.

        Args:
            to_seq: The newest event that counts.
            seq: Of `run.rewound`.
        """
        tool = as_of(self, to_seq)
        if tool is None or tool.state.ended:
            return tool
        return RenderedTool(
            tool.call_id, tool.name, tool.step, tool.arguments, seq=seq, before=tool
        )


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
    seq: int = 0
    """Of the event that made this version."""
    before: RenderedStep | None = field(default=None, compare=False, repr=False)

    def behind(self) -> RenderedStep:
        """The version to keep behind the next one.

        While the model is called, the first version is enough: after a reset the step starts over.
        """
        earlier = self.before
        return self if earlier is None or earlier.ended or self.ended else earlier

    def rewound(self, to_seq: int, seq: int) -> RenderedStep | None:
        """As it was at `to_seq`, starting over unless it had ended; None if it was not there yet.

        Args:
            to_seq: The newest event that counts.
            seq: Of `run.rewound`.
        """
        step = as_of(self, to_seq)
        if step is None or step.ended:
            return step
        return RenderedStep(step.step, seq=seq, before=step)


def step_event(number: int, old: RenderedStep | None, event: Event, data: Data) -> RenderedStep:
    """The step after one of its events; `seq` stays as it was if that changes nothing.

    Args:
        number: The step.
        old: The step before the event; None if it has had none.
        event: The event.
        data: Its data.
    """
    step = old or RenderedStep(number)
    seq, behind = event.seq, old.behind() if old else None
    match event.type:
        case "step.started":
            return RenderedStep(number, seq=seq, before=behind)
        case "message.completed" | "message.interrupted":
            return RenderedStep(
                number,
                step.attempt,
                text=str(data.get("text", "")),
                reasoning=step.reasoning,
                ended=True,
                interrupted=event.type == "message.interrupted",
                finish_reason=str(data.get("finish_reason", "")),
                usage=Usage.model_validate(data.get("usage") or {}),
                seq=seq,
                before=behind,
            )
        case "attempt.superseded" | "model.fallback" if not step.ended:
            void = data.get("attempt", event.attempt)
            if isinstance(void, int) and void >= step.attempt:
                return RenderedStep(number, void + 1, seq=seq, before=behind)
            return step
        case "message.delta" | "reasoning.delta" if not step.ended:
            return _delta(step, event, str(data.get("text", "")), behind)
        case _:
            return step


def _delta(
    step: RenderedStep, event: Event, piece: str, behind: RenderedStep | None
) -> RenderedStep:
    """The step with one more piece, unless that is of an attempt that is void."""
    attempt = event.attempt or _FIRST_ATTEMPT
    if attempt < step.attempt:
        return step
    text, reasoning = (step.text, step.reasoning) if attempt == step.attempt else ("", "")
    if event.type == "message.delta":
        text += piece
    else:
        reasoning += piece
    return RenderedStep(step.step, attempt, text, reasoning, seq=event.seq, before=behind)


def asked_for(data: Data) -> list[ToolCall]:
    """The tool calls of a message."""
    calls = data.get("tool_calls")
    return [ToolCall.model_validate(call) for call in calls] if isinstance(calls, list) else []


def requested(old: RenderedTool | None, call: ToolCall, event: Event) -> RenderedTool:
    """The call that the message in this event asks for."""
    return RenderedTool(
        call.call_id,
        call.name,
        event.step or 0,
        call.arguments,
        seq=event.seq,
        before=old.behind() if old else None,
    )


def tool_event(old: RenderedTool | None, event: Event, data: Data) -> RenderedTool:
    """The tool call after one of its events."""
    name = str(data.get("name", ""))
    tool = old or RenderedTool(str(data.get("call_id", "")), name, event.step or 0)
    state = TOOL_STATES[event.type]
    arguments = data.get("arguments")
    if state is ToolState.FAILED and data.get("retryable"):
        state = ToolState.RETRYING
    return RenderedTool(
        tool.call_id,
        name or tool.name,
        tool.step,
        arguments if isinstance(arguments, dict) else tool.arguments,
        state,
        output=str(data.get("output", data.get("error", ""))),
        truncated=bool(data.get("truncated", False)),
        progress=str(data.get("message", tool.progress)),
        seq=event.seq,
        before=old.behind() if old else None,
    )
