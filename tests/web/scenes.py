"""Runs for the page to show, written to a journal as a worker would write them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from relayline.contracts.commands import CommandKind
from relayline.contracts.envelope import NewEvent
from relayline.contracts.events import (
    ApprovalRequested,
    AttemptFailed,
    AttemptSuperseded,
    ChildStarted,
    CommandAccepted,
    EventBody,
    InputRequested,
    MessageCompleted,
    MessageDelta,
    ReasoningDelta,
    RunFailed,
    RunPaused,
    RunQueued,
    RunStarted,
    RunWaiting,
    StepStarted,
    ToolCompleted,
    ToolFailed,
    ToolProgress,
    ToolStarted,
    TurnCompleted,
    UserMessageEvent,
)
from relayline.contracts.keys import QUEUED_KEY, requested_key
from relayline.contracts.messages import ToolCall, Usage
from relayline.contracts.runs import Limits, RunError, Waiting
from relayline.journal.port import Journal
from tests.api.serving import run_id

ERROR = RunError(type="model-unavailable", message="the provider answered 503")
MARKDOWN = """# Three things

A **bold** word, *another*, `code`, and a [link](https://example.com/a).

- one
- two

1. first
2. second

> said before

| check | result |
|-------|--------|
| found | yes |

```
let it = "be";
```"""
PARAMETERS: dict[str, Any] = {
    "type": "object",
    "properties": {
        "path": {"type": "string", "description": "Where to"},
        "mode": {"enum": ["append", "replace"]},
        "lines": {"type": "integer"},
        "dry": {"type": "boolean"},
        "labels": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["path"],
}


def fact(
    key: str, body: EventBody, step: int | None = None, attempt: int | None = None
) -> NewEvent:
    return NewEvent(key=key, body=body, step=step, attempt=attempt)


def beginning(title: str, text: str = "", **metadata: str) -> list[NewEvent]:
    """The events that every run begins with."""
    at = datetime.now(UTC)
    queued = RunQueued(
        agent="assistant", model="rehearsal", title=title, metadata=metadata, submitted_at=at
    )
    started = RunStarted(agent="assistant", model="rehearsal", limits=Limits())
    return [
        fact(QUEUED_KEY, queued),
        fact("0/run/started", started),
        fact("0/message/0", UserMessageEvent(text=text or title)),
    ]


def begun(step: int) -> NewEvent:
    return fact(f"0/step/{step}/started", StepStarted(model="rehearsal"), step, 1)


def said(
    step: int, text: str, calls: Iterable[ToolCall] = (), attempt: int | None = 1
) -> list[NewEvent]:
    """The end of a step, with the calls that it asks for."""
    calls = tuple(calls)
    body = MessageCompleted(
        text=text,
        tool_calls=calls,
        finish_reason="tool_calls" if calls else "stop",
        usage=Usage(input_tokens=1200, output_tokens=80),
    )
    return [fact(f"0/step/{step}/message", body, step, attempt)]


def called(call: ToolCall, step: int, output: str) -> list[NewEvent]:
    """A tool call from start to end."""
    started = ToolStarted(call_id=call.call_id, name=call.name, arguments=call.arguments)
    ended = ToolCompleted(call_id=call.call_id, name=call.name, output=output)
    return [
        NewEvent(body=started, step=step, attempt=1),
        fact(f"0/call/{call.call_id}/result", ended, step, 1),
    ]


def approval(number: int, tool: str, arguments: dict[str, Any], **more: Any) -> NewEvent:
    body = ApprovalRequested(
        approval_id=f"approval_{number}_0",
        call_id=f"call_{number}_0",
        tool=tool,
        arguments=arguments,
        **more,
    )
    return fact(requested_key(body.approval_id), body, number)


async def written(journal: Journal, events: Iterable[NewEvent]) -> str:
    """A new run with these events; its id."""
    new = run_id()
    await journal.append(new, [*events])
    return new


async def everything(journal: Journal, **more: str) -> str:
    """A run that has something of each kind, and waits for an approval and an answer.

    Args:
        journal: Gets it.
        more: Further arguments of the call that waits for approval.
    """
    look = ToolCall(call_id="call_1_0", name="look", arguments={"path": "a.txt", "deep": {"x": 1}})
    write = ToolCall(call_id="call_2_0", name="write_file", arguments={"path": "b.txt", "lines": 3})
    failed = ToolFailed(call_id="call_1_0", name="look", error="not found", retryable=True)
    return await written(
        journal,
        [
            *beginning("Look at three things", team="docs", ticket="4711"),
            begun(1),
            NewEvent(body=ReasoningDelta(text="First I look."), step=1, attempt=1),
            NewEvent(body=MessageDelta(text="I will"), step=1, attempt=1),
            fact("0/step/1/failed", AttemptFailed(error=ERROR, retry_in_s=1), 1, 1),
            NewEvent(
                body=AttemptSuperseded(attempt=1, from_seq=5, to_seq=6, reason=ERROR.type),
                step=1, attempt=2,
            ),
            *said(1, MARKDOWN, [look], 2),
            *called(look, 1, "")[:1],
            NewEvent(body=ToolProgress(call_id="call_1_0", message="half"), step=1, attempt=1),
            NewEvent(body=failed, step=1, attempt=1),
            *called(look, 1, '{"found": true, "of": [1, 2]}'),
            begun(2),
            *said(2, "Now I write.", [write]),
            approval(
                2, "write_file", {**write.arguments, "mode": "append", "labels": ["a"], **more},
                parameters=PARAMETERS, expires_at=datetime.now(UTC) + timedelta(days=1),
                effects="unsafe", why={"required": ["path"], "minProperties": 2},
            ),
            fact(
                requested_key("input_2_1"),
                InputRequested(request_id="input_2_1", question="Which colour?"), 2,
            ),
        ],
    )  # fmt: skip


async def conversation(journal: Journal, *, busy: bool = False) -> str:
    """A conversation of two turns, the second of which failed; `busy`: a third one runs."""
    hello = UserMessageEvent(text="Hello", turn=1)
    again = UserMessageEvent(text="Once more", turn=2, command_id="m2", by="ann")
    usage = Usage(input_tokens=1200, output_tokens=80)
    done = TurnCompleted(turn=1, status="completed", output="Hello!", usage=usage)
    failed = TurnCompleted(turn=2, status="failed", error=ERROR)
    first, started, _ = beginning("Hello")
    assert isinstance(first.body, RunQueued)
    queued = first.body.model_copy(update={"open": True})
    third = UserMessageEvent(text="And now?", turn=3, command_id="m3")
    waits = CommandAccepted(command_id="m4", kind=CommandKind.MESSAGE, by="bob")
    events = [
        fact(QUEUED_KEY, queued),
        started,
        fact("0/message/0", hello),
        begun(1),
        *said(1, "Hello!"),
        fact("0/turn/1", done, 1),
        fact("0/message/1", again),
        begun(2),
        fact("0/turn/2", failed, 2),
    ]
    if busy:
        events += [fact("0/message/2", third), begun(3), fact("0/accepted/m4", waits)]
    return await written(journal, events)


async def family(journal: Journal) -> tuple[str, str]:
    """A run and the one below it, which waits for an approval."""
    asked = approval(1, "pay", {"amount": 500}, parameters={}, effects="unsafe", why="always")
    pay = ToolCall(call_id="call_1_0", name="pay", arguments={"amount": 500})
    low = await written(
        journal, [*beginning("Pay the carrier"), begun(1), *said(1, "I pay.", [pay]), asked]
    )
    ask = ToolCall(call_id="call_1_0", name="ask_payer", arguments={"message": "Pay it"})
    waits = Waiting(kind="approval", id=f"{low}.approval_1_0", what="pay(amount=500)", run_id=low)
    child = ChildStarted(call_id=ask.call_id, run_id=low, agent="payer")
    top = [
        *beginning("Settle the parcel"),
        begun(1),
        *said(1, "I ask who pays.", [ask]),
        *called(ask, 1, "")[:1],
        fact("0/child/call_1_0", child, 1),
        fact("0/waiting/1", RunWaiting(waiting_for=(waits,))),
    ]
    return await written(journal, top), low


async def every_kind(journal: Journal) -> str:
    """Runs of other kinds, too, for the list; the id of the one with everything."""
    await written(journal, [*beginning("It fails", team="docs"), begun(1), fact(
        "0/run/ended", RunFailed(error=ERROR))])  # fmt: skip
    await written(journal, [*beginning("It is paused"), fact("0/paused", RunPaused(by="ann"))])
    await written(journal, [*beginning("It writes"), begun(1)])
    return await everything(journal)
