"""The terminal fact of a run that Temporal closed without the workflow's word."""

from __future__ import annotations

import pytest

from relayline.contracts.events import (
    EventBody,
    RunCancelled,
    RunCompleted,
    RunFailed,
    RunTerminated,
    RunTimedOut,
)
from relayline.contracts.keys import ended_key
from relayline.contracts.messages import Usage
from relayline.contracts.runs import RunError, RunStatus
from relayline.projections.row import RunRow
from relayline.projections.terminal import Closing, terminal_fact
from relayline.workflows.facts import Facts

USAGE = Usage(input_tokens=3, output_tokens=4)


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
    fact = terminal_fact(closing, RunRow(epoch=1, step=2, usage=USAGE))
    assert (fact.key, fact.step, fact.body) == ("1/run/ended", 2, body)


def test_the_key_is_the_one_that_the_workflow_would_have_used() -> None:
    assert Facts(3).end(1, RunCompleted()).key == ended_key(3)


def test_a_run_without_facts_ends_in_its_first_epoch_and_in_no_step() -> None:
    fact = terminal_fact(Closing(RunStatus.FAILED, "no"), RunRow())
    assert (fact.key, fact.step) == ("0/run/ended", None)
    assert fact.body == RunFailed(error=RunError(type="workflow-failed", message="no"))


def test_a_reason_without_end_is_cut() -> None:
    fact = terminal_fact(Closing(RunStatus.TERMINATED, "x" * 100_000), RunRow())
    assert isinstance(fact.body, RunTerminated)
    assert len(fact.body.reason) == 2000
