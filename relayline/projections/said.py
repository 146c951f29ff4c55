"""What is said in a run, and what its tools return, fact by fact. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from relayline.contracts.events import (
    ApprovalRequested,
    ApprovalResolved,
    MessageCompleted,
    MessageInterrupted,
    OutputRejected,
    ToolAbandoned,
    ToolCancelled,
    ToolCompleted,
    ToolFailed,
    UserMessageEvent,
)
from relayline.contracts.messages import AssistantMessage, Message, ToolMessage, UserMessage
from relayline.projections.projection import Event, body_of

_USER = "message.user"
_ANSWERS: Mapping[str, type[MessageCompleted | MessageInterrupted]] = {
    "message.completed": MessageCompleted,
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
SAYING = frozenset({*_SPOKEN, *_RESULTS, *_APPROVALS, _STARTED, _REJECTED})
"""Types of the facts from which turns follow."""


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


class Reading:
    """The turns of a run, read fact by fact.

    Every tool call of an answer is followed by exactly one result, in the order of the calls: the
    first one, whether it came before the answer or late, or an error if it never came.
    """

    def __init__(self) -> None:
        self.turns: list[Turn] = []
        self._said: list[tuple[int | None, UserMessage | AssistantMessage]] = []
        """Of each turn its step, and what was said."""
        self._asking: dict[str, list[int]] = {}
        """The places of the turns that ask for a call."""
        self._answering: dict[int | None, list[int]] = {}
        """The places of the answers of a step."""
        self._started: dict[int | None, int] = {}
        self._results: dict[str, ToolMessage] = {}
        self._rejected: dict[int | None, str] = {}
        self._approvals = _Approvals()

    def take(self, fact: Event) -> None:
        """Read one more fact; one that is not of `SAYING` changes nothing."""
        step = fact.step
        if fact.type in _SPOKEN:
            self._speak(fact)
        elif fact.type in _RESULTS and (result := _result(fact)):
            if result.call_id not in self._results:
                self._results[result.call_id] = self._approvals.said_of(result)
                self._say_again(self._asking.get(result.call_id, ()))
        elif fact.type == _STARTED:
            self._started[step] = fact.seq
        elif fact.type == _REJECTED:
            self._rejected[step] = body_of(OutputRejected, fact).problem
            self._say_again(self._answering.get(step, ()))
        elif fact.type in _APPROVALS:
            self._approvals.note(fact)

    def _speak(self, fact: Event) -> None:
        said, place = _said(fact), len(self.turns)
        if isinstance(said, AssistantMessage):
            self._answering.setdefault(fact.step, []).append(place)
            for call in said.tool_calls:
                self._asking.setdefault(call.call_id, []).append(place)
        self._said.append((fact.step, said))
        told_to = self._started.get(fact.step, fact.seq)
        self.turns.append(Turn(fact.seq, tuple(self._messages(place)), told_to))

    def _say_again(self, places: Iterable[int]) -> None:
        """Write these turns anew, because a result has come or an answer was rejected."""
        for place in places:
            messages = tuple(self._messages(place))
            self.turns[place] = self.turns[place]._replace(messages=messages)

    def _messages(self, place: int) -> Iterator[Message]:
        """What was said there, and the results of the calls that it asked for."""
        step, said = self._said[place]
        if isinstance(said, UserMessage):
            yield said
            return
        rejected = self._rejected.get(step)
        yield said.model_copy(update={"rejected": rejected}) if rejected else said
        for call in said.tool_calls:
            yield self._results.get(call.call_id) or ToolMessage(
                call_id=call.call_id, name=call.name, output="The call did not run.", is_error=True
            )


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
