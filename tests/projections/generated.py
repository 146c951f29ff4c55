"""Runs as they may go, as events: attempts, tools, people, resets and ends, in any order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import product
from typing import Literal

from hypothesis import strategies as st

from relayline.contracts.commands import CommandKind
from relayline.contracts.envelope import Envelope, NewEvent, StoredEvent
from relayline.contracts.events import (
    ApprovalRequested,
    ApprovalResolved,
    AttemptFailed,
    AttemptLost,
    AttemptSuperseded,
    BudgetExceeded,
    ChildEnded,
    ChildStarted,
    CommandAccepted,
    CommandApplied,
    ContextCompacted,
    EventBody,
    InputClosed,
    InputReceived,
    InputRequested,
    MessageCompleted,
    MessageDelta,
    MessageInterrupted,
    ModelFallback,
    ReasoningDelta,
    RunCancelled,
    RunCompleted,
    RunFailed,
    RunForked,
    RunPaused,
    RunQueued,
    RunResumed,
    RunRewound,
    RunStarted,
    RunTerminated,
    RunTimedOut,
    RunWaiting,
    StepStarted,
    ToolAbandoned,
    ToolAsked,
    ToolCancelled,
    ToolCompleted,
    ToolFailed,
    ToolProgress,
    ToolsListed,
    ToolStarted,
    TurnCompleted,
    UserMessageEvent,
)
from relayline.contracts.messages import ToolCall, Usage
from relayline.contracts.money import Cost
from relayline.contracts.runs import Limits, RunError, RunStatus, Waiting

RUN = "run_0123456789abcdef"
NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
UNKNOWN = "mood.changed"
Place = tuple[EventBody, int | None, int | None]
"""A body with its step and attempt."""


def stored(
    seq: int, body: EventBody, step: int | None = None, attempt: int | None = 1
) -> StoredEvent:
    new = NewEvent(body=body, step=step, attempt=attempt)
    return StoredEvent(RUN, seq, seq, body.type, step, attempt, None, new.data_json())


def journal(*events: tuple[EventBody, int | None, int | None]) -> list[StoredEvent]:
    return [stored(seq, *event) for seq, event in enumerate(events, 1)]


def unknown(seq: int) -> StoredEvent:
    """One of a type that only a later version has."""
    return StoredEvent(RUN, seq, seq, UNKNOWN, None, None, None, '{"to":"good"}')


def enveloped(events: Sequence[StoredEvent]) -> list[Envelope]:
    return [Envelope.model_validate_json(event.envelope_json()) for event in events]


def counted(events: Sequence[StoredEvent]) -> list[StoredEvent]:
    """Only what still counts, told in the plainest way; `run.queued` always does."""
    kept: list[StoredEvent] = []
    for event in events:
        body = event.body() if event.type != UNKNOWN else None
        if isinstance(body, RunRewound):
            kept = [it for it in kept if it.seq <= body.to_seq or it.type == "run.queued"]
        kept.append(event)
    return kept


TEXTS = ("", "a", "bc")
USAGES = (
    Usage(),
    Usage(input_tokens=3, output_tokens=4),
    Usage(input_tokens=5, cost=Cost(amount="0.000000000123", estimated=True), estimated=True),
)
CALL_IDS = ("call_1_0", "call_1_1", "call_2_0")
ERROR = RunError(type="model-unavailable", message="down")
CALLS = [ToolCall(call_id=id_, name="look", arguments={"path": "a"}) for id_ in CALL_IDS]
APPROVALS = ("approval_1_0", "approval_1_1")
QUESTIONS = ("input_1_0", "input_1_1")
BELOW = "run_below0123456789"
OWN = Waiting(kind="approval", id=APPROVALS[0], what="x")
OF_BELOW = Waiting(kind="input", id=f"{BELOW}.{QUESTIONS[0]}", what="y", run_id=BELOW)
PAUSE = Waiting(kind="resume", what="z", run_id=BELOW)
OF_ANSWERS: list[EventBody] = [
    StepStarted(model="m"),
    AttemptFailed(error=ERROR),
    AttemptLost(attempt=1, losses=1, counted=0, allowed=3),
    AttemptLost(attempt=2, losses=2, counted=1, allowed=3),
    ModelFallback.model_validate({"from": "m", "to": "n", "reason": "busy"}),
    *(MessageDelta(text=text) for text in TEXTS),
    *(ReasoningDelta(text=text) for text in TEXTS),
    *(
        MessageCompleted(text=text, tool_calls=calls, finish_reason="stop", usage=usage)
        for text, usage in product(TEXTS, USAGES)
        for calls in ((), (CALLS[0],), (CALLS[2], CALLS[1]))
    ),
    *(MessageInterrupted(text=text, usage=usage) for text, usage in product(TEXTS, USAGES)),
    *(AttemptSuperseded(attempt=n, from_seq=0, to_seq=0, reason="lost") for n in (1, 2, 3)),
    *(
        ContextCompacted(kind="keep_last", kept_from=seq, usage=usage, summary=text)
        for seq, usage, text in product((0, 3, 9), USAGES, TEXTS)
    ),
]
COMMON: list[EventBody] = [
    StepStarted(model="m"),
    MessageDelta(text="a"),
    MessageCompleted(text="a", tool_calls=(CALLS[0],), finish_reason="stop", usage=USAGES[1]),
    MessageInterrupted(text="b"),
    AttemptSuperseded(attempt=1, from_seq=0, to_seq=0, reason="lost"),
]
"""What is drawn more often, so that the same steps and calls are met again and again."""
OF_TOOLS: list[EventBody] = [
    body
    for id_, text in product(CALL_IDS, TEXTS)
    for body in (
        ToolStarted(call_id=id_, name="look", arguments={"path": text}),
        ToolProgress(call_id=id_, message=text),
        ToolCompleted(call_id=id_, name="look", output=text, truncated=text == "a"),
        ToolFailed(call_id=id_, name="look", error=text, retryable=text == "a"),
        ToolCancelled(call_id=id_, name="look", acked_at=NOW),
        AttemptLost(attempt=2, call_id=id_, name="look", losses=2, counted=1, allowed=3),
        ToolAbandoned(call_id=id_, name="look"),
    )
]
OF_TOOLS += [
    ChildStarted(call_id=CALL_IDS[0], run_id=BELOW, agent="b"),
    ToolsListed(servers=("notes",), sha256="d", specs=({"server": "notes"},)),
    ToolAsked(call_id=CALL_IDS[0], name="notes_add", questions=(), state="s"),
    *(
        ChildEnded(call_id=CALL_IDS[0], run_id=BELOW, status=RunStatus.FAILED, usage=usage)
        for usage in USAGES
    ),
]
_Decision = Literal["approve", "deny", "expired", "withdrawn"]
DECISIONS: tuple[_Decision, ...] = ("approve", "deny", "expired", "withdrawn")
OF_PEOPLE: list[EventBody] = [
    *(UserMessageEvent(text=text) for text in TEXTS),
    UserMessageEvent(text="next", turn=2, command_id="m"),
    TurnCompleted(turn=1, status="completed", output="a"),
    *(
        ApprovalRequested(approval_id=id_, call_id=call_id, tool="look")
        for id_, call_id in product(APPROVALS, CALL_IDS)
    ),
    *(
        ApprovalResolved(approval_id=id_, decision=decision, at=NOW, note=note)
        for id_, decision, note in product(APPROVALS, DECISIONS, (None, "careful"))
    ),
    *(InputRequested(request_id=id_, question=text) for id_, text in product(QUESTIONS, TEXTS)),
    *(InputReceived(request_id=id_, text="yes") for id_ in QUESTIONS),
    *(InputClosed(request_id=id_, reason="expired", at=NOW) for id_ in QUESTIONS),
    *(RunWaiting(waiting_for=(Waiting(kind="approval", id=id_, what="x"),)) for id_ in APPROVALS),
    *(RunWaiting(waiting_for=waiting) for waiting in ((), (OF_BELOW,), (OWN, OF_BELOW, PAUSE))),
    *(RunPaused(), RunPaused(), RunResumed(), RunResumed(by="ann")),
    CommandAccepted(command_id="c", kind=CommandKind.PAUSE),
    CommandApplied(command_id="c", kind=CommandKind.PAUSE, applied="paused"),
    BudgetExceeded(limit="max_steps", used=3, allowed=2),
]
STARTS: list[EventBody] = [
    RunStarted(
        agent="a", model="m", limits=Limits(), epoch=epoch, metadata=metadata, submitted_at=at
    )
    for epoch, metadata, at in product((0, 1), (None, {"k": "v"}), (None, NOW))
]
QUEUED: list[EventBody] = [
    RunQueued(
        agent="b", model="n", title="t", metadata={"k": tenant}, submitted_at=NOW, tenant=tenant
    )
    for tenant in ("default", "x")
]
FORKED: list[EventBody] = [
    *(RunForked(run_id="run_source", step=2, seq=9, to_seq=to_seq) for to_seq in (3, 6, 12)),
    RunForked(step=2, to_seq=5),
]
ENDS: list[EventBody] = [
    *(RunCompleted(output=text, usage=usage) for text, usage in product(TEXTS, USAGES)),
    *(RunFailed(error=ERROR, usage=usage) for usage in USAGES),
    *(RunCancelled(by="ann"), RunTerminated(), RunTimedOut()),
]
ATTEMPTS = (None, 1, 2, 3)
in_steps = st.sampled_from([*product([*OF_ANSWERS, *OF_TOOLS], (1, 2, 3), ATTEMPTS)])
answers = st.sampled_from([*product(COMMON, (1, 2), (1,))])
tools = st.sampled_from([*product(OF_TOOLS, (1,), (1,))])
beside_steps = st.sampled_from([*product(OF_PEOPLE, (None, 1, 2), (None,))])
queued = st.sampled_from([*product(QUEUED, (None,), (None,))])
begun = st.sampled_from([*product(STARTS, (None,), (None,))])
forked = st.sampled_from([*product(FORKED, (None,), (None,))])
ended = st.sampled_from([*product(ENDS, (None, 1, 4), (None,))])
stretches: st.SearchStrategy[list[Place]] = st.lists(
    st.one_of(answers, in_steps, tools, beside_steps, begun, queued), max_size=14
)


@st.composite
def runs(draw: st.DrawFn) -> list[StoredEvent]:
    """Stretches with a reset between each two; before it, the run may have ended."""
    events: list[StoredEvent] = []
    parts = draw(
        st.lists(st.tuples(stretches, st.one_of(st.none(), ended)), min_size=1, max_size=4)
    )
    for epoch, (stretch, end) in enumerate(parts):
        if epoch:
            to_seq = draw(st.integers(0, len(events)))
            events.append(stored(len(events) + 1, RunRewound(to_seq=to_seq, epoch=epoch)))
        for place in (*draw(begins(epoch)), *stretch, *([end] if end else [])):
            event = stored(len(events) + 1, *place)
            if event.type != "run.queued" or all(
                it.type != event.type for it in events
            ):  # its key: once
                events.append(event)
        if draw(st.booleans()):
            events.append(unknown(len(events) + 1))
    return events


def begins(epoch: int) -> st.SearchStrategy[list[Place]]:
    """Nearly every run begins with these; after a reset they need not come again."""
    first = st.one_of(st.tuples(begun), st.tuples(queued, begun), st.tuples(queued, begun, forked))
    return first.map(list) if not epoch else st.lists(begun, max_size=1)


def prefixes(events: Sequence[StoredEvent]) -> Iterator[Sequence[StoredEvent]]:
    return (events[:count] for count in range(len(events) + 1))
