"""What a model is told of a run, folded from the facts of its journal. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from relayline.contracts.envelope import StoredEvent
from relayline.contracts.events import (
    ApprovalRequested,
    ApprovalResolved,
    ContextCompacted,
    EventBody,
    MessageCompleted,
    MessageInterrupted,
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
    UserMessage,
)

COMPACTED = "context.compacted"
_SPOKEN = frozenset({"message.user", "message.completed", "message.interrupted"})
_RESULTS = frozenset({"tool.completed", "tool.failed", "tool.cancelled", "tool.abandoned"})
_APPROVALS = frozenset({"approval.requested", "approval.resolved"})


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


def transcript(facts: Sequence[StoredEvent]) -> tuple[Message, ...]:
    """All that the model is told: `turns` without what was left out, message by message."""
    return flat(shortened(turns(facts), compacted(facts)))


def flat(said: Iterable[Turn]) -> tuple[Message, ...]:
    """The messages of these turns."""
    return tuple(message for turn in said for message in turn.messages)


def compacted(facts: Iterable[StoredEvent]) -> ContextCompacted | None:
    """The newest `context.compacted`."""
    found = [fact for fact in facts if fact.type == COMPACTED]
    body = found[-1].body() if found else None
    return body if isinstance(body, ContextCompacted) else None


def shortened(said: Sequence[Turn], by: ContextCompacted | None) -> tuple[Turn, ...]:
    """The turns without what that event leaves out; in their place stands what it says of them."""
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


def turns(facts: Iterable[StoredEvent]) -> tuple[Turn, ...]:
    """What was said and what the tools returned, in the form that a model expects.

    Every tool call of an assistant message is followed by exactly one result, in the order of
    the calls, before anything else is said: a result that came late is moved up to its call, and
    one that never came is made up as an error. The first result of a call is the one that counts.

    Args:
        facts: Keyed events in the order of the journal; types that say nothing to a model, and
            types that this version does not know, are passed over.
    """
    spoken: list[tuple[StoredEvent, int]] = []
    started: dict[int | None, int] = {}
    results: dict[str, ToolMessage] = {}
    approvals = _Approvals()
    for fact in facts:
        if fact.type in _SPOKEN:
            spoken.append((fact, started.get(fact.step, fact.seq)))
        elif fact.type == "step.started":
            started[fact.step] = fact.seq
        elif fact.type in _APPROVALS:
            approvals.note(fact.body())
        elif fact.type in _RESULTS and (result := _result(fact.body())):
            results.setdefault(result.call_id, approvals.said_of(result))
    return tuple(
        Turn(fact.seq, tuple(_messages(fact.body(), results)), told_to) for fact, told_to in spoken
    )


class _Approvals:
    """What people did when they approved calls: the model has to know what it did not ask for."""

    def __init__(self) -> None:
        self._calls: dict[str, str] = {}
        self._said: dict[str, str] = {}

    def note(self, body: EventBody) -> None:
        """Take in the next fact about an approval."""
        match body:
            case ApprovalRequested(approval_id=id_, call_id=call_id):
                self._calls[id_] = call_id
            case ApprovalResolved(approval_id=id_, decision="approve") if id_ in self._calls:
                edited = body.arguments
                changed = json.dumps(edited, ensure_ascii=False)
                parts = [f"with other arguments: {changed}"] if edited is not None else []
                parts += [f"with the note: {body.note}"] if body.note else []
                if parts:
                    self._said[self._calls[id_]] = f"[approved {'; '.join(parts)}]\n"
            case _:
                return

    def said_of(self, result: ToolMessage) -> ToolMessage:
        """The result of a call, under what was said when it was approved."""
        said = self._said.get(result.call_id)
        return result.model_copy(update={"output": said + result.output}) if said else result


def _messages(body: EventBody, results: dict[str, ToolMessage]) -> Iterator[Message]:
    """A message, and the results of the calls that it asked for."""
    match body:
        case UserMessageEvent(text=text):
            yield UserMessage(text=text)
        case MessageCompleted() | MessageInterrupted():
            interrupted = isinstance(body, MessageInterrupted)
            calls = body.tool_calls
            yield AssistantMessage(text=body.text, tool_calls=calls, interrupted=interrupted)
            for call in calls:
                yield results.get(call.call_id) or ToolMessage(
                    call_id=call.call_id,
                    name=call.name,
                    output="The call did not run.",
                    is_error=True,
                )


def _result(body: EventBody) -> ToolMessage | None:
    """What the model is told of a call's end; None for a failure that is tried again."""
    match body:
        case ToolCompleted(call_id=call_id, name=name, output=output):
            return ToolMessage(call_id=call_id, name=name, output=output)
        case ToolFailed(call_id=call_id, name=name, error=error, retryable=False):
            return ToolMessage(call_id=call_id, name=name, output=error, is_error=True)
        case ToolCancelled(call_id=call_id, name=name):
            said = "The call was cancelled."
        case ToolAbandoned(call_id=call_id, name=name):
            said = "The call was cancelled and did not stop: what it did is unknown."
        case _:
            return None
    return ToolMessage(call_id=call_id, name=name, output=said, is_error=True)
