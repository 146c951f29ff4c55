"""The reference renderer: folds events into what a person sees. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from pydantic import JsonValue

from relayline.contracts.events import (
    TERMINAL_TYPES,
    ApprovalRequested,
    InputRequested,
    RunForked,
)
from relayline.contracts.messages import Usage
from relayline.contracts.runs import RunError, RunStatus
from relayline.projections.projection import Data, Event, body_of, data_of, fold
from relayline.projections.steps import (
    TOOL_STATES,
    RenderedStep,
    RenderedTool,
    asked_for,
    requested,
    step_event,
    tool_event,
)
from relayline.projections.valid import FORKED, REWOUND, rewound_to
from relayline.projections.waits import WAIT_TYPES, Waits


class Inherited(NamedTuple):
    """The events of a past, with the `run.forked` before them."""

    seq: int = 0
    """Of `run.forked`; 0: there is none."""
    to_seq: int = 0


NOTHING = Inherited()


@dataclass(frozen=True)
class Rendered:
    """What a person sees of a run, after the events up to `seq`.

    Folding all events of a run gives, per step, the exact text of its message. Text of an attempt
    never shows once that attempt was superseded. Types that are not known, and events that were
    folded in before, change nothing. After a reset, a step or tool call that had not ended starts
    over.
    """

    seq: int = 0
    """The newest event that is folded in; the cursor to continue from."""
    inherited: Inherited = NOTHING
    """The past that the run began with, which is none of its usage."""
    waits: Waits = field(default_factory=Waits)
    steps: Mapping[int, RenderedStep] = field(default_factory=dict)
    tools: Mapping[str, RenderedTool] = field(default_factory=dict)
    """By call id, in the order in which they were first seen."""
    output: JsonValue = None
    """Of a completed run: text, or the JSON that was asked for."""
    error: RunError | None = None
    """Of a failed run."""
    final_usage: Usage | None = None
    """As the terminal event gives it."""

    @property
    def status(self) -> RunStatus:
        """As in `Waits`."""
        return self.waits.status

    @property
    def approvals(self) -> Mapping[str, ApprovalRequested]:
        """Those that wait for a decision, by id, oldest first; none once the run has ended."""
        return self.waits.approvals

    @property
    def questions(self) -> Mapping[str, InputRequested]:
        """Those that wait for an answer, by id, oldest first; none once the run has ended."""
        return self.waits.questions

    @property
    def usage(self) -> Usage:
        """The run's own sum once it has ended, before that the sum of its whole messages."""
        if self.final_usage is not None:
            return self.final_usage
        own = (step for step in self.steps.values() if step.seq > self.inherited.to_seq)
        return sum((step.usage for step in own if not step.interrupted), Usage())

    @property
    def step(self) -> int:
        """The newest step, 0 before the first."""
        return max(self.steps, default=0)

    def text(self, step: int) -> str:
        """The text of that step, empty if there is none."""
        return self.steps[step].text if step in self.steps else ""

    def apply(self, event: Event) -> Rendered:
        """This with one more event."""
        if event.seq <= self.seq:
            return self
        if event.type in TOOL_STATES:
            data = data_of(event)
            tool = tool_event(self.tools.get(str(data.get("call_id", ""))), event, data)
            return self._with(event, tools={**self.tools, tool.call_id: tool})
        if event.type == REWOUND:
            return self._rewound(event)
        if event.type in WAIT_TYPES:
            ended = event.type in TERMINAL_TYPES
            return self._ended(event, data_of(event)) if ended else self._waiting(event)
        if event.step is None:
            return self._beside(event)
        return self._with_step(event, event.step, data_of(event))

    def _beside(self, event: Event) -> Rendered:
        """This with an event of no step."""
        if event.type != FORKED:
            return self._with(event)
        past = Inherited(event.seq, body_of(RunForked, event).to_seq)
        return replace(self, seq=event.seq, inherited=past)

    def _with(
        self,
        event: Event,
        *,
        waits: Waits | None = None,
        steps: Mapping[int, RenderedStep] | None = None,
        tools: Mapping[str, RenderedTool] | None = None,
    ) -> Rendered:
        return Rendered(
            event.seq,
            self.inherited,
            waits or self.waits,
            self.steps if steps is None else steps,
            self.tools if tools is None else tools,
            self.output,
            self.error,
            self.final_usage,
        )

    def _with_step(self, event: Event, number: int, data: Data) -> Rendered:
        step = step_event(number, self.steps.get(number), event, data)
        if step.seq < event.seq:
            return self._with(event)
        calls = {
            call.call_id: requested(self.tools.get(call.call_id), call, event)
            for call in asked_for(data)
        }
        steps = {**self.steps, number: step}
        return self._with(event, steps=steps, tools={**self.tools, **calls} if calls else None)

    def _rewound(self, event: Event) -> Rendered:
        """This as it was at the event that the reset returns to, without what had not ended."""
        last, seq = rewound_to(event), event.seq
        steps = {number: step.rewound(last, seq) for number, step in self.steps.items()}
        tools = {call_id: tool.rewound(last, seq) for call_id, tool in self.tools.items()}
        return Rendered(
            seq,
            self.inherited if self.inherited.seq <= last else NOTHING,
            self.waits.apply(event),
            {number: step for number, step in steps.items() if step},
            {call_id: tool for call_id, tool in tools.items() if tool},
        )

    def _waiting(self, event: Event) -> Rendered:
        return self._with(event, waits=self.waits.apply(event))

    def _ended(self, event: Event, data: Data) -> Rendered:
        error, output, usage = data.get("error"), data.get("output"), data.get("usage")
        return Rendered(
            event.seq,
            self.inherited,
            self.waits.apply(event),
            self.steps,
            self.tools,
            error=RunError.model_validate(error) if error else None,
            output=output,
            final_usage=Usage.model_validate(usage) if usage else None,
        )


def render(events: Iterable[Event]) -> Rendered:
    """What a person sees after these events, in order."""
    return fold(Rendered(), events)
