"""The terminal fact of a run that Temporal closed without the workflow's word."""

from __future__ import annotations

import pytest

from relayline.contracts.envelope import NewEvent, StoredEvent
from relayline.contracts.events import (
    EventBody,
    MessageCompleted,
    MessageDelta,
    RunCancelled,
    RunCompleted,
    RunFailed,
    RunStarted,
    RunTerminated,
    RunTimedOut,
    StepStarted,
)
from relayline.contracts.keys import ended_key
from relayline.contracts.messages import Usage
from relayline.contracts.runs import Limits, RunError, RunStatus
from relayline.projections.terminal import Closing, Reached, reached_by, terminal_fact
from relayline.workflows.facts import Facts

USAGE = Usage(input_tokens=3, output_tokens=4)


def stored(*bodies: tuple[int | None, EventBody]) -> list[StoredEvent]:
    facts = [
        NewEvent(body=body, step=step, key=str(place)) for place, (step, body) in enumerate(bodies)
    ]
    return [
        StoredEvent("run", place, 0, fact.body.type, fact.step, None, fact.key, fact.data_json())
        for place, fact in enumerate(facts, start=1)
    ]


def begun(epoch: int) -> RunStarted:
    return RunStarted(agent="a", model="m", limits=Limits(), epoch=epoch)


@pytest.mark.parametrize(
    ("closing", "body"),
    [
        (Closing(RunStatus.TERMINATED, "why"), RunTerminated(reason="why", usage=USAGE)),
        (Closing(RunStatus.TIMED_OUT), RunTimedOut(usage=USAGE)),
        (Closing(RunStatus.CANCELLED), RunCancelled(usage=USAGE)),
        (Closing(RunStatus.COMPLETED, "done"), RunCompleted(output="done", usage=USAGE)),
        (
            Closing(RunStatus.FAILED, "no", "model-refused"),
            RunFailed(error=RunError(type="model-refused", message="no", step=2), usage=USAGE),
        ),
        (
            Closing(RunStatus.FAILED, "no"),
            RunFailed(error=RunError(type="workflow-failed", message="no", step=2), usage=USAGE),
        ),
    ],
)
def test_the_fact_says_how_temporal_closed_the_run(closing: Closing, body: EventBody) -> None:
    fact = terminal_fact(closing, Reached(epoch=1, step=2, usage=USAGE))
    assert (fact.key, fact.step, fact.body) == ("1/run/ended", 2, body)


def test_the_key_is_the_one_that_the_workflow_would_have_used() -> None:
    assert Facts(3).end(1, RunCompleted()).key == ended_key(3)


def test_a_run_without_facts_is_in_its_first_epoch_and_in_no_step() -> None:
    assert reached_by([]) == Reached(epoch=0, step=None, usage=Usage())


def test_epoch_step_and_usage_are_those_of_the_facts() -> None:
    answer = MessageCompleted(text="t", finish_reason="stop", usage=USAGE)
    facts = stored(
        (None, begun(0)),
        (1, StepStarted(model="m")),
        (1, MessageDelta(text="t")),
        (1, answer),
        (2, answer),
        (None, begun(1)),
        (2, StepStarted(model="m")),
    )
    assert reached_by(facts) == Reached(epoch=1, step=2, usage=USAGE + USAGE)


def test_a_reason_without_end_is_cut() -> None:
    fact = terminal_fact(Closing(RunStatus.TERMINATED, "x" * 100_000), Reached())
    assert isinstance(fact.body, RunTerminated)
    assert len(fact.body.reason) == 2000
