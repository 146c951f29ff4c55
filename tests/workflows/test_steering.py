"""What commands come to: each gets one receipt and one outcome, whatever it is."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayline.contracts.commands import Answer, AnyCommand, Cancel, Decide, Pause, Redirect, Resume
from relayline.contracts.events import (
    CommandAccepted,
    RunCancelled,
    RunPaused,
    RunResumed,
    UserMessageEvent,
)
from relayline.workflows.gates import Gate, Verdict
from relayline.workflows.inbox import Stop
from tests.workflows.wheel import LATER, NOW, Wheel

IDS = st.sampled_from("abcdefgh")
BY = st.sampled_from(["", "ann"])
LONG = "é" * 16_385
COMMANDS: st.SearchStrategy[AnyCommand] = st.one_of(
    st.builds(Pause, command_id=IDS, by=BY, now=st.booleans()),
    st.builds(Resume, command_id=IDS, by=BY),
    st.builds(
        Redirect,
        command_id=IDS,
        by=BY,
        message=st.sampled_from(["", " ", "go", LONG]),
        now=st.booleans(),
    ),
    st.builds(Cancel, command_id=IDS, by=BY, reason=st.sampled_from(["", "why", LONG])),
    st.builds(
        Decide,
        command_id=IDS,
        by=BY,
        approval_id=st.sampled_from(["", "approval_1_0", "approval_1_1", "input_1_0", "nope"]),
        decision=st.sampled_from(["approve", "deny", "maybe"]),
        arguments=st.sampled_from([None, {}, {"a": 1}]),
        note=st.sampled_from(["", "hm"]),
    ),
    st.builds(
        Answer,
        command_id=IDS,
        by=BY,
        request_id=st.sampled_from(["", "input_1_0", "approval_1_0", "nope"]),
        text=st.sampled_from(["red", "blue"]),
    ),
)
DOINGS = st.lists(
    st.one_of(
        COMMANDS,
        st.tuples(st.just("act"), st.booleans(), st.booleans()),
        st.sampled_from(["note", "fits", "misfits", "expires"]),
    ),
    max_size=40,
)


def do(wheel: Wheel, gates: list[Gate], doing: AnyCommand | str | tuple[str, bool, bool]) -> None:
    """One thing that may happen to the commands of a run."""
    match doing:
        case "note":
            wheel.steering.acknowledge(NOW)
        case "fits" | "misfits":
            checked(wheel, gates, fits=doing == "fits")
        case "expires":
            close(
                [gate for gate in gates if not gate.verdict][:1],
                wheel,
                Verdict("expired", "", LATER),
            )
        case (_, more, in_step):
            wheel.steering.act(more=more, in_step=in_step)
        case command:
            assert not isinstance(command, str)
            wheel.steering.inbox.put(command)


def checked(wheel: Wheel, gates: list[Gate], *, fits: bool) -> None:
    """The arguments that people gave have been looked at."""
    for gate in gates:
        if (command := gate.checking) and fits:
            wheel.steering.decide(gate, command, LATER)
        elif command:
            gate.checking = None
            wheel.steering.refuse(command, "arguments: no")


def close(gates: list[Gate], wheel: Wheel, verdict: Verdict) -> None:
    for gate in gates:
        if not gate.verdict:
            wheel.steering.close(gate, verdict)


@given(DOINGS)
def test_every_command_gets_one_receipt_and_in_the_end_one_outcome(
    doings: list[AnyCommand | str | tuple[str, bool, bool]],
) -> None:
    wheel = Wheel()
    gates = [wheel.approval(), wheel.approval("approval_1_1"), wheel.question("red")]
    sent: dict[str, AnyCommand] = {}
    for doing in doings:
        do(wheel, gates, doing)
        if not isinstance(doing, str | tuple):
            sent.setdefault(doing.command_id, doing)
        assert all(len(wheel.outcomes(command_id)) <= 1 for command_id in sent)
    wheel.steering.acknowledge(NOW)
    close(gates, wheel, Verdict("withdrawn", "", LATER))
    wheel.steering.act()
    wheel.steering.refuse_rest("run-ended")
    accepted = [it for it in wheel.pending.added if it.body.type == "command.accepted"]
    assert [it.body for it in accepted] == [
        CommandAccepted(command_id=it.command_id, kind=it.kind, by=it.by) for it in sent.values()
    ]
    keys = [fact.key for fact in wheel.pending.added]
    assert len(set(keys)) == len(keys)
    for command_id in sent:
        at = [keys.index(f"command/{command_id}/{it}") for it in ("accepted", "outcome")]
        assert at == sorted(at)
    assert wheel.steering.stop is (Stop.CANCEL if wheel.steering.ending else Stop.NOTHING)


@given(st.lists(COMMANDS, unique_by=lambda it: it.command_id))
def test_paused_is_what_the_newest_applied_pause_or_resume_says(
    commands: list[AnyCommand],
) -> None:
    wheel = Wheel()
    wheel.send(*commands)
    wheel.steering.act()
    said = [it for it in wheel.types if it in {"run.paused", "run.resumed"}]
    assert wheel.steering.paused is (said[-1:] == ["run.paused"])
    assert all(one != other for one, other in pairwise(said))


def test_pause_and_resume_are_told_with_who_sent_them() -> None:
    wheel = Wheel()
    wheel.send(
        Pause(command_id="a", by="ann"),
        Pause(command_id="b"),
        Resume(command_id="c", by="bob"),
        Resume(command_id="d"),
    )
    assert wheel.steering.held is False
    assert wheel.steering.act() is None
    assert wheel.applied("a") == "stopped before the next call"
    assert wheel.refused("b") == "already paused"
    assert wheel.applied("c") == "continued"
    assert wheel.refused("d") == "not paused"
    assert wheel.bodies("0/command/a/pause") == [RunPaused(by="ann")]
    assert wheel.bodies("0/command/c/resume") == [RunResumed(by="bob")]


def test_a_pause_holds_further_calls_from_the_moment_it_came_in() -> None:
    wheel = Wheel()
    wheel.steering.inbox.put(Pause(command_id="a"))
    assert wheel.steering.held
    assert wheel.steering.stop is Stop.NOTHING
    wheel.send()
    wheel.steering.act()
    assert wheel.steering.held
    wheel.send(Resume(command_id="b"))
    assert not wheel.steering.held


def test_a_pause_with_nothing_left_to_run_is_refused_unless_a_redirect_makes_the_run_go_on() -> (
    None
):
    wheel = Wheel()
    wheel.send(Pause(command_id="a"))
    wheel.steering.act(more=False)
    assert wheel.refused("a").startswith("run-ending")
    wheel.send(Pause(command_id="b"), Redirect(command_id="c", message="go on"))
    wheel.steering.act(more=False)
    assert wheel.applied("b")
    assert "the run stays paused" in wheel.applied("c")
    wheel.send(Resume(command_id="d"), Pause(command_id="e"))
    wheel.steering.act(more=False)
    assert (wheel.applied("d"), wheel.applied("e")) == ("continued", "stopped before the next call")


def test_a_redirect_is_said_to_the_model_right_after_its_outcome() -> None:
    wheel = Wheel()
    wheel.steering.cancelled += ["the model"]
    for _ in range(2):
        wheel.steering.let_finish("pay")
    wheel.send(Redirect(command_id="a", message="look"), Redirect(command_id="b", message="leap"))
    assert not wheel.steering.redirected
    wheel.steering.act()
    assert wheel.steering.redirected
    assert wheel.applied("a") == (
        "the next model call has the message; cancelled: the model; allowed to finish: pay"
    )
    assert wheel.applied("b") == "the next model call has the message"
    assert wheel.bodies("0/command/a/message") == [UserMessageEvent(text="look")]
    assert wheel.types == ["command.accepted"] * 2 + ["command.applied", "message.user"] * 2


def test_a_redirect_that_can_wait_is_left_until_the_step_is_over() -> None:
    wheel = Wheel()
    wheel.send(Redirect(command_id="a", message="later", now=False), Pause(command_id="b"))
    wheel.steering.act(in_step=True)
    assert not wheel.outcomes("a")
    assert wheel.applied("b")
    wheel.steering.act()
    assert wheel.applied("a")


def test_a_cancel_ends_the_run_and_what_comes_behind_it_is_refused() -> None:
    wheel = Wheel()
    wheel.send(
        Pause(command_id="a"), Cancel(command_id="b", by="ann", reason="no"), Cancel(command_id="c")
    )
    assert wheel.steering.stopped_by == "ann"
    ending = wheel.steering.act()
    assert isinstance(ending, RunCancelled)
    assert (ending.by, ending.reason) == ("ann", "no")
    assert wheel.steering.stop is Stop.CANCEL
    assert wheel.steering.stopped_by == "ann"
    wheel.steering.refuse_rest("run-ended")
    assert wheel.applied("b") == "the run is cancelled"
    assert wheel.refused("c") == "run-ended"


def test_nobody_is_named_who_wants_nothing_stopped() -> None:
    wheel = Wheel()
    wheel.send(Redirect(command_id="a", by="ann", message="later", now=False))
    assert wheel.steering.stopped_by == ""
    wheel.send(Redirect(command_id="b", by="bob", message="now"))
    assert wheel.steering.stopped_by == "bob"


@pytest.mark.parametrize(
    ("command", "field"),
    [
        (Redirect(command_id="x"), "message"),
        (Redirect(command_id="x", message=" \n"), "message"),
        (Redirect(command_id="x", message=LONG), "message"),
        (Cancel(command_id="x", reason=LONG), "reason"),
        (Decide(command_id="x", decision="approve"), "approval_id"),
        (Decide(command_id="x", approval_id="approval_1_0"), "decision"),
        (Decide(command_id="x", approval_id="approval_1_0", decision="Yes"), "decision"),
        (
            Decide(command_id="x", approval_id="approval_1_0", decision="deny", arguments={}),
            "arguments",
        ),
        (
            Decide(command_id="x", approval_id="approval_1_0", decision="deny", note=LONG),
            "note",
        ),
        (
            Decide(
                command_id="x",
                approval_id="approval_1_0",
                decision="approve",
                arguments={"a": LONG},
            ),
            "arguments",
        ),
        (Answer(command_id="x", text="x"), "request_id"),
        (Answer(command_id="x", request_id="input_1_0", text=LONG), "text"),
        (Pause(command_id="x", now=True, unreadable="now: is no truth"), "now"),
    ],
)
def test_a_malformed_command_is_refused_by_field_and_changes_nothing(
    command: AnyCommand, field: str
) -> None:
    wheel = Wheel()
    gates = [wheel.approval(), wheel.question()]
    wheel.steering.inbox.put(command)
    assert wheel.steering.stop is Stop.NOTHING
    wheel.send()
    assert wheel.refused("x").startswith(f"{field}: ")
    assert wheel.steering.act() is None
    assert not any(gate.verdict or gate.checking for gate in gates)
    assert wheel.types == ["command.accepted", "command.refused"]


@pytest.mark.parametrize(
    "command", [Decide(command_id="a", approval_id="x"), Answer(command_id="a", request_id="x")]
)
def test_decisions_and_answers_never_wait_to_be_acted_on(command: Decide | Answer) -> None:
    wheel = Wheel()
    wheel.steering.inbox.keep(command)
    with pytest.raises(AssertionError, match="settled"):
        wheel.steering.act()
