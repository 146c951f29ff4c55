"""What waits for a person is shown from its request to its end, and gives the run its status."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from relayline.contracts.events import (
    ApprovalRequested,
    ApprovalResolved,
    EventBody,
    InputClosed,
    InputReceived,
    InputRequested,
    MessageDelta,
    RunCompleted,
    RunPaused,
    RunResumed,
    RunRewound,
    RunStarted,
    RunWaiting,
)
from relayline.contracts.runs import Limits, RunStatus, Waiting
from relayline.projections.projection import fold
from relayline.projections.rendered import render
from relayline.projections.waits import Waits
from tests.projections.generated import journal, stored

STARTED = RunStarted(agent="assistant", model="rehearsal", limits=Limits())
NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
ENDED_BY_NOBODY: list[EventBody] = [
    ApprovalResolved(approval_id="none", decision="expired", at=NOW),
    InputReceived(request_id="none", text="late"),
]


def approval(id_: str) -> ApprovalRequested:
    arguments: dict[str, JsonValue] = {"path": id_}
    return ApprovalRequested(
        approval_id=id_, call_id="call_1_0", tool="write_file", arguments=arguments, expires_at=NOW
    )


def question(id_: str) -> InputRequested:
    return InputRequested(request_id=id_, question=f"{id_}?", schema={"enum": ["yes", "no"]})


opened = {id_: approval(id_) for id_ in ("a", "b")}
asked = {id_: question(id_) for id_ in ("p", "q")}
decisions: st.SearchStrategy[EventBody] = st.builds(
    ApprovalResolved,
    approval_id=st.sampled_from([*opened]),
    decision=st.sampled_from(["approve", "deny", "expired", "withdrawn"]),
    at=st.just(NOW),
)
answers: st.SearchStrategy[EventBody] = st.sampled_from(
    [
        *(InputReceived(request_id=id_, text="yes", by="ann") for id_ in asked),
        *(InputClosed(request_id=id_, reason="expired", at=NOW) for id_ in asked),
    ]
)
others: st.SearchStrategy[EventBody] = st.sampled_from(
    [
        *(RunPaused(), RunResumed(), MessageDelta(text="x")),
        RunWaiting(waiting_for=(Waiting(kind="approval", id="a"),)),
        *ENDED_BY_NOBODY,
    ]
)
wait_events = st.one_of(
    st.sampled_from([*opened.values()]),
    st.sampled_from([*asked.values()]),
    decisions,
    answers,
    others,
)


@given(st.lists(wait_events, max_size=12))
def test_a_run_waits_while_something_is_open_and_it_is_not_paused(bodies: list[EventBody]) -> None:
    started = RunStarted(agent="assistant", model="rehearsal", limits=Limits())
    open_ids, paused = set[str](), False
    events = journal(*((body, 1, 1) for body in (started, *bodies)))
    for body, event_count in zip(bodies, range(2, len(events) + 1), strict=True):
        match body:
            case ApprovalRequested(approval_id=id_) | InputRequested(request_id=id_):
                open_ids.add(id_)
            case (
                ApprovalResolved(approval_id=id_)
                | InputReceived(request_id=id_)
                | InputClosed(request_id=id_)
            ):
                open_ids.discard(id_)
            case RunPaused() | RunResumed():
                paused = isinstance(body, RunPaused)
            case _:
                pass
        rendered = render(events[:event_count])
        assert {*rendered.approvals, *rendered.questions} == open_ids
        at_work = RunStatus.WAITING if open_ids else RunStatus.RUNNING
        assert rendered.status is (RunStatus.PAUSED if paused else at_work)
    ended = stored(len(events) + 1, RunCompleted(output=""))
    late = stored(len(events) + 2, approval("a"))
    rendered = render([*events, ended, late])
    assert rendered.status is RunStatus.COMPLETED
    assert not {*rendered.approvals, *rendered.questions}


def test_what_is_open_has_all_that_a_person_needs_to_see_oldest_first() -> None:
    started = RunStarted(agent="assistant", model="rehearsal", limits=Limits())
    bodies = (started, approval("b"), approval("a"), question("q"))
    rendered = render(journal(*((body, 1, 1) for body in bodies)))
    assert [*rendered.approvals] == ["b", "a"]
    assert rendered.approvals["b"] == opened["b"]
    assert rendered.questions == {"q": asked["q"]}


def waits(*bodies: EventBody) -> Waits:
    return fold(Waits(), journal(*((body, 1, 1) for body in (STARTED, *bodies))))


def test_what_is_waited_for_is_told_the_pause_first_in_the_words_of_the_run() -> None:
    long = InputRequested(request_id="p", question="which\n one? " * 40)
    told = Waiting(kind="approval", id="a", what="write_file(path=a)")
    resume = Waiting(kind="resume")
    unasked = Waiting(kind="approval", id="b", what="not asked yet")
    found = waits(
        approval("a"), long, RunWaiting(waiting_for=(resume, told, unasked)), RunPaused()
    ).waiting_for
    assert [(it.kind, it.id) for it in found] == [
        ("resume", None),
        ("approval", "a"),
        ("input", "p"),
    ]
    assert (found[0].what, found[1].what) == ("the run is paused", "write_file(path=a)")
    assert found[2].what.startswith("which one? which one?")
    assert len(found[2].what) == 200
    assert waits(approval("a")).waiting_for[0].what == "approve `write_file`"


def test_what_the_run_says_it_waits_for_opens_nothing_that_was_closed() -> None:
    denied = ApprovalResolved(approval_id="a", decision="deny", at=NOW)
    late = RunWaiting(waiting_for=(Waiting(kind="approval", id="a"),))
    found = waits(approval("a"), denied, late)
    assert (found.status, found.waiting_for) == (RunStatus.RUNNING, ())


def test_a_run_is_queued_before_its_first_event() -> None:
    assert Waits().status is RunStatus.QUEUED


def test_after_a_reset_nothing_is_open_until_the_run_says_so_again() -> None:
    found = waits(approval("a"), question("p"), RunPaused(), RunRewound(to_seq=4, epoch=1))
    assert (found.status, found.waiting_for) == (RunStatus.RUNNING, ())
    ended = waits(RunCompleted(output=""), RunRewound(to_seq=1, epoch=1), approval("a"))
    assert ended.status is RunStatus.WAITING
