"""Histories that each break a promise: what is broken, by its name, and how."""

from __future__ import annotations

from dataclasses import replace

from tests.chaos.checks import Check
from tests.chaos.observed import Connection, Effect, Observed, Sent
from tests.chaos.pin_breakages import PINS
from tests.chaos.samples import Line, after, at, frames, instead, lines, observed, reset, without
from tests.chaos.told import Told, expected

GOOD = observed()
LATE = Line("message.delta", {"text": "one "}, 1, 1)
TOOL = {"call_id": "call_1_0", "name": "note", "arguments": {}, "output": ""}
WANTED = {"approval_id": "approval_1_0", "call_id": "call_1_0", "tool": "note"}
ASKED = Line("approval.requested", WANTED, 1)
_BELOW = {"call_id": "call_1_0", "run_id": "run_below"}
CHILD = (
    Line("child.started", {**_BELOW, "agent": "a"}, 1),
    Line("child.ended", {**_BELOW, "status": "completed"}, 1),
)
ALL = len(GOOD.events)
RESET = observed(reset, resets=1)
_WAITING = Line("run.waiting", {"waiting_for": []}, key="0/waiting/1")
WAITED = observed(after("message.completed", _WAITING))
TOLD = [
    Told(f"{it.run_id}.{it.seq}", it.seq, it.type, it.data, taken=True)
    for it in WAITED.stored
    if it.seq in expected(WAITED)
]
REFUSED = [*TOLD[:-1], TOLD[-1]._replace(taken=False)]
EARLY = [TOLD[0]._replace(taken=False), TOLD[-1], TOLD[0]]
RENAMED = TOLD[-1]._replace(id="again")
REWORDED = TOLD[-1]._replace(body="{}")
UNSIGNED = TOLD[-1]._replace(verified=False)


def seen(*connections: Connection) -> Observed:
    return replace(GOOD, clients={"ann": connections})


def told(connection: Connection, place: int, **fields: object) -> Connection:
    """With one envelope changed."""
    got = list(connection.frames)
    got[place] = (got[place][0], {**got[place][1], **fields})
    return connection._replace(frames=got)


def message(outcome: str, *said: Line) -> Observed:
    """A message to a conversation that had that outcome, and where it was said."""
    about = {"command_id": "m", "kind": "message", "turn": 1, "reason": "busy", "applied": "said"}
    accepted = Line("command.accepted", {"command_id": "m", "kind": "message"})
    return observed(after("message.user", accepted, Line(outcome, about), *said))


