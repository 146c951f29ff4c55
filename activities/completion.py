"""Completes the workflow's facts with content that never passed through the workflow."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import groupby

from pydantic import JsonValue

from relayline.activities.model.structured.judging import value_of
from relayline.activities.threads import in_thread
from relayline.activities.tool.served.requested import definition, question
from relayline.contracts.calls import arguments_sha256
from relayline.contracts.envelope import NewEvent, StoredEvent
from relayline.contracts.events import (
    ApprovalRequested,
    ApprovalResolved,
    EventBody,
    InputRequested,
    MessageCompleted,
    MessageInterrupted,
    RunCompleted,
    ToolCancelled,
    TurnCompleted,
)
from relayline.contracts.keys import message_key, requested_key, result_key, started_key
from relayline.contracts.messages import ToolCall
from relayline.journal.port import Journal
from relayline.journal.table import EVERY
from relayline.journal.terminal import read_all
from relayline.projections.rendered import render
from relayline.projections.valid import DELTAS

_TEXT = "message.delta"


async def with_content(journal: Journal, run_id: str, epoch: int, fact: NewEvent) -> NewEvent:
    """The fact, completed with its content from the journal.

    `run.completed` and `turn.completed` get their output, as JSON if it was asked for so, unless
    the run knows it whole,
    `message.interrupted` the streamed text, `approval.requested` the model's arguments and the
    schema of an MCP server's tool, `input.requested` the question of the model or of such a server.
    A fact belongs to the epoch in its key, if there is one, and otherwise to `epoch`.

    Raises:
        JournalUnavailable: the storage did not answer.
    """
    step = fact.step
    if step is None:
        return fact
    epoch = _epoch_of(fact, epoch)
    body: EventBody = fact.body
    match body:
        case RunCompleted(output="") | TurnCompleted(output=""):
            message = await step_message(journal, run_id, epoch, step)
            body = body.model_copy(update=await _output(message))
        case MessageInterrupted(text=""):
            body = await _streamed(journal, run_id, epoch, step)
        case ApprovalRequested(arguments_sha256=""):
            call = await _call(journal, run_id, epoch, step, body.call_id)
            sha256 = arguments_sha256(call.arguments)
            update: dict[str, object] = {"arguments": call.arguments, "arguments_sha256": sha256}
            if fact.source:
                update |= await definition(journal, run_id, fact.source, body.tool)
            body = body.model_copy(update=update)
        case InputRequested(question="") if fact.source:
            body = body.model_copy(update=await question(journal, run_id, fact, body.request_id))
        case InputRequested(question=""):
            call = await _call(journal, run_id, epoch, step, body.call_id)
            body = body.model_copy(update={"question": str(call.arguments.get("question", ""))})
        case _:
            return fact
    return fact.model_copy(update={"body": body})


async def _output(message: MessageCompleted | MessageInterrupted | None) -> dict[str, JsonValue]:
    """The output of a run, or a turn, that ended with this message."""
    if isinstance(message, MessageCompleted) and message.output_type == "json":
        value = await in_thread(partial(value_of, message.text), (message.text,))
        return {"output": value, "output_type": "json"}
    return {"output": message.text if message else ""}


async def with_digest(
    journal: Journal, run_id: str, fact: NewEvent, before: Sequence[NewEvent]
) -> NewEvent:
    """The fact; if it is an approval, with the digest of the arguments that are approved.

    Args:
        journal: Has the request that was decided,
        run_id: of this run,
        fact: by this fact,
        before: unless the request is one of these, which are appended with it.

    Raises:
        JournalUnavailable: the storage did not answer.
    """
    body = fact.body
    if not isinstance(body, ApprovalResolved) or body.decision != "approve":
        return fact
    if body.arguments is not None:
        sha256 = arguments_sha256(body.arguments)
    else:
        key = requested_key(body.approval_id)
        asked = next((it.body for it in before if it.key == key), None)
        if asked is None and (stored := await journal.get(EVERY, run_id, key)):
            asked = stored.body()
        sha256 = asked.arguments_sha256 if isinstance(asked, ApprovalRequested) else ""
    approved = body.model_copy(update={"arguments_sha256": sha256})
    return fact.model_copy(update={"body": approved})


async def cancelled_calls(
    journal: Journal, run_id: str, epoch: int, fact: NewEvent
) -> tuple[NewEvent, ...]:
    """`tool.cancelled` for the calls of an interrupted step whose message is complete.

    The worker died or lost its connection after it had journaled the message, so the run does not
    know the calls and never starts them.

    Raises:
        JournalUnavailable: the storage did not answer.
    """
    if fact.step is None or not isinstance(fact.body, MessageInterrupted):
        return ()
    epoch = _epoch_of(fact, epoch)
    message = await _message(journal, run_id, epoch, fact.step)
    now = datetime.now(UTC)
    return tuple(
        NewEvent(
            key=result_key(epoch, call.call_id),
            body=ToolCancelled(call_id=call.call_id, name=call.name, acked_at=now),
            step=fact.step,
        )
        for call in (message.tool_calls if message else ())
    )


async def step_message(
    journal: Journal, run_id: str, epoch: int, step: int
) -> MessageCompleted | MessageInterrupted | None:
    """The step's message in this epoch or, after a reset, in the newest epoch that has one.

    Raises:
        JournalUnavailable: the storage did not answer.
    """
    for number in range(epoch, -1, -1):
        if message := await _message(journal, run_id, number, step):
            return message
    return None


async def message_in(
    stored: StoredEvent | None,
) -> MessageCompleted | MessageInterrupted | None:
    """The event's body if it is a message, else None."""
    body = await in_thread(stored.body, (stored.data,)) if stored else None
    return body if isinstance(body, MessageCompleted | MessageInterrupted) else None


