"""The past of a fork: what of a run it is, and how it reads in the fork's journal."""

from __future__ import annotations

from typing import Any

import pytest

from relayline.contracts.envelope import NewEvent, StoredEvent
from relayline.contracts.events import (
    ApprovalRequested,
    ApprovalResolved,
    ChildEnded,
    ChildStarted,
    CommandAccepted,
    ContextCompacted,
    EventBody,
    MessageCompleted,
    MessageInterrupted,
    RunCompleted,
    RunForked,
    RunRewound,
    RunStarted,
    StepStarted,
    ToolCompleted,
    ToolFailed,
    ToolsListed,
    ToolStarted,
    TurnCompleted,
    UserMessageEvent,
)
from relayline.contracts.messages import ToolCall, Usage
from relayline.contracts.runs import Limits, Past, ResultEdit, RunStatus, Said
from relayline.projections.forks.outline import Outline
from relayline.projections.forks.past import inherited, past_end
from relayline.projections.projection import fold
from relayline.projections.row import row_of
from relayline.projections.transcript import Unbilled, transcript
from tests.projections.generated import NOW

RUN, FORK = "run_0123456789abcdef", "run_fedcba9876543210"
SPENT = Usage(input_tokens=5, output_tokens=7)
Fact = tuple[str, EventBody, int | None]


def asks(step: int, *names: str) -> MessageCompleted:
    calls = tuple(
        ToolCall(call_id=f"call_{step}_{index}", name=name) for index, name in enumerate(names)
    )
    return MessageCompleted(text="", tool_calls=calls, finish_reason="tool_calls", usage=SPENT)


def stored(run_id: str, *facts: NewEvent) -> list[StoredEvent]:
    return [
        StoredEvent(run_id, seq, seq, it.body.type, it.step, it.attempt, it.key, it.data_json())
        for seq, it in enumerate(facts, 1)
    ]


def facts(*told: Fact) -> list[StoredEvent]:
    return stored(RUN, *(NewEvent(key=key, body=body, step=step) for key, body, step in told))


def started(step: int, epoch: int = 0) -> Fact:
    return f"{epoch}/step/{step}/started", StepStarted(model="m"), step


def answered(step: int, body: EventBody, epoch: int = 0) -> Fact:
    return f"{epoch}/step/{step}/message", body, step


def result(call_id: str, output: str, epoch: int = 0) -> Fact:
    body = ToolCompleted(call_id=call_id, name="look", output=output)
    return f"{epoch}/call/{call_id}/result", body, int(call_id.split("_")[1])


BEGUN: tuple[Fact, ...] = (
    ("0/run/started", RunStarted(agent="a", model="m", limits=Limits()), None),
    ("0/message/0", UserMessageEvent(text="hello"), None),
)
STOP = MessageCompleted(text="done", finish_reason="stop", usage=SPENT)
TWO_STEPS = facts(
    *BEGUN,
    started(1),
    answered(1, asks(1, "look")),
    ("0/call/call_1_0/claim", ToolStarted(call_id="call_1_0", name="look"), 1),
    ("request/approval_budget_1", ApprovalRequested(
        approval_id="approval_budget_1", call_id="approval_budget_1", tool="raise_limit"), 1),
    ("request/approval_budget_1/end", ApprovalResolved(
        approval_id="approval_budget_1", decision="approve", at=NOW), 1),
    ("request/approval_1_0", ApprovalRequested(
        approval_id="approval_1_0", call_id="call_1_0", tool="look"), 1),
    ("request/approval_1_0/end", ApprovalResolved(
        approval_id="approval_1_0", decision="approve", arguments={"a": 1}, at=NOW), 1),
    ("command/m/accepted", CommandAccepted(command_id="m", kind="redirect"), None),
    result("call_1_0", "42"),
    ("0/command/m/message", UserMessageEvent(text="go left", command_id="m"), None),
    started(2),
    answered(2, STOP),
    ("0/run/ended", RunCompleted(output="done", usage=SPENT + SPENT), 2),
)  # fmt: skip


