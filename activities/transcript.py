"""The transcript of a run, folded from the facts of its journal. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from contracts.envelope import StoredEvent
from contracts.events import (
    EventBody,
    MessageCompleted,
    MessageInterrupted,
    ToolAbandoned,
    ToolCancelled,
    ToolCompleted,
    ToolFailed,
    UserMessageEvent,
)
from contracts.messages import AssistantMessage, Message, ToolMessage, UserMessage

_SPOKEN = frozenset({"message.user", "message.completed", "message.interrupted"})
_RESULTS = frozenset({"tool.completed", "tool.failed", "tool.cancelled", "tool.abandoned"})


def transcript(facts: Iterable[StoredEvent]) -> tuple[Message, ...]:
    """What was said and what the tools returned, in the form that a model expects.

    Every tool call of an assistant message is followed by exactly one result, in the order of
    the calls, before anything else is said: a result that came late is moved up to its call, and
    one that never came is made up as an error. The first result of a call is the one that counts.

    Args:
        facts: Keyed events in the order of the journal; types that say nothing to a model, and
            types that this version does not know, are passed over.
    """
    spoken: list[EventBody] = []
    results: dict[str, ToolMessage] = {}
    for fact in facts:
        if fact.type in _SPOKEN:
            spoken.append(fact.body())
        elif fact.type in _RESULTS and (result := _result(fact.body())):
            results.setdefault(result.call_id, result)
    return tuple(message for body in spoken for message in _messages(body, results))


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
