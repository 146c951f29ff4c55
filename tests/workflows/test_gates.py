"""Decisions and answers: who is heard, and what the others are told."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayline.contracts.commands import Answer, Decide
from relayline.contracts.events import ApprovalResolved, InputClosed, InputReceived
from relayline.contracts.runs import Limits, Waiting
from relayline.workflows.gates import OUTCOME_SCHEMA, Gate, Outcome, Verdict, outcome
from relayline.workflows.limits.excess import Excess
from tests.workflows.wheel import LATER, NOW, Wheel

EXCESS = Excess("max_steps", 3, 2)


def decide(command_id: str, decision: str = "approve", **fields: Any) -> Decide:
    return Decide(
        command_id=command_id, decision=decision, **{"approval_id": "approval_1_0", **fields}
    )


def answer(command_id: str, text: str, request_id: str = "input_1_0") -> Answer:
    return Answer(command_id=command_id, by="ann", request_id=request_id, text=text)


def resolved(wheel: Wheel, id_: str = "approval_1_0") -> ApprovalResolved:
    [body] = wheel.bodies(f"request/{id_}/end")
    assert isinstance(body, ApprovalResolved)
    return body


def test_a_decision_is_recorded_before_its_outcome_and_only_the_first_counts() -> None:
    wheel = Wheel()
    gate = wheel.approval()
    wheel.send(decide("a", "deny", by="ann", note="too much"), decide("b", by="bob"))
    assert gate.verdict == Verdict("deny", "ann", NOW, "too much")
    assert resolved(wheel) == ApprovalResolved(
        approval_id="approval_1_0", decision="deny", by="ann", at=NOW, note="too much"
    )
    assert wheel.applied("a") == "deny: pay(amount=5)"
    assert wheel.refused("b") == "approval_1_0 was denied by ann at 2026-01-02T03:04:05Z"
    assert wheel.types == [
        "command.accepted",
        "approval.resolved",
        "command.applied",
        "command.accepted",
        "command.refused",
    ]


def test_the_same_decision_again_is_the_same_command() -> None:
    wheel = Wheel()
    wheel.approval()
    wheel.send(decide("a"), decide("a"))
    wheel.send(decide("a", "deny"))
    assert wheel.types == ["command.accepted", "approval.resolved", "command.applied"]


def test_a_decision_about_something_unknown_names_it_in_short() -> None:
    wheel = Wheel()
    wheel.question()
    wheel.send(decide("a", approval_id="x" * 300), decide("b", approval_id="input_1_0"))
    assert wheel.refused("a") == f"approval_id: this run has no approval '{'x' * 100}'"
    assert wheel.refused("b").startswith("approval_id: ")


def test_a_decision_after_the_time_was_up_is_told_when_that_was() -> None:
    wheel = Wheel()
    wheel.steering.close(wheel.approval(), Verdict("expired", "", LATER))
    wheel.send(decide("a"))
    assert wheel.refused("a") == "approval_1_0 has expired at 2026-01-02T03:05:05Z"
    assert resolved(wheel).decision == "expired"


def test_while_new_arguments_are_checked_nobody_else_decides() -> None:
    wheel = Wheel()
    gate = wheel.approval()
    wheel.send(decide("a", arguments={}, by="ann"), decide("b"), decide("c", "deny", by="bob"))
    assert gate.verdict is None
    assert not wheel.outcomes("a")
    assert wheel.refused("b") == "approval_1_0 is being decided by ann"
    assert wheel.refused("c") == "approval_1_0 is being decided by ann"
    assert gate.checking
    wheel.steering.decide(gate, gate.checking, LATER)
    assert wheel.applied("a") == "approve: pay(amount=5) with other arguments"
    assert resolved(wheel).arguments == {}


def test_an_approval_that_ends_while_arguments_are_checked_refuses_them() -> None:
    wheel = Wheel()
    gate = wheel.approval()
    wheel.send(decide("a", arguments={"amount": 1}))
    wheel.steering.close(gate, Verdict("withdrawn", "ann", LATER))
    assert wheel.refused("a") == "approval_1_0 was withdrawn by ann at 2026-01-02T03:05:05Z"
    assert gate.checking is None
    assert resolved(wheel).decision == "withdrawn"


def test_an_answer_is_recorded_with_who_gave_it_and_only_the_first_counts() -> None:
    wheel = Wheel()
    gate = wheel.question()
    wheel.send(answer("a", "", "input_1_0"), answer("b", "red"))
    assert gate.verdict == Verdict("answered", "ann", NOW, "")
    assert wheel.bodies("request/input_1_0/end") == [
        InputReceived(request_id="input_1_0", text="", by="ann")
    ]
    assert wheel.applied("a") == "answered: Which one?"
    assert wheel.refused("b") == "input_1_0 was answered by ann at 2026-01-02T03:04:05Z"


def test_an_answer_that_is_none_of_the_choices_leaves_the_question_open() -> None:
    wheel = Wheel()
    gate = wheel.question("red", "it's blue")
    wheel.send(answer("a", "Red"))
    assert wheel.refused("a") == """text: answer one of 'red', "it's blue\""""
    assert gate.verdict is None
    wheel.send(answer("b", "it's blue"))
    assert wheel.applied("b")


