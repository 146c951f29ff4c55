"""The reference renderer: folds events into what a person sees. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from pydantic import JsonValue

from contracts.envelope import Envelope, StoredEvent
from contracts.events import TERMINAL_TYPES
from contracts.messages import ToolCall, Usage
from contracts.runs import RunError, RunStatus
from contracts.steering import ApprovalRequested, InputRequested

_Data = Mapping[str, JsonValue]
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


_TOOL_STATES = {
    "tool.started": ToolState.RUNNING,
    "tool.progress": ToolState.RUNNING,
    "tool.completed": ToolState.COMPLETED,
    "tool.failed": ToolState.FAILED,
    "tool.cancelled": ToolState.CANCELLED,
    "tool.abandoned": ToolState.ABANDONED,
}
_STATUSES = {
    "run.started": RunStatus.RUNNING,
    "run.resumed": RunStatus.RUNNING,
    "run.paused": RunStatus.PAUSED,
    **TERMINAL_TYPES,
}
_REQUESTS = frozenset(
    {
        "approval.requested",
        "approval.resolved",
        "input.requested",
        "input.received",
        "input.closed",
    }
)


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


@dataclass(frozen=True)
class Rendered:
    """What a person sees of a run, after the events up to `seq`.

    Folding all events of a run gives, per step, the text of its message, exactly. Text of an
    attempt never shows once that attempt was superseded. Types that are not known, and events
    that were folded in before, change nothing. The status is `waiting` while an approval or a
    question is open and the run is not paused.
    """

    seq: int = 0
    """The newest event that is folded in; the cursor to go on from."""
    status: RunStatus = RunStatus.QUEUED
    steps: Mapping[int, RenderedStep] = field(default_factory=dict)
    tools: Mapping[str, RenderedTool] = field(default_factory=dict)
    """By call id, in the order in which they were first seen."""
    approvals: Mapping[str, ApprovalRequested] = field(default_factory=dict)
    """Those that wait for a decision, by id, oldest first; none once the run has ended."""
    questions: Mapping[str, InputRequested] = field(default_factory=dict)
    """Those that wait for an answer, by id, oldest first; none once the run has ended."""
    output: str | None = None
    """Of a completed run."""
    error: RunError | None = None
    """Of a failed run."""
    final_usage: Usage | None = None
    """As the terminal event gives it."""

    @property
    def usage(self) -> Usage:
        """The run's own sum once it has ended, before that the sum of its messages."""
        if self.final_usage is not None:
            return self.final_usage
        return sum((step.usage for step in self.steps.values()), Usage())

    @property
    def step(self) -> int:
        """The newest step, 0 before the first."""
        return max(self.steps, default=0)

    def text(self, step: int) -> str:
        """The text of that step, empty if there is none."""
        return self.steps[step].text if step in self.steps else ""

    def apply(self, event: Envelope | StoredEvent) -> Rendered:
        """This with one more event."""
        if event.seq <= self.seq:
            return self
        data: _Data = json.loads(event.data) if isinstance(event, StoredEvent) else event.data
        return replace(self._folded(event, data), seq=event.seq)

    def _folded(self, event: Envelope | StoredEvent, data: _Data) -> Rendered:
        if event.type in _TOOL_STATES:
            tool = _tool_event(self.tools, event, data)
            return replace(self, tools={**self.tools, tool.call_id: tool})
        if event.type in _STATUSES:
            return self._with_status(event.type, data)
        if event.type in _REQUESTS:
            return self._with_request(event.type, data)
        if event.step is None:
            return self
        before = self.steps.get(event.step) or RenderedStep(event.step)
        after = _step_event(before, event, data)
        if after is before:
            return self
        asked_for = {
            call.call_id: RenderedTool(call.call_id, call.name, event.step, call.arguments)
            for call in _calls(data)
        }
        steps = {**self.steps, event.step: after}
        return replace(self, steps=steps, tools={**self.tools, **asked_for})

    def _with_status(self, kind: str, data: _Data) -> Rendered:
        error, output, usage = data.get("error"), data.get("output"), data.get("usage")
        status = _STATUSES[kind]
        after = replace(
            self,
            status=status,
            approvals={} if status.ended else self.approvals,
            questions={} if status.ended else self.questions,
            error=RunError.model_validate(error) if error else self.error,
            output=str(output) if output is not None else self.output,
            final_usage=Usage.model_validate(usage) if usage else self.final_usage,
        )
        return _settled(after)

    def _with_request(self, kind: str, data: _Data) -> Rendered:
        """This with an approval or a question more or less; nothing opens after the end."""
        if self.status.ended:
            return self
        approvals, questions = {**self.approvals}, {**self.questions}
        match kind:
            case "approval.requested":
                approval = ApprovalRequested.model_validate(data)
                approvals[approval.approval_id] = approval
            case "input.requested":
                question = InputRequested.model_validate(data)
                questions[question.request_id] = question
            case "approval.resolved":
                approvals.pop(str(data.get("approval_id")), None)
            case _:
                questions.pop(str(data.get("request_id")), None)
        return _settled(replace(self, approvals=approvals, questions=questions))


def render(events: Iterable[Envelope | StoredEvent]) -> Rendered:
    """What a person sees after these events, in order."""
    rendered = Rendered()
    for event in events:
        rendered = rendered.apply(event)
    return rendered


def _settled(rendered: Rendered) -> Rendered:
    """With the status that open approvals and questions give it."""
    if rendered.status not in {RunStatus.RUNNING, RunStatus.WAITING}:
        return rendered
    waits = rendered.approvals or rendered.questions
    return replace(rendered, status=RunStatus.WAITING if waits else RunStatus.RUNNING)


def _step_event(step: RenderedStep, event: Envelope | StoredEvent, data: _Data) -> RenderedStep:
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


def _calls(data: _Data) -> list[ToolCall]:
    calls = data.get("tool_calls")
    return [ToolCall.model_validate(call) for call in calls] if isinstance(calls, list) else []


def _tool_event(
    tools: Mapping[str, RenderedTool], event: Envelope | StoredEvent, data: _Data
) -> RenderedTool:
    """The tool call after one of its events."""
    call_id = str(data.get("call_id", ""))
    name = str(data.get("name", ""))
    tool = tools.get(call_id) or RenderedTool(call_id, name, event.step or 0)
    state = _TOOL_STATES[event.type]
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