def fork_of(
    source: list[StoredEvent], past: Past, *, is_open: bool = False, at: int = 3
) -> list[StoredEvent]:
    """The fork's journal once it has its past; `run.forked` is event 3."""
    made = inherited(past, source, at, is_open=is_open)
    head = [NewEvent(key=f"head/{seq}", body=BEGUN[0][1]) for seq in range(1, at)]
    return stored(FORK, *head, made.forked, *made.facts)


def past(source: list[StoredEvent], step: int, **fields: Any) -> Past:
    seq = Outline().added(source).until(step)
    return Past(run_id=RUN, seq=seq, step=step, **fields)


def test_a_model_is_told_the_same_as_there() -> None:
    journal = fork_of(TWO_STEPS, past(TWO_STEPS, 2))
    there = [fact for fact in TWO_STEPS if fact.seq < 13]
    assert transcript(journal) == transcript(there)
    assert "[approved with other arguments" in transcript(journal)[2].output  # type: ignore[union-attr]


def test_keys_that_are_looked_up_stay_and_others_leave_their_places_free() -> None:
    source = facts(
        *BEGUN, started(1, 2), answered(1, asks(1, "look"), 2), result("call_1_0", "x", 2)
    )
    journal = fork_of(source, past(source, 2))
    assert [fact.key for fact in journal[3:]] == [
        "inherited/2",
        "inherited/3",
        "0/step/1/message",
        "0/call/call_1_0/result",
    ]
    claims = [it.key for it in fork_of(TWO_STEPS, past(TWO_STEPS, 2)) if it.type == "tool.started"]
    assert claims == ["0/call/call_1_0/claim"]


def test_what_is_nobodys_answer_and_what_raised_a_limit_is_left_out() -> None:
    kinds = [fact.type for fact in fork_of(TWO_STEPS, past(TWO_STEPS, 3))[3:]]
    assert kinds.count("approval.requested") == kinds.count("approval.resolved") == 1
    assert not {"command.accepted", "run.completed", "run.started"} & {*kinds}
    open_one = facts(*BEGUN, started(1), answered(1, asks(1, "look")), TWO_STEPS_REQUEST)
    assert "approval.requested" not in {it.type for it in fork_of(open_one, past(open_one, 2))}


TWO_STEPS_REQUEST: Fact = (
    "request/approval_1_0",
    ApprovalRequested(approval_id="approval_1_0", call_id="call_1_0", tool="look"),
    1,
)


def test_void_facts_are_left_out() -> None:
    source = facts(
        *BEGUN,
        started(1),
        answered(1, MessageCompleted(text="void", finish_reason="stop")),
        ("rewound/x/1", RunRewound(to_seq=2, epoch=1), None),
        started(1, 1),
        answered(1, asks(1, "look"), 1),
        result("call_1_0", "42", 1),
    )
    outline = Outline().added(source)
    assert (outline.next_step, outline.until(1), outline.until(2)) == (2, 5, 8)
    journal = fork_of(source, past(source, 2))
    assert [it.type for it in journal[3:]] == [
        *("message.user", "step.started", "message.completed", "tool.completed"),
    ]


def test_a_shortened_context_stays_as_short() -> None:
    source = facts(
        *BEGUN,
        started(1),
        answered(1, asks(1, "look")),
        result("call_1_0", "42"),
        ("command/n/accepted", CommandAccepted(command_id="n", kind="redirect"), None),
        started(2),
        ("0/step/2/compacted", ContextCompacted(
            kind="keep_last", kept_from=9, kept=(2,), left_out=2, usage=SPENT), 2),
        answered(2, asks(2, "look")),
        result("call_2_0", "43"),
        started(3),
    )  # fmt: skip
    journal = fork_of(source, past(source, 3))
    assert transcript(journal) == transcript(source)
    assert len(transcript(journal)) == 4


