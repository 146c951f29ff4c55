"""A run in one row, as its facts tell."""

from __future__ import annotations

import pytest
from pydantic import JsonValue

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
    RunPaused,
    RunQueued,
    RunRewound,
    RunStarted,
    RunTerminated,
    RunTimedOut,
    StepStarted,
    UserMessageEvent,
)
from relayline.contracts.events.run import TITLE_CHARS, title_of
from relayline.contracts.messages import ToolCall, Usage
from relayline.contracts.runs import (
    Limits,
    Phase,
    RunError,
    RunStatus,
    Waiting,
)
from relayline.projections.row import RunRow, dump_row, row_of
from relayline.projections.waits import OpenItem
from tests.projections.generated import NOW, Place, enveloped, journal

USAGE = Usage(input_tokens=3, output_tokens=4)
ANSWER = MessageCompleted(text="t", finish_reason="stop", usage=USAGE)
ERROR = RunError(type="model-refused", message="no")


def begun(epoch: int = 0) -> RunStarted:
    return RunStarted(agent="a", model="m", limits=Limits(), epoch=epoch, metadata={"k": "v"})


def of(*places: Place) -> RunRow:
    return row_of(journal(*places))


def test_a_run_without_facts_is_queued() -> None:
    assert row_of([]) == RunRow()
    assert (RunRow().status, RunRow().epoch, RunRow().step) == ("queued", 0, 0)


def test_epoch_step_and_usage_are_those_of_the_facts() -> None:
    told = of(
        (begun(), None, None),
        (StepStarted(model="m"), 1, None),
        (MessageDelta(text="t"), 1, None),
        (ANSWER, 1, None),
        (MessageInterrupted(text="t", usage=USAGE), 2, None),
        (begun(1), None, None),
        (StepStarted(model="m"), 3, None),
    )
    assert (told.epoch, told.step, told.usage) == (1, 3, USAGE), (
        "interrupted answers are counted with the next"
    )
    assert (told.agent, told.model, told.limits) == ("a", "m", Limits())
    assert (told.metadata, told.status) == ({"k": "v"}, RunStatus.RUNNING)


def test_a_late_fact_of_an_earlier_step_does_not_lead_back() -> None:
    assert of((StepStarted(model="m"), 2, None), (ANSWER, 1, None)).step == 2


def test_a_run_was_created_when_it_was_submitted_or_else_when_it_began() -> None:
    submitted = begun().model_copy(update={"submitted_at": NOW})
    assert of((submitted, None, None)).created_at == NOW
    events = journal((begun(), None, None))
    assert row_of(events).created_at == moment(1) == row_of(enveloped(events)).created_at


@pytest.mark.parametrize(
    ("end", "status", "error"),
    [
        (RunCompleted(output="out", usage=USAGE), RunStatus.COMPLETED, None),
        (RunFailed(error=ERROR, usage=USAGE), RunStatus.FAILED, ERROR),
        (RunCancelled(usage=USAGE), RunStatus.CANCELLED, None),
        (RunTerminated(usage=USAGE), RunStatus.TERMINATED, None),
        (RunTimedOut(usage=USAGE), RunStatus.TIMED_OUT, None),
    ],
)
def test_an_ended_run_is_as_its_terminal_fact_says(
    end: EventBody, status: RunStatus, error: RunError | None
) -> None:
    asked = ApprovalRequested(approval_id="x", call_id="c", tool="look")
    told = of((begun(), None, None), (ANSWER, 1, None), (asked, 1, None), (end, 2, None))
    assert (told.status, told.phase, told.error) == (status, Phase.ENDED, error)
    assert (told.usage, told.step, told.ended_at) == (USAGE, 2, moment(4))
    assert told.waiting_for == ()


def test_what_is_waited_for_is_told() -> None:
    asked = ApprovalRequested(approval_id="x", call_id="c", tool="look")
    told = of((begun(), None, None), (asked, 1, None))
    assert told.status is RunStatus.WAITING
    waiting = Waiting(kind="approval", id="x", what="approve `look`")
    assert told.waiting_for == (waiting,)
    assert told.open_items == (OpenItem(waiting, moment(2), None, "look"),)


def test_a_pause_waits_since_it_began_and_requests_are_kept_without_their_contents() -> None:
    arguments: dict[str, JsonValue] = {"text": "x" * 1000}
    asked = ApprovalRequested(
        approval_id="x", call_id="c", tool="look", arguments=arguments, expires_at=NOW
    )
    told = of((begun(), None, None), (asked, 1, None), (RunPaused(), 1, None))
    assert [(it.waiting.kind, it.since, it.expires_at) for it in told.open_items] == [
        ("resume", moment(3), None),
        ("approval", moment(2), NOW),
    ]
    assert "x" * 1000 not in dump_row(told)
    again = of((begun(), None, None), (RunPaused(), 1, None), (RunPaused(), 1, None))
    assert again.open_items[0].since == moment(2)


def test_the_phase_follows_the_answers_of_the_model() -> None:
    calls = ANSWER.model_copy(update={"tool_calls": (ToolCall(call_id="c", name="look"),) * 2})
    events = journal(
        (begun(), None, None),
        (StepStarted(model="m"), 1, None),
        (calls, 1, None),
        (StepStarted(model="m"), 2, None),
        (ANSWER, 2, None),
    )
    phases = [row_of(events[:count]).phase for count in range(len(events) + 1)]
    assert phases == ["starting", "starting", "model", "tools", "model", "model"]
    assert row_of(events).tool_calls == 2


def test_what_was_submitted_stands_whatever_comes_later_and_after_each_reset() -> None:
    given = RunQueued(
        agent="b", model="n", title="Do it", metadata={"k": "x"}, submitted_at=NOW, tenant="t"
    )
    orders: list[list[EventBody]] = [[given, begun()], [begun(), given]]
    for places in orders:
        events: list[Place] = [(body, None, None) for body in places]
        rewound: Place = (RunRewound(to_seq=0, epoch=1), None, None)
        for told in (of(*events), of(*events, rewound), of(*events, rewound, (begun(1), 1, 1))):
            assert (told.agent, told.model, told.title) == ("b", "n", "Do it")
            assert (told.tenant, told.metadata, told.created_at) == ("t", {"k": "x"}, NOW)


def test_a_run_of_an_older_version_takes_its_title_from_the_input() -> None:
    first: Place = (UserMessageEvent(text="  Fix \n the bug " + "x" * 500), None, None)
    told = of((begun(), None, None), first, (UserMessageEvent(text="later"), None, None))
    assert told.title == title_of("Fix the bug " + "x" * 500)
    assert len(told.title) == TITLE_CHARS
    assert told.tenant == "default"
    of_tenant = begun().model_copy(update={"metadata": {"tenant": "t"}})
    assert of((of_tenant, None, None)).tenant == "t"


def test_a_run_is_told_as_queued_before_a_worker_has_it() -> None:
    told = of((RunQueued(agent="b", model="n", title="t", submitted_at=NOW), None, None))
    assert (told.status, told.phase, told.limits) == ("queued", "starting", None)


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
    assert (told.error, told.ended_at, told.agent) == (None, None, "a")
    anew = of(*before, (RunRewound(to_seq=0, epoch=1), None, None))
    assert (anew.status, anew.epoch, anew.step, anew.agent) == ("running", 1, 0, None)