def _epoch_of(fact: NewEvent, now: int) -> int:
    first, _, _ = (fact.key or "").partition("/")
    return int(first) if first.isdigit() else now


async def _message(
    journal: Journal, run_id: str, epoch: int, step: int
) -> MessageCompleted | MessageInterrupted | None:
    return await message_in(await journal.get(EVERY, run_id, message_key(epoch, step)))


async def _streamed(journal: Journal, run_id: str, epoch: int, step: int) -> EventBody:
    """The step's message if it has one, else the text that its newest attempt streamed."""
    if message := await _message(journal, run_id, epoch, step):
        return message
    started = await journal.get(EVERY, run_id, started_key(epoch, step))
    if started is None:
        return MessageInterrupted(text="")
    events = await read_all(journal, run_id, started.seq - 1, facts=False)
    text = await in_thread(partial(_text, events, step), (event.data for event in events))
    return MessageInterrupted(text=text)


def _text(events: Sequence[StoredEvent], step: int) -> str:
    """The text of the step as people see it."""
    return render(joined(events)).text(step)


def joined(events: Iterable[StoredEvent]) -> Iterator[StoredEvent]:
    """The events, with consecutive deltas of an attempt joined into one; the text is the same.

    Rendering delta by delta would copy all the text so far for each of them.
    """
    for (is_delta, _, _), group in groupby(events, _delta_of):
        if is_delta:
            run = list(group)
            pieces = (json.loads(event.data)["text"] for event in run if event.type == _TEXT)
            yield run[-1]._replace(type=_TEXT, data=json.dumps({"text": "".join(pieces)}))
        else:
            yield from group


def _delta_of(event: StoredEvent) -> tuple[bool, int | None, int | None]:
    return event.type in DELTAS, event.step, event.attempt


async def _call(journal: Journal, run_id: str, epoch: int, step: int, call_id: str) -> ToolCall:
    """The call as the model asked for it; without arguments if the message lacks it."""
    message = await step_message(journal, run_id, epoch, step)
    calls = message.tool_calls if message else ()
    found = (call for call in calls if call.call_id == call_id)
    return next(found, ToolCall(call_id=call_id, name=""))
