"""After a reset nobody writes any more who began before it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from relayline.activities.model.port import ProviderError, TextPart
from relayline.activities.record import RecordActivities, scopes_of
from relayline.contracts.calls import RewindRequest
from relayline.contracts.envelope import NewEvent
from relayline.contracts.errors import ErrorType
from relayline.contracts.events import (
    EventBody,
    MessageCompleted,
    MessageDelta,
    RunQueued,
    StepStarted,
    ToolAsked,
    ToolStarted,
)
from relayline.contracts.messages import ToolCall
from relayline.contracts.runs import RunStatus
from relayline.journal.port import SEALED, Fence, Journal, StaleAttempt
from relayline.journal.table import EVERY
from relayline.journal.terminal import read_all
from relayline.projections.row import RunRow
from relayline.projections.terminal import Closing, terminal_fact
from relayline.projections.valid import counting
from tests.activities.model.model_calls import Canned, Run, finished, half

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
    assert scopes_of(stored, 1) == ("1/call/call_1_0",)


async def test_a_call_that_brings_answers_to_its_server_is_shut_out_too(journal: Journal) -> None:
    run = f"run_{uuid4().hex}"
    asked = ToolAsked(call_id="call_1_0", name="pay", questions=())
    keys = ("0/call/call_1_0/asked", "0/call/call_1_0/run/4/asked", "1/call/call_1_0/asked")
    await journal.append(run, [NewEvent(key=key, body=asked, step=1) for key in keys])
    stored = await read_all(journal, run, facts=True)
    assert scopes_of(stored, 0) == ("0/call/call_1_0/run/1", "0/call/call_1_0/run/5")


@pytest.mark.parametrize(
    ("seen", "provider", "says", "behind"),
    [
        (1, half(), "message.delta", [1]),
        (1, Canned(silent=True), "step.started", [1]),
        (3, half(), "message.delta", [1, 2, 3]),
        (3, Canned(silent=True), "step.started", [1, 2]),
    ],
)
async def test_where_attempts_are_counted_anew_the_first_new_number_asks_the_model(
    journal: Journal, seen: int, provider: Canned, says: str, behind: list[int]
) -> None:
    """The attempt before may be at work still; it can write no more once the new one begins."""
    run = Run(journal)
    for attempt in range(1, seen):
        with pytest.raises(ApplicationError):
            await run.call(Canned(error=ProviderError("down", retryable=True)), attempt=attempt)
    _, task = run.start(provider, attempt=seen)
    await run.until(says)
    while not provider.prompts:
        await asyncio.sleep(0.005)
    again = finished(TextPart("anew"))
    for attempt in behind:
        with pytest.raises(ApplicationError) as caught:
            await run.call(again, attempt=attempt)
        assert (caught.value.type, caught.value.non_retryable) == ("attempt-behind", False)
        assert not again.prompts
    assert (await run.call(again, attempt=seen + 1)).preview == "anew"
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_nobody_is_ahead_of_a_step_that_is_sealed(journal: Journal) -> None:
    run = Run(journal)
    await journal.append(run.id, [], Fence("0/step/1", SEALED))
    with pytest.raises(ApplicationError) as caught:
        await run.call(finished(TextPart("late")), attempt=7)
    assert (caught.value.type, caught.value.non_retryable) == (ErrorType.STALE_ATTEMPT, True)


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
    await journal.append(run, [*facts(), terminal_fact(Closing(RunStatus.TERMINATED), RunRow())])
    assert await journal.sweep(datetime.now(UTC)) == 1
    request = RewindRequest(run_id=run, known=("0/step/1/message",), key="rewound/x/1")
    with pytest.raises(ApplicationError) as raised:
        await ActivityEnvironment().run(RecordActivities(journal).rewind, request)
    assert raised.value.type == ErrorType.JOURNAL_INCOMPLETE
    assert raised.value.non_retryable
    head = await journal.head(EVERY, run)
    assert head is not None
    assert head.ended


@pytest.mark.parametrize("known", [(), ("run/queued",), ("lost",)])
async def test_no_reset_makes_what_was_submitted_void(
    journal: Journal, known: tuple[str, ...]
) -> None:
    run = f"run_{uuid4().hex}"
    submitted = RunQueued(agent="a", model="m", title="Do it", submitted_at=datetime.now(UTC))
    await journal.append(run, [NewEvent(body=submitted, key="run/queued"), *facts()])
    request = RewindRequest(run_id=run, known=known, key="rewound/x/1")
    await ActivityEnvironment().run(RecordActivities(journal).rewind, request)
    left = counting(await read_all(journal, run, facts=True))
    assert [fact.type for fact in left] == ["run.queued", "run.rewound"]
