"""The checker keeps silent about a good history and names each promise that one breaks."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from relayline.contracts.envelope import StoredEvent
from tests.chaos.breakages import ALL, BROKEN, CHILD, GOOD, LATE, RESET, TOLD, TOOL, WAITED
from tests.chaos.checker import check
from tests.chaos.checks import Check
from tests.chaos.observed import Effect, Observed
from tests.chaos.said import complaints
from tests.chaos.samples import (
    RUN,
    Line,
    after,
    at,
    frames,
    instead,
    observed,
    placed,
    reset,
    without,
)
from tests.chaos.script_text import END
from tests.chaos.tree import PATCHES, ROOT

SECOND = [("message.delta", 0), ("message.delta", 1), ("message.completed", 0)]
"""What the second attempt of the first answer has written, when nothing else is left of it."""


def test_a_good_history_breaks_no_promise() -> None:
    assert check([GOOD]) == []


def test_a_receiver_that_was_told_twice_of_the_same_breaks_no_promise() -> None:
    again = [TOLD[0]._replace(taken=False), *TOLD, TOLD[-1]]
    assert check([replace(WAITED, told=TOLD), replace(WAITED, told=again)]) == []


def test_a_run_below_that_ends_before_its_call_breaks_no_promise() -> None:
    assert check([observed(after("tool.started", *CHILD))]) == []


def test_a_run_that_outlives_the_one_that_has_started_it_is_named() -> None:
    about = {"agent": "a", "model": "m", "submitted_at": "2026-12-01T12:00:00Z", "parent": RUN}
    below = Observed("run_below", placed([Line("run.queued", about)]), status="queued")
    found = {(it.check, it.run_id) for it in check([GOOD, below])}
    assert (Check.FAMILY, "run_below") in found
    assert (Check.FAMILY, "run_below") not in {(it.check, it.run_id) for it in check([below])}


def test_a_fork_pays_for_what_it_has_done_itself_alone() -> None:
    """Its past has a cost of its own: 9 tokens here, of an answer that is another run's."""

    def forked(paid: int) -> list[Check]:
        usage = {"input_tokens": 9}
        stored = placed(
            [
                Line("run.forked", {"step": 2, "to_seq": 2}),
                Line("message.completed", {"text": "", "tool_calls": [], "usage": usage}, 1),
                Line("run.completed", {"output": "", "usage": {"input_tokens": paid}}, 2),
            ]
        )
        return [it.check for it in check([Observed("run_fork", stored)])]

    assert Check.BILL in forked(9)
    assert Check.BILL not in forked(0)


def test_a_run_that_was_reset_breaks_no_promise() -> None:
    left = replace(RESET, clients={"ann": [frames(RESET, 0, ALL)]})
    assert check([RESET, left]) == []


def test_attempts_of_a_call_go_on_from_those_before_an_operators_reset() -> None:
    second = after(
        "tool.started", Line("tool.started", TOOL, 1, 2), Line("tool.started", TOOL, 1, 1)
    )
    effects = [Effect("call_1_0", 2), Effect("call_1_0", 1), Effect("call_1_1", 1)]
    found = {it.check for it in check([observed(second, reset, effects=effects)])}
    assert Check.STALE in found
    found = {it.check for it in check([observed(second, effects=effects)])}
    assert found == {Check.STALE, Check.NOT_RERUN}, "without a reset"


def test_an_answer_that_was_whole_when_a_pause_stopped_the_model_may_be_followed_by_another() -> (
    None
):
    def run(applied: str) -> Observed:
        written = [
            ("message.completed", 1, {"text": "hi", "tool_calls": []}),
            ("command.applied", 1, {"command_id": "p", "kind": "pause", "applied": applied}),
            ("message.completed", 2, {"text": END, "tool_calls": []}),
            ("run.completed", 2, {"output": END}),
        ]
        stored = [
            StoredEvent(RUN, seq, 0, kind, step, 1, None, json.dumps(data))
            for seq, (kind, step, data) in enumerate(written, 1)
        ]
        return Observed(RUN, stored, input=json.dumps({"rehearse": [{"say": "hi"}]}))

    assert list(complaints(run("stopped before the next call; cancelled: the model"))) == []
    found = {check for check, _ in complaints(run("stopped before the next call"))}
    assert found == {Check.SAID, Check.OUTPUT}


