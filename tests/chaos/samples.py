"""A small history in which every promise is kept, and ways to break it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from relayline.contracts.envelope import StoredEvent
from tests.chaos.observed import Connection, Effect, Observed, Sent

RUN = "run_0123456789abcdef"
SCRIPT = {
    "rehearse": [
        {"say": "one two"},
        {"calls": [{"name": "note"}, {"name": "book"}]},
        {"think": "hm "},
        {"say": "done"},
    ]
}
OUTPUTS = {"note": "noted", "book": "booked"}


class Line(NamedTuple):
    """An event before it has its place."""

    type: str
    data: dict[str, Any]
    step: int | None = None
    attempt: int | None = None
    key: str | None = None


Edit = Callable[[list[Line]], object]
_CALLS = [
    {"call_id": "call_1_0", "name": "note", "arguments": {}},
    {"call_id": "call_1_1", "name": "book", "arguments": {}},
]


def lines() -> list[Line]:
    """A run that was superseded, used two tools, was paused and resumed, and completed."""
    return [
        Line("run.started", {"agent": "chaos"}, key="0/run/started"),
        Line("message.user", {"text": json.dumps(SCRIPT)}, key="0/message/0"),
        Line("step.started", {"kind": "model", "model": "rehearsal"}, 1, key="0/step/1/started"),
        Line("message.delta", {"text": "one "}, 1, 1),
        Line("attempt.superseded", _void(1, 4, 4), 1, 2, "0/step/1/superseded/1"),
        Line("message.delta", {"text": "one "}, 1, 2),
        Line("message.delta", {"text": "two"}, 1, 2),
        Line("message.completed", _said("one two", _CALLS), 1, 2, "0/step/1/message"),
        Line("tool.started", _tool(0, "note"), 1, 1),
        Line("tool.started", _tool(1, "book"), 1, 1, "0/call/call_1_1/claim"),
        Line("tool.completed", _tool(0, "note"), 1, 1, "0/call/call_1_0/result"),
        Line("tool.completed", _tool(1, "book"), 1, 1, "0/call/call_1_1/result"),
        Line("command.accepted", _command("pause-0", "pause"), key="command/pause-0/accepted"),
        Line("command.applied", _command("pause-0", "pause"), 1, key="command/pause-0/outcome"),
        Line("run.paused", {}, 1, key="0/command/pause-0/pause"),
        Line("command.accepted", _command("resume-1", "resume"), key="command/resume-1/accepted"),
        Line("command.applied", _command("resume-1", "resume"), 1, key="command/resume-1/outcome"),
        Line("run.resumed", {}, 1, key="0/command/resume-1/resume"),
        Line("step.started", {"kind": "model", "model": "rehearsal"}, 2, key="0/step/2/started"),
        Line("reasoning.delta", {"text": "hm "}, 2, 1),
        Line("message.delta", {"text": "done"}, 2, 1),
        Line("message.completed", _said("done", []), 2, 1, "0/step/2/message"),
        Line("run.completed", {"output": "done"}, 2, key="0/run/ended"),
    ]


def observed(*edits: Edit, **changes: Any) -> Observed:
    """What would be seen of that run once the journal was edited and the rest changed."""
    written = lines()
    for edit in edits:
        edit(written)
    stored = placed(written)
    run = Observed(
        RUN,
        stored,
        input=json.dumps(SCRIPT),
        sent=[
            Sent("pause-0", "pause", [202], "applied"),
            Sent("resume-1", "resume", [503, 202], "applied"),
        ],
        effects=[Effect("call_1_0", 1), Effect("call_1_1", 1)],
        marking=frozenset({"note", "book"}),
        unsafe=frozenset({"book"}),
        outputs=OUTPUTS,
        status="completed",
    )
    run = replace(run, clients={"ann": [frames(run, 0, 9), frames(run, 6, len(stored))]})
    return replace(run, **changes)


def reset(written: list[Line]) -> None:
    """An edit: an operator has reset the run to when both tools had ended; it ends again."""
    written += [
        Line("run.rewound", {"to_seq": at(written, "tool.completed", 1) + 1, "epoch": 1}),
        Line("step.started", {"kind": "model", "model": "rehearsal"}, 2, key="1/step/2/started"),
        Line("reasoning.delta", {"text": "hm "}, 2, 1),
        Line("message.delta", {"text": "done"}, 2, 1),
        Line("message.completed", _said("done", []), 2, 1, "1/step/2/message"),
        Line("run.completed", {"output": "done"}, 2, key="1/run/ended"),
    ]


def placed(written: Sequence[Line]) -> list[StoredEvent]:
    """The events in a journal, a millisecond apart."""
    return [
        StoredEvent(RUN, seq, seq * 1000, it.type, it.step, it.attempt, it.key, json.dumps(it.data))
        for seq, it in enumerate(written, 1)
    ]


def frames(run: Observed, cursor: int, last: int) -> Connection:
    """A connection that gave the events after the cursor up to the last one."""
    return Connection(cursor, [(seq, run.events[seq - 1]) for seq in range(cursor + 1, last + 1)])


def at(written: list[Line], kind: str, nth: int = 0) -> int:
    """The place of the nth event of a type."""
    return [place for place, it in enumerate(written) if it.type == kind][nth]


def without(kind: str, nth: int = 0) -> Edit:
    """An edit that leaves an event out."""
    return lambda written: written.pop(at(written, kind, nth))


def instead(kind: str, nth: int = 0, **fields: Any) -> Edit:
    """An edit that changes an event."""

    def edit(written: list[Line]) -> None:
        place = at(written, kind, nth)
        written[place] = written[place]._replace(**fields)

    return edit


def after(kind: str, *more: Line) -> Edit:
    """An edit that puts events behind the first of a type."""

    def edit(written: list[Line]) -> None:
        place = at(written, kind) + 1
        written[place:place] = more

    return edit


def _void(attempt: int, first: int, last: int) -> dict[str, Any]:
    return {"attempt": attempt, "from_seq": first, "to_seq": last, "reason": "it was killed"}


def _said(text: str, calls: list[dict[str, Any]]) -> dict[str, Any]:
    return {"text": text, "tool_calls": calls, "finish_reason": "stop", "usage": {}}


def _tool(index: int, name: str) -> dict[str, Any]:
    output = OUTPUTS[name]
    return {"call_id": f"call_1_{index}", "name": name, "arguments": {}, "output": output}


def _command(command_id: str, kind: str) -> dict[str, Any]:
    return {"command_id": command_id, "kind": kind, "applied": ""}
