"""The reference renderer: folds events into what a person sees. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from pydantic import JsonValue

from relayline.contracts.envelope import Envelope, StoredEvent
from relayline.contracts.events import TERMINAL_TYPES, ApprovalRequested, InputRequested
from relayline.contracts.messages import Usage
from relayline.contracts.runs import RunError, RunStatus
from relayline.projections.steps import (
    ANEW,
    TOOL_STATES,
    Data,
    RenderedStep,
    RenderedTool,
    asked_for,
    step_event,
    tool_event,
)
from relayline.projections.valid import REWOUND

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
        data: Data = json.loads(event.data) if isinstance(event, StoredEvent) else event.data
        return replace(self._folded(event, data), seq=event.seq)

    def _folded(self, event: Envelope | StoredEvent, data: Data) -> Rendered:
        if event.type in TOOL_STATES:
            tool = tool_event(self.tools, event, data)
            tool = replace(tool, since=tool.since or event.seq, seq=event.seq)
            return replace(self, tools={**self.tools, tool.call_id: tool})
        if event.type in _STATUSES:
            return self._with_status(event.type, data)
        if event.type in _REQUESTS:
            return self._with_request(event.type, data)
        if event.type == REWOUND:
            return self._rewound(data.get("to_seq"))
        return self if event.step is None else self._with_step(event, event.step, data)

    def _with_step(self, event: Envelope | StoredEvent, number: int, data: Data) -> Rendered:
        before = self.steps.get(number) or RenderedStep(number)
        after = step_event(before, event, data)
        if after is before:
            return self
        seq = event.seq
        after = replace(after, since=after.since or seq, seq=seq)
        calls = {
            call.call_id: RenderedTool(
                call.call_id, call.name, number, call.arguments, since=seq, seq=seq
            )
            for call in asked_for(data)
        }
        steps = {**self.steps, number: after}
        return replace(self, steps=steps, tools={**self.tools, **calls})

    def _rewound(self, to_seq: JsonValue) -> Rendered:
        """This as it was at that event, as far as that is known; what has moved on starts over."""
        last = to_seq if isinstance(to_seq, int) else 0
        return Rendered(
            status=RunStatus.RUNNING,
            steps={
                number: step if step.seq <= last else RenderedStep(number, since=step.since)
                for number, step in self.steps.items()
                if step.since <= last
            },
            tools={
                call_id: tool if tool.seq <= last else replace(tool, **ANEW)
                for call_id, tool in self.tools.items()
                if tool.since <= last
            },
        )

    def _with_status(self, kind: str, data: Data) -> Rendered:
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

    def _with_request(self, kind: str, data: Data) -> Rendered:
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
