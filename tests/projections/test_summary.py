"""A run in one row, as its facts tell."""

from __future__ import annotations

import pytest

from relayline.contracts.envelope import moment
from relayline.contracts.events import (
    ApprovalRequested,
    EventBody,
    MessageCompleted,
    MessageDelta,
    MessageInterrupted,
    RunCancelled,
    RunCompleted,
    RunFailed,
    RunRewound,
    RunStarted,
    RunTerminated,
    RunTimedOut,
    StepStarted,
    ToolStarted,
)
from relayline.contracts.messages import Usage
from relayline.contracts.runs import Limits, RunError, RunStatus, Waiting
from relayline.projections.summary import Summary, summary
from tests.projections.generated import NOW, Place, enveloped, journal

USAGE = Usage(input_tokens=3, output_tokens=4)
ANSWER = MessageCompleted(text="t", finish_reason="stop", usage=USAGE)
ERROR = RunError(type="model-refused", message="no")


def begun(epoch: int = 0) -> RunStarted:
    return RunStarted(agent="a", model="m", limits=Limits(), epoch=epoch, metadata={"k": "v"})


def of(*places: Place) -> Summary:
    return summary(journal(*places))


def test_a_run_without_facts_is_queued() -> None:
    assert summary([]) == Summary()
    assert (Summary().status, Summary().epoch, Summary().step) == ("queued", 0, 0)


def test_epoch_step_and_usage_are_those_of_the_facts() -> None:
    told = of(
        (begun(), None, None),
        (StepStarted(model="m"), 1, None),
        (MessageDelta(text="t"), 1, None),
        (ANSWER, 1, None),
        (MessageInterrupted(text="t", usage=USAGE), 2, None),
        (begun(1), None, None),
        (ToolStarted(call_id="c", name="x"), 3, None),
    )
    assert (told.epoch, told.step, told.usage) == (1, 3, USAGE), (
        "interrupted answers are counted with the next"
    )
    assert (told.agent, told.model, told.limits) == ("a", "m", Limits())
    assert (told.metadata, told.status) == ({"k": "v"}, RunStatus.RUNNING)


def test_a_late_fact_of_an_earlier_step_does_not_lead_back() -> None:
    call = ToolStarted(call_id="c", name="x")
    assert of((StepStarted(model="m"), 2, None), (call, 1, None)).step == 2


def test_a_run_was_created_when_it_was_submitted_or_else_when_it_began() -> None:
    submitted = begun().model_copy(update={"submitted_at": NOW})
    assert of((submitted, None, None)).created_at == NOW
    events = journal((begun(), None, None))
    assert summary(events).created_at == moment(1) == summary(enveloped(events)).created_at


@pytest.mark.parametrize(
    ("end", "status", "output", "error"),
    [
        (RunCompleted(output="out", usage=USAGE), RunStatus.COMPLETED, "out", None),
        (RunFailed(error=ERROR, usage=USAGE), RunStatus.FAILED, None, ERROR),
        (RunCancelled(usage=USAGE), RunStatus.CANCELLED, None, None),
        (RunTerminated(usage=USAGE), RunStatus.TERMINATED, None, None),
        (RunTimedOut(usage=USAGE), RunStatus.TIMED_OUT, None, None),
    ],
)
def test_an_ended_run_is_as_its_terminal_fact_says(
    end: EventBody, status: RunStatus, output: str | None, error: RunError | None
) -> None:
    asked = ApprovalRequested(approval_id="x", call_id="c", tool="look")
    told = of((begun(), None, None), (ANSWER, 1, None), (asked, 1, None), (end, 2, None))
    assert (told.status, told.output, told.error) == (status, output, error)
    assert (told.usage, told.step, told.ended_at) == (USAGE, 2, moment(4))
    assert told.waiting_for == ()


def test_what_is_waited_for_is_told() -> None:
    asked = ApprovalRequested(approval_id="x", call_id="c", tool="look")
    told = of((begun(), None, None), (asked, 1, None))
    assert told.status is RunStatus.WAITING
    assert told.waiting_for == (Waiting(kind="approval", id="x", what="approve `look`"),)


def test_after_a_reset_the_run_is_open_again_as_it_was() -> None:
    ended = RunCompleted(output="t", usage=USAGE + USAGE)
    before: list[Place] = [
        (begun(), None, None),
        (ANSWER, 1, None),
        (ANSWER, 2, None),
        (ended, 2, None),
    ]
    told = of(*before, (RunRewound(to_seq=2, epoch=1), None, None))
    assert (told.status, told.epoch, told.step, told.usage) == ("running", 1, 1, USAGE)
    assert (told.output, told.ended_at, told.agent) == (None, None, "a")
    anew = of(*before, (RunRewound(to_seq=0, epoch=1), None, None))
    assert (anew.status, anew.epoch, anew.step, anew.agent) == ("running", 1, 0, None)