def test_a_result_is_another_one_and_the_fork_says_what_it_was() -> None:
    edits = (ResultEdit(call_id="call_1_0", output="no", is_error=True),)
    journal = fork_of(TWO_STEPS, past(TWO_STEPS, 2, edits=edits))
    forked = journal[2].body()
    assert isinstance(forked, RunForked)
    assert [(it.before, it.after) for it in forked.edits] == [("42", "no")]
    [edited] = [fact.body() for fact in journal if fact.key == "0/call/call_1_0/result"]
    assert edited == ToolFailed(call_id="call_1_0", name="look", error="no")


def test_what_runs_below_the_origin_used_is_none_of_the_usage() -> None:
    below = {"call_id": "call_1_0", "run_id": "run_below"}
    source = facts(
        *BEGUN,
        started(1),
        answered(1, asks(1, "ask_b")),
        ("0/child/call_1_0", ChildStarted(agent="b", **below), 1),
        ("child/run_below/ended", ChildEnded(status=RunStatus.COMPLETED, usage=SPENT, **below), 1),
        result("call_1_0", "42"),
    )
    assert row_of(source).child_usage == SPENT
    journal = fork_of(source, past(source, 2))
    assert "child.ended" in {fact.type for fact in journal}
    assert row_of(journal).child_usage == Usage()


def test_the_tools_of_mcp_servers_are_inherited_whole() -> None:
    listed = ToolsListed(servers=("notes",), sha256="d", specs=({"server": "notes"},))
    source = facts(*BEGUN, started(1), ("0/tools", listed, 1), answered(1, STOP))
    [there] = [it for it in fork_of(source, past(source, 2)) if it.type == "tools.listed"]
    assert (there.body(), there.step) == (listed, 1)
    assert (there.key or "").startswith("inherited/")


def test_the_past_is_none_of_the_usage() -> None:
    cut = MessageInterrupted(text="half", usage=Usage(output_tokens=9))
    source = facts(*BEGUN, started(1), answered(1, asks(1)), started(2), answered(2, cut))
    journal = fork_of(source, past(source, 3))
    row = row_of(journal)
    assert (row.usage, row.inherited_usage, row.tool_calls) == (Usage(), SPENT, 0)
    assert (row.source and row.source.run_id, row.step) == (RUN, 2)
    assert fold(Unbilled(), journal).usage == Usage()
    assert past_end(journal) == journal[-1].seq


def test_turns_end_in_conversations_only() -> None:
    over = TurnCompleted(turn=1, status="completed", output="done")
    source = facts(*BEGUN, started(1), answered(1, STOP), ("0/turn/1/completed", over, 1))
    outline = Outline().added(source)
    assert (outline.turn(4), outline.turn(5), outline.is_idle(5)) == (1, 2, True)
    there = fork_of(source, past(source, 2), is_open=True)[-1]
    assert (there.type, there.key) == ("turn.completed", "inherited/turn/1")
    assert "turn.completed" not in {it.type for it in fork_of(source, past(source, 2))}


@pytest.mark.parametrize(
    ("told", "newest"),
    [
        ((), 1),
        ((started(1),), 1),
        ((started(1), answered(1, STOP)), 2),
        ((started(1), answered(1, asks(1, "look"))), 1),
        ((started(1), answered(1, asks(1, "look")), result("call_1_0", "x")), 2),
        ((started(1), answered(1, asks(1, "look")), ("0/run/ended", RunCompleted(), 1)), 2),
        ((started(1), answered(1, STOP), started(2)), 2),
    ],
)
def test_a_fork_can_begin_once_all_before_it_has_ended(told: tuple[Fact, ...], newest: int) -> None:
    assert Outline().added(facts(*BEGUN, *told)).next_step == newest


def test_each_given_answer_is_a_step() -> None:
    history = (
        Said(role="user", content="6*7?"),
        Said(role="assistant", content="42"),
        Said(role="assistant", content="sure"),
    )
    journal = fork_of([], Past(step=3, history=history))
    assert [(it.key, it.step) for it in journal[3:]] == [
        ("inherited/1", None),
        ("0/step/1/message", 1),
        ("0/step/2/message", 2),
    ]
    assert row_of(journal).source is None
    assert Outline().added(journal).next_step == 3