def test_an_answer_about_something_unknown_is_refused() -> None:
    wheel = Wheel()
    wheel.approval()
    wheel.send(answer("a", "x", "nope"), answer("b", "x", "approval_1_0"))
    assert wheel.refused("a") == "request_id: this run has no question 'nope'"
    assert wheel.refused("b").startswith("request_id: ")


@pytest.mark.parametrize("how", ["expired", "withdrawn"])
def test_a_question_that_nobody_answered_is_closed_and_says_why(how: Any) -> None:
    wheel = Wheel()
    wheel.steering.close(wheel.question(), Verdict(how, "ann", LATER))
    assert wheel.bodies("request/input_1_0/end") == [
        InputClosed(request_id="input_1_0", reason=how, by="ann", at=LATER)
    ]


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("happened", Outcome("happened")),
        ("happened:", Outcome("happened")),
        (" happened: sent \n", Outcome("happened", "sent")),
        ("happened: line 1\n  line 2\n\nline 3", Outcome("happened", "line 1\n  line 2\n\nline 3")),
        ("happened twice", Outcome("happened", "twice")),
        ("happened: run it", Outcome("happened", "run it")),
        ("run it", Outcome("run")),
        ("\tdid not happen, run it\n", Outcome("run")),
        (" stop ", Outcome("stop")),
        ("", None),
        ("it happened", None),
        ("happenedX", None),
        ("run it!", None),
        ("did not happen", None),
        ("stop it", None),
        ("STOP", None),
        ("run it\nstop", None),
    ],
)
def test_what_became_of_an_unsafe_tool_is_said_in_three_ways(
    text: str, meant: Outcome | None
) -> None:
    assert outcome(text) == meant


PIECES = st.sampled_from(
    ["happened", ":", " ", "\n", "run it", "stop", "did not happen, ", "x", "_", "é", "\t"]
)


@given(st.lists(PIECES, max_size=6).map("".join))
def test_the_schema_of_the_answer_takes_exactly_what_the_run_takes(text: str) -> None:
    fits = re.search(str(OUTCOME_SCHEMA["pattern"]), text) is not None
    assert fits is (outcome(text) is not None)


def test_an_answer_that_does_not_say_what_became_of_the_tool_is_refused() -> None:
    wheel = Wheel()
    gate = wheel.outcome()
    wheel.send(answer("a", "yes", gate.id))
    assert wheel.refused("a") == "text: answer `happened: <result>`, `run it` or `stop`"
    assert gate.verdict is None
    wheel.send(answer("b", "happened: paid\ntwice", gate.id))
    assert gate.verdict == Verdict("answered", "ann", NOW, "happened: paid\ntwice")


def test_what_is_open_is_shown_oldest_first() -> None:
    wheel = Wheel()
    approval, question, unknown = wheel.approval(), wheel.question(), wheel.outcome()
    budget = wheel.steering.gates.open(Gate("approval_budget_1", "budget", "more?", excess=EXCESS))
    assert wheel.steering.gates.waiting == (
        Waiting(kind="approval", id=approval.id, what="pay(amount=5)"),
        Waiting(kind="input", id=question.id, what="Which one?"),
        Waiting(kind="input", id=unknown.id, what="outcome unknown: pay()"),
        Waiting(kind="approval", id=budget.id, what="more?"),
    )
    wheel.send(decide("a"))
    assert approval.waiting not in wheel.steering.gates.waiting


def budget(wheel: Wheel) -> Gate:
    gate = Gate("approval_budget_1", "budget", "more?", excess=EXCESS)
    return wheel.steering.gates.open(gate)


def raise_limit(command_id: str, **arguments: Any) -> Decide:
    given_arguments = arguments or None
    return decide(command_id, approval_id="approval_budget_1", arguments=given_arguments)


def test_an_approved_limit_is_raised_to_what_was_offered_or_asked_for() -> None:
    for command, limit in ((raise_limit("a"), 4), (raise_limit("b", raise_to=9), 9)):
        wheel = Wheel(Limits(max_steps=2))
        gate = budget(wheel)
        wheel.send(command)
        assert wheel.state.limits == Limits(max_steps=limit)
        assert gate.verdict
        assert gate.verdict.how == "approve"
        assert wheel.applied(command.command_id).startswith("approve: more?")
        assert resolved(wheel, gate.id).arguments == command.arguments


@pytest.mark.parametrize("raise_to", [2, True, "9", None, 2.5, 10_001, float("nan"), float("inf")])
def test_a_limit_that_can_not_be_raised_to_that_stays_open(raise_to: Any) -> None:
    wheel = Wheel(Limits(max_steps=2))
    gate = budget(wheel)
    wheel.send(raise_limit("a", raise_to=raise_to))
    assert wheel.refused("a").startswith("arguments.raise_to: ")
    assert gate.verdict is None
    assert gate.checking is None
    assert wheel.state.limits == Limits(max_steps=2)


def test_a_denied_limit_stays_as_it_is() -> None:
    wheel = Wheel(Limits(max_steps=2))
    gate = budget(wheel)
    wheel.send(
        decide("a", "deny", approval_id=gate.id, arguments={}),
        decide("b", "deny", approval_id=gate.id),
    )
    assert wheel.refused("a") == "arguments: only with `approve`"
    assert wheel.applied("b") == "deny: more?"
    assert wheel.state.limits == Limits(max_steps=2)