SAID = Line("message.user", {"text": "more", "command_id": "m", "turn": 1})
BROKEN: list[tuple[str, Check, Observed]] = [
    ("a call ends before its run does", Check.FAMILY, observed(after("tool.started", CHILD[0]))),
    ("a run ends that was never begun", Check.FAMILY, observed(after("tool.started", CHILD[1]))),
    *PINS,
    (
        "a run pays for more than it has done",
        Check.BILL,
        observed(instead("run.completed", data={"output": "done", "usage": {"input_tokens": 9}})),
    ),
    (
        "a seq is left out",
        Check.CONTIGUOUS,
        replace(GOOD, stored=[*GOOD.stored[:4], *GOOD.stored[5:]]),
    ),
    (
        "a frame is left out",
        Check.CLIENT_GAP,
        seen(frames(GOOD, 0, 3), frames(GOOD, 4, ALL)._replace(cursor=3)),
    ),
    ("the end never came", Check.CLIENT_GAP, seen(frames(GOOD, 0, ALL - 1))),
    (
        "the cursor's own event comes again",
        Check.CLIENT_DOUBLE,
        seen(frames(GOOD, 0, 3), frames(GOOD, 2, ALL)._replace(cursor=3)),
    ),
    (
        "frames change places",
        Check.CLIENT_DOUBLE,
        seen(Connection(0, [*frames(GOOD, 0, ALL).frames][::-1])),
    ),
    (
        "a frame is not the journal's",
        Check.CLIENT_SAME,
        seen(told(frames(GOOD, 0, ALL), 3, type="x")),
    ),
    (
        "a frame never was in the journal",
        Check.CLIENT_SAME,
        seen(Connection(0, [*frames(GOOD, 0, ALL).frames, (ALL + 1, {})])),
    ),
    (
        "a delta stands twice",
        Check.RENDERED,
        observed(
            after("message.delta", LATE._replace(attempt=1)),
            instead(
                "attempt.superseded", data={"attempt": 1, "from_seq": 4, "to_seq": 5, "reason": ""}
            ),
            instead("message.delta", 3, data={"text": "two two"}),
        ),
    ),
    ("a message that was applied is in no turn", Check.TURNS, message("command.applied")),
    ("a message is said twice", Check.TURNS, message("command.applied", SAID, SAID)),
    ("a message that was refused is said", Check.TURNS, message("command.refused", SAID)),
    (
        "a message is in another turn than its outcome says",
        Check.TURNS,
        message("command.applied", SAID._replace(data={**SAID.data, "turn": 2})),
    ),
    (
        "a word is missing",
        Check.SAID,
        observed(
            instead("message.delta", 2, data={"text": ""}),
            instead("message.completed", data={**lines()[7].data, "text": "one "}),
        ),
    ),
    (
        "the whole last answer is missing",
        Check.SAID,
        observed(
            lambda them: them.__delitem__(slice(at(them, "step.started", 1), -1)),
            instead("run.completed", data={"output": "one two"}),
        ),
    ),
    (
        "an answer is given twice",
        Check.SAID,
        observed(
            after(
                "step.started",
                lines()[7]._replace(step=3, key="0/step/3/message"),
                lines()[2]._replace(step=3, key="0/step/3/started"),
            )
        ),
    ),
    (
        "a thought is doubled",
        Check.SAID,
        observed(instead("reasoning.delta", data={"text": "hm hm "})),
    ),
    ("a thought is missing", Check.SAID, observed(without("reasoning.delta"))),
    (
        "a call is another one",
        Check.SAID,
        observed(instead("message.completed", data={**lines()[7].data, "tool_calls": []})),
    ),
    (
        "a run fails where nothing has failed",
        Check.SAID,
        observed(
            instead(
                "run.completed", type="run.failed", data={"error": {"type": "x", "message": "x"}}
            )
        ),
    ),
    (
        "the run's output is another one",
        Check.OUTPUT,
        observed(instead("run.completed", data={"output": "do"})),
    ),
    (
        "a tool's output is another one",
        Check.OUTPUT,
        observed(instead("tool.completed", data={**lines()[10].data, "output": "booked"})),
    ),
    (
        "a tool's output is from nobody",
        Check.OUTPUT,
        observed(instead("tool.completed", attempt=None)),
    ),
    ("an attempt is not declared void", Check.SUPERSEDED, observed(without("attempt.superseded"))),
    ("too little is declared void", Check.SUPERSEDED, observed(after("message.delta", LATE))),
    ("a late attempt writes", Check.STALE, observed(after("attempt.superseded", LATE))),
    ("a late tool attempt writes", Check.STALE, observed(instead("tool.started", attempt=2))),
    ("a key stands twice", Check.FACT_ONCE, observed(instead("run.paused", key="0/run/started"))),
    (
        "a step begins twice under two keys",
        Check.FACT_ONCE,
        observed(after("step.started", lines()[2]._replace(key="1/step/1/started"))),
    ),
    ("a step has no message", Check.MESSAGES, observed(without("message.completed"))),
    ("a call has no end", Check.CALL_ENDS_ONCE, observed(without("tool.completed"))),
    (
        "a call has two ends",
        Check.CALL_ENDS_ONCE,
        observed(after("tool.completed", Line("tool.failed", {**TOOL, "retryable": False}, 1, 1))),
    ),
    (
        "a call starts after its end",
        Check.NOT_RERUN,
        observed(after("tool.completed", Line("tool.started", TOOL, 1, 2))),
    ),
    (
        "the disk shows a run after the end",
        Check.NOT_RERUN,
        replace(GOOD, effects=[*GOOD.effects, Effect("call_1_0", 2)]),
    ),
    (
        "an unsafe tool has left two lines",
        Check.UNSAFE_ONCE,
        replace(GOOD, effects=[*GOOD.effects, Effect("call_1_1", 1)]),
    ),
    ("a completed tool has left no line", Check.EFFECT, replace(GOOD, effects=GOOD.effects[1:])),
    (
        "a run neither ends nor waits",
        Check.ENDED,
        observed(without("run.completed"), clients={}, status="running"),
    ),
    (
        "a run waits, and whatever people do it stays so",
        Check.ENDED,
        observed(without("run.completed"), clients={}, status="waiting", waiting_for=["approval"]),
    ),
    ("a run comes from nowhere", Check.ACCEPTED, replace(GOOD, accepted=False)),
    (
        "something comes after the end",
        Check.ONE_END,
        observed(after("run.completed", Line("message.delta", {"text": ""}, 2, 1))),
    ),
    ("a command has no outcome", Check.COMMANDS, observed(without("command.applied"))),
    (
        "a command was taken and never heard of",
        Check.COMMANDS,
        replace(GOOD, sent=[Sent("lost", "pause", [202], "404")]),
    ),
    (
        "a receipt says something else",
        Check.COMMANDS,
        replace(GOOD, sent=[Sent("pause-0", "pause", [202], "refused")]),
    ),
    (
        "a refused request took effect",
        Check.COMMANDS,
        replace(GOOD, sent=[Sent("pause-0", "pause", [409])]),
    ),
    ("an approval has no end", Check.REQUESTS, observed(after("tool.started", ASKED))),
    (
        "a step begins in a paused run",
        Check.PAUSES,
        observed(after("run.paused", lines()[18]._replace(step=3))),
    ),
    (
        "a message comes from nowhere",
        Check.REDIRECTS,
        observed(after("run.paused", Line("message.user", {"text": "hey"}))),
    ),
    ("a reset is not told", Check.EPOCHS, replace(GOOD, resets=1)),
    (
        "a reset goes back to what counts no more",
        Check.EPOCHS,
        observed(
            reset, lambda them: them.append(Line("run.rewound", {"to_seq": 20, "epoch": 2})), reset
        ),
    ),
    (
        "what follows a reset has the key of the epoch before",
        Check.EPOCHS,
        observed(reset, instead("step.started", 2, key="0/step/3/started")),
    ),
    (
        "an answer from before a reset is taken for the new one",
        Check.MESSAGES,
        observed(reset, without("message.completed", 2), without("message.delta", 4)),
    ),
    (
        "a call that a reset has left ended starts again",
        Check.NOT_RERUN,
        observed(reset, after("run.rewound", Line("tool.started", TOOL, 1, 1))),
    ),
    (
        "a late delta of the epoch before is in the new answer",
        Check.RENDERED,
        observed(reset, lambda them: them.insert(-2, Line("message.delta", {"text": "do"}, 2, 1))),
    ),
    (
        "who left before the reset missed something",
        Check.CLIENT_GAP,
        replace(RESET, clients={"ann": [frames(RESET, 0, ALL - 1)]}),
    ),
    ("a receiver is not told of the end", Check.TOLD, replace(WAITED, told=TOLD[:1])),
    ("an end that was not taken is not told again", Check.TOLD, replace(WAITED, told=REFUSED)),
    ("the end is told first", Check.TOLD_ORDER, replace(WAITED, told=TOLD[::-1])),
    ("the end is told before the wait was taken", Check.TOLD_ORDER, replace(WAITED, told=EARLY)),
    ("a second try has another id", Check.TOLD_ONCE, replace(WAITED, told=[*TOLD, RENAMED])),
    ("a second try has another body", Check.TOLD_ONCE, replace(WAITED, told=[*TOLD, REWORDED])),
    ("a signature is bad", Check.TOLD_ONCE, replace(WAITED, told=[*TOLD[:1], UNSIGNED])),
    ("the status is another one", Check.STATUS, replace(GOOD, status="failed")),
    ("the history does not replay", Check.REPLAYS, replace(GOOD, replay="nondeterministic")),
    ("a drained worker cut an answer short", Check.DRAINED, replace(GOOD, drained_only=True)),
]
