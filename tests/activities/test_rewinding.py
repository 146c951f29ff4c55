"""After a reset nobody writes any more who began before it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.port import TextPart
from activities.record import RecordActivities
from activities.rewinding import scopes
from contracts.closing import Closing, Reached, terminal_fact
from contracts.envelope import NewEvent
from contracts.errors import ErrorType
from contracts.events import EventBody, MessageCompleted, MessageDelta, StepStarted, ToolStarted
from contracts.messages import ToolCall
from contracts.runs import RunStatus
from contracts.steps import RewindRequest
from journal.port import Fence, Journal, StaleAttempt
from journal.reading import read_all
from tests.activities.model_calls import Run, finished, half

SAID = MessageCompleted(
    text="", tool_calls=(ToolCall(call_id="call_1_0", name="pay"),), finish_reason="tool_calls"
)
CLAIM = "0/call/call_1_0/run/1/claim"
EARLIER = {
    "0/step/1/started": StepStarted(model="rehearsal"),
    "0/step/1/message": SAID,
    CLAIM: ToolStarted(call_id="call_1_0", name="pay", arguments={}),
}


def facts() -> list[NewEvent]:
    return [NewEvent(key=key, body=body, step=1) for key, body in EARLIER.items()]


async def test_every_call_that_the_epoch_may_have_begun_is_shut_out(journal: Journal) -> None:
    run = f"run_{uuid4().hex}"
    await journal.append(run, facts())
    request = RewindRequest(run_id=run, known=("0/step/1/message",), key="rewound/x/1")
    activities = RecordActivities(journal)
    for _ in range(2):
        assert (await ActivityEnvironment().run(activities.rewind, request)).epoch == 1
    body: EventBody = MessageDelta(text="late")
    for scope in ("0/step/1", "0/call/call_1_0", "0/call/call_1_0/run/1"):
        with pytest.raises(StaleAttempt):
            await journal.append(run, [NewEvent(body=body, step=1, attempt=9)], Fence(scope, 9))
    await journal.append(run, [NewEvent(body=body, step=1, attempt=1)], Fence("1/step/1", 1))
    stored = await read_all(journal, run, facts=False)
    assert [event.type for event in stored[3:]] == ["run.rewound", "message.delta"]
    assert scopes(stored, 1) == ("1/call/call_1_0",)


async def test_a_call_that_was_under_way_is_told_so_before_the_model_is_asked(
    journal: Journal,
) -> None:
    run = Run(journal)
    _, task = run.start(half())
    await run.until("message.delta")
    again = finished(TextPart("anew"))
    with pytest.raises(ApplicationError) as caught:
        await run.call(again)
    assert caught.value.type == ErrorType.STALE_ATTEMPT
    assert not again.prompts
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_a_call_that_has_ended_is_answered_whatever_its_fence(journal: Journal) -> None:
    run = Run(journal)
    await run.call(finished(TextPart("whole")), attempt=2)
    again = finished(TextPart("anew"))
    assert (await run.call(again, attempt=1)).preview == "whole"
    assert not again.prompts


async def test_a_run_whose_events_were_swept_can_not_be_rewound_however_often_it_is_tried(
    journal: Journal,
) -> None:
    run = f"run_{uuid4().hex}"
    await journal.append(run, [*facts(), terminal_fact(Closing(RunStatus.TERMINATED), Reached())])
    assert await journal.sweep(datetime.now(UTC)) == 1
    request = RewindRequest(run_id=run, known=("0/step/1/message",), key="rewound/x/1")
    with pytest.raises(ApplicationError) as raised:
        await ActivityEnvironment().run(RecordActivities(journal).rewind, request)
    assert raised.value.type == ErrorType.JOURNAL_INCOMPLETE
    assert raised.value.non_retryable
    head = await journal.head(run)
    assert head is not None
    assert head.ended