@pytest.mark.parametrize(("broken", "run"), [it[1:] for it in BROKEN], ids=[it[0] for it in BROKEN])
def test_a_broken_promise_is_named(broken: Check, run: Observed) -> None:
    found = check([run])
    assert broken in {violation.check for violation in found}, found
    assert all(str(violation).startswith(violation.check) for violation in found)


def test_the_documents_count_the_promises() -> None:
    said = (ROOT / "docs" / "reliability.md").read_text()
    assert f"against {len(Check)} promises with names" in said.replace("\n", " ")
    assert f"{len([*PATCHES.glob('*.patch')])} patches break the product" in said.replace("\n", " ")


def test_every_promise_is_broken_by_one_of_them() -> None:
    assert {broken for _, broken, _ in BROKEN} == set(Check)


def test_a_drained_worker_leaves_a_call_to_be_tried_again_that_has_failed() -> None:
    failed = {**TOOL, "error": "stumbled", "retryable": True}
    tried = [Line("tool.failed", failed, 1, 1), Line("tool.started", TOOL, 1, 2)]
    again = instead("tool.completed", attempt=2)
    effects = [Effect("call_1_0", 2), Effect("call_1_1", 1)]
    calm = [without("attempt.superseded"), without("message.delta")]
    calm += [instead(kind, nth, attempt=1) for kind, nth in SECOND]
    run = observed(*calm, after("tool.started", *tried), again, effects=effects, drained_only=True)
    assert check([run]) == []


def test_a_person_may_say_what_became_of_a_call() -> None:
    said = Line("input.received", {"request_id": "outcome_1_1_1", "text": "happened: yes"}, 1)
    asked = Line("input.requested", {"request_id": "outcome_1_1_1"}, 1)
    answer = Line("command.applied", {"command_id": "answer-2", "kind": "answer"})
    accepted = answer._replace(type="command.accepted")
    yes = {**TOOL, "call_id": "call_1_1", "name": "book", "output": "yes"}

    def ask(written: list[Line]) -> None:
        place = at(written, "tool.completed", 1)
        ended = Line("tool.completed", yes, 1, key="0/call/call_1_1/result")
        written[place : place + 1] = [asked, accepted, said, answer, ended]

    assert check([observed(ask)]) == []


def test_an_unsafe_tool_may_run_as_often_as_people_say() -> None:
    asked = Line("input.requested", {"request_id": "outcome_1_1_1"}, 1)
    said = Line("input.received", {"request_id": "outcome_1_1_1", "text": "run it"})
    answer = Line("command.applied", {"command_id": "answer-2", "kind": "answer"})
    accepted = answer._replace(type="command.accepted")
    again = Line("tool.started", {**TOOL, "call_id": "call_1_1", "name": "book"}, 1, 1)

    def ask(written: list[Line]) -> None:
        place = at(written, "tool.started", 1) + 1
        written[place:place] = [asked, accepted, said, answer, again]

    assert (
        check([observed(ask, effects=[Effect("call_1_0", 1), *[Effect("call_1_1", 1)] * 2])]) == []
    )


def test_an_interrupted_answer_of_a_new_attempt_may_be_empty() -> None:
    void = [LATE, Line("attempt.superseded", {"attempt": 1, "from_seq": 4, "to_seq": 4}, 1, 2)]
    said = {"text": "", "tool_calls": [], "finish_reason": "interrupted", "usage": {}}
    tail = [Line("message.interrupted", said, 1, 2), Line("run.cancelled", {"reason": ""})]
    cancel = [Line("command.accepted", {"command_id": "c", "kind": "cancel"})]
    cancel += [Line("command.applied", {"command_id": "c", "kind": "cancel"})]

    def cut(written: list[Line]) -> None:
        written[3:] = [*void, *cancel, *tail]

    run = observed(cut, status="cancelled", sent=[], effects=[], clients={})
    assert check([run]) == []
