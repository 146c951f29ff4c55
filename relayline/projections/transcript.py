"""What a model is told of a run, folded from the facts of its journal. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple

from relayline.contracts.events import (
    ApprovalRequested,
    ApprovalResolved,
    ContextCompacted,
    MessageCompleted,
    MessageInterrupted,
    OutputRejected,
    RunForked,
    ToolAbandoned,
    ToolCancelled,
    ToolCompleted,
    ToolFailed,
    UserMessageEvent,
)
from relayline.contracts.messages import (
    AssistantMessage,
    Message,
    OmittedMessages,
    ToolMessage,
    Usage,
    UserMessage,
)
from relayline.projections.projection import Event, as_of, body_of, fold
from relayline.projections.valid import FORKED, REWOUND, rewound_to

COMPACTED = "context.compacted"
_USER, _COMPLETED = "message.user", "message.completed"
_ANSWERS: Mapping[str, type[MessageCompleted | MessageInterrupted]] = {
    _COMPLETED: MessageCompleted,
    "message.interrupted": MessageInterrupted,
}
_SPOKEN = frozenset({_USER, *_ANSWERS})
_STARTED = "step.started"
_REQUESTED = "approval.requested"
_APPROVALS = frozenset({_REQUESTED, "approval.resolved"})
_Result = ToolCompleted | ToolFailed | ToolCancelled | ToolAbandoned
_RESULTS: Mapping[str, type[_Result]] = {
    "tool.completed": ToolCompleted,
    "tool.failed": ToolFailed,
    "tool.cancelled": ToolCancelled,
    "tool.abandoned": ToolAbandoned,
}
_REJECTED = "output.rejected"
_TOLD = frozenset({*_SPOKEN, *_RESULTS, *_APPROVALS, _STARTED, _REJECTED, COMPACTED, REWOUND})
_INTERRUPTED = "message.interrupted"
_BILLED = frozenset({_COMPLETED, _INTERRUPTED, COMPACTED, REWOUND, FORKED})


class Turn(NamedTuple):
    """Something that was said, and the results of the calls that it asked for: never parted."""

    seq: int
    """Of what was said; 0 for the place of what is left out."""
    messages: tuple[Message, ...]
    told_to: int = 0
    """Of an answer: `seq` up to which the model had surely been told what people said."""

    @property
    def by_user(self) -> bool:
        """True for what a person said."""
        return isinstance(self.messages[0], UserMessage)

    @property
    def answers(self) -> bool:
        """True for an answer that was not interrupted."""
        first = self.messages[0]
        return isinstance(first, AssistantMessage) and not first.interrupted


def flat(said: Iterable[Turn]) -> tuple[Message, ...]:
    """The messages of these turns."""
    return tuple(message for turn in said for message in turn.messages)


def shortened(said: Sequence[Turn], by: ContextCompacted | None) -> tuple[Turn, ...]:
    """The turns without what that event leaves out; what it says of them takes their place."""
    if by is None:
        return tuple(said)
    kept = [turn for turn in said if turn.seq in by.kept]
    tail = [turn for turn in said if turn.seq >= by.kept_from]
    out = [turn for turn in said if turn.seq < by.kept_from and turn.seq not in by.kept]
    newest = max(by.kept, default=0)
    omitted = OmittedMessages(
        summary=by.summary,
        count=len(flat(out)),
        answers=sum(turn.answers and turn.seq > newest for turn in out),
    )
    return (*kept, Turn(0, (omitted,)), *tail)


@dataclass(frozen=True, eq=False)
class Transcript:
    """What a model is told of a run, folded from its facts.

    Every tool call of an assistant message is followed by exactly one result, in the order of
    the calls, before anything else is said: a result that came late is moved up to its call, and
    one that never came is given as an error. The first result of a call is the one that counts.

    Folding one event costs the same however many came before. `turns` and what is made of them
    look at all facts, but read each of them once, however many versions are asked.
    """

    seq: int = 0
    """The newest fact that says something to a model, or the newest reset."""
    fact: Event | None = field(default=None, repr=False)
    """None at the start and right after a reset."""
    before: Transcript | None = field(default=None, repr=False)

    def apply(self, event: Event) -> Transcript:
        """This with one more fact; types that say nothing to a model change nothing."""
        if event.type not in _TOLD or event.seq <= self.seq:
            return self
        if event.type == REWOUND:
            return Transcript(event.seq, None, as_of(self, rewound_to(event)))
        return Transcript(event.seq, event, self)

    @property
    def messages(self) -> tuple[Message, ...]:
        """All that the model is told: the turns without what was left out."""
        return flat(shortened(self.turns, self.compacted))

    @property
    def compacted(self) -> ContextCompacted | None:
        """The newest `context.compacted`."""
        found = (it.fact for it in self._newest_first() if it.fact and it.fact.type == COMPACTED)
        newest = next(found, None)
        return body_of(ContextCompacted, newest) if newest else None

    @property
    def turns(self) -> tuple[Turn, ...]:
        """What was said and what the tools returned, before anything was left out."""
        spoken: list[tuple[Event, Message, int]] = []
        started: dict[int | None, int] = {}
        results: dict[str, ToolMessage] = {}
        rejected: dict[int | None, str] = {}
        approvals = _Approvals()
        for version in reversed([*self._newest_first()]):
            fact, said = version.fact, version.said
            if fact is None:
                continue
            if isinstance(said, ToolMessage):
                results.setdefault(said.call_id, approvals.said_of(said))
            elif said:
                spoken.append((fact, said, started.get(fact.step, fact.seq)))
            elif fact.type == _STARTED:
                started[fact.step] = fact.seq
            elif fact.type == _REJECTED:
                rejected[fact.step] = body_of(OutputRejected, fact).problem
            elif fact.type in _APPROVALS:
                approvals.note(fact)
        return tuple(
            Turn(fact.seq, tuple(_messages(said, results, rejected.get(fact.step, ""))), told_to)
            for fact, said, told_to in spoken
        )

    @cached_property
    def said(self) -> Message | None:
        """What the fact says to a model; None if it only changes what others say."""
        if self.fact is None:
            return None
        if self.fact.type in _RESULTS:
            return _result(self.fact)
        return _said(self.fact) if self.fact.type in _SPOKEN else None

    def _newest_first(self) -> Iterator[Transcript]:
        version: Transcript | None = self
        while version is not None:
            yield version
            version = version.before


@dataclass(frozen=True)
class Unbilled:
    """Tokens of summaries and interrupted answers that no whole answer has counted in its own."""

    seq: int = 0
    """The newest answer, whole or not, summary, reset or `run.forked`."""
    usage: Usage = field(default_factory=Usage)
    inherited_to: int = 0
    """The last event of the past, which others have paid."""
    before: Unbilled | None = field(default=None, compare=False, repr=False)

    def apply(self, event: Event) -> Unbilled:
        """This with one more fact; only summaries, answers and resets change it."""
        if event.type not in _BILLED or event.seq <= self.seq:
            return self
        if event.type == REWOUND:
            earlier = as_of(self, rewound_to(event)) or Unbilled()
            return replace(earlier, seq=event.seq, before=earlier)
        if event.type == FORKED:
            to_seq = body_of(RunForked, event).to_seq
            return replace(self, seq=event.seq, inherited_to=to_seq, before=self)
        return replace(self, seq=event.seq, usage=self._after(event), before=self)

    def _after(self, event: Event) -> Usage:
        if event.seq <= self.inherited_to or event.type == _COMPLETED:
            return Usage()
        if event.type == COMPACTED:
            return self.usage + body_of(ContextCompacted, event).usage
        return self.usage + body_of(MessageInterrupted, event).usage


def transcript(facts: Iterable[Event]) -> tuple[Message, ...]:
    """All that the model is told after these facts, in order."""
    return fold(Transcript(), facts).messages


def turns(facts: Iterable[Event]) -> tuple[Turn, ...]:
    """What was said after these facts, before anything was left out."""
    return fold(Transcript(), facts).turns


class _Approvals:
    """What people did when they approved calls: the model has to know what it did not ask for."""

    def __init__(self) -> None:
        self._calls: dict[str, str] = {}
        self._said: dict[str, str] = {}

    def note(self, fact: Event) -> None:
        """Take in the next fact about an approval."""
        if fact.type == _REQUESTED:
            asked = body_of(ApprovalRequested, fact)
            self._calls[asked.approval_id] = asked.call_id
            return
        body = body_of(ApprovalResolved, fact)
        if body.decision != "approve" or body.approval_id not in self._calls:
            return
        changed = json.dumps(body.arguments, ensure_ascii=False)
        parts = [f"with other arguments: {changed}"] if body.arguments is not None else []
        parts += [f"with the note: {body.note}"] if body.note else []
        if parts:
            self._said[self._calls[body.approval_id]] = f"[approved {'; '.join(parts)}]\n"

    def said_of(self, result: ToolMessage) -> ToolMessage:
        """The result of a call, under what was said when it was approved."""
        said = self._said.get(result.call_id)
        return result.model_copy(update={"output": said + result.output}) if said else result


def _said(fact: Event) -> UserMessage | AssistantMessage:
    if fact.type == _USER:
        said = body_of(UserMessageEvent, fact)
        return UserMessage(text=said.text, parts=said.parts)
    body = body_of(_ANSWERS[fact.type], fact)
    return AssistantMessage(
        text=body.text,
        tool_calls=body.tool_calls,
        interrupted=isinstance(body, MessageInterrupted),
        kept=body.kept if isinstance(body, MessageCompleted) else None,
    )


def _messages(
    said: Message, results: Mapping[str, ToolMessage], rejected: str
) -> Iterator[Message]:
    """A message, and the results of the calls that it asked for."""
    if not isinstance(said, AssistantMessage):
        yield said
        return
    yield said.model_copy(update={"rejected": rejected}) if rejected else said
    for call in said.tool_calls:
        yield results.get(call.call_id) or ToolMessage(
            call_id=call.call_id, name=call.name, output="The call did not run.", is_error=True
        )


def told_of_result(fact: Event) -> str:
    """What the model is told of a call's end, by the fact that ends it."""
    result = _result(fact)
    return result.output if result else ""


def _result(fact: Event) -> ToolMessage | None:
    """What the model is told of a call's end; None for a failure that is tried again."""
    body = body_of(_RESULTS[fact.type], fact)
    match body:
        case ToolCompleted(call_id=call_id, name=name, output=output, files=files):
            return ToolMessage(call_id=call_id, name=name, output=output, files=files)
        case ToolFailed(call_id=call_id, name=name, error=error, retryable=False):
            return ToolMessage(call_id=call_id, name=name, output=error, is_error=True)
        case ToolFailed():
            return None
        case ToolCancelled():
            said = "The call was cancelled."
        case _:
            said = "The call was cancelled and did not stop: what it did is unknown."
    return ToolMessage(call_id=body.call_id, name=body.name, output=said, is_error=True)
