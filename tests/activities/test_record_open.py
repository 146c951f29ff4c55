"""The append of an activity whose attempts need no order, until a reset closes its call."""

from __future__ import annotations

import dataclasses
from typing import Literal
from uuid import uuid4

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from relayline.activities.attempt import Attempt
from relayline.activities.record import RecordActivities
from relayline.contracts.calls import RewindRequest
from relayline.contracts.envelope import NewEvent, Outbox
from relayline.contracts.errors import ErrorType
from relayline.contracts.events import ChildStarted, MessageCompleted, StepStarted
from relayline.contracts.keys import call_scope, child_started_key, step_scope
from relayline.contracts.messages import ToolCall
from relayline.journal.port import SEALED, Journal
from relayline.journal.terminal import read_all

CALL = "call_1_0"
SCOPE = call_scope(0, CALL)


def started(number: int) -> Outbox:
    body = ChildStarted(call_id=CALL, run_id=f"run_{number}", agent="helper")
    return Outbox(facts=(NewEvent(key=f"0/child/{number}", body=body, step=1),))


async def record(
    journal: Journal,
    run_id: str,
    outbox: Outbox,
    *,
    attempt: int = 1,
    how: Literal["open", "always"] = "open",
) -> None:
    """Append the outbox in an attempt with that number."""
    env = ActivityEnvironment()
    env.info = dataclasses.replace(env.info, attempt=attempt)

    async def work() -> None:
        its = Attempt(journal, run_id, 0, SCOPE)
        await (its.record_open(outbox) if how == "open" else its.record(outbox))

    await env.run(work)


async def keys(journal: Journal, run_id: str) -> list[str | None]:
    return [fact.key for fact in await read_all(journal, run_id, facts=True)]


async def test_attempts_append_in_any_order(journal: Journal) -> None:
    run = f"run_{uuid4().hex}"
    for number in (3, 1, 2, 3):  # of a local activity, Temporal counts from 1 in each task
        await record(journal, run, started(number), attempt=number)
    assert await keys(journal, run) == ["0/child/3", "0/child/1", "0/child/2"]


@pytest.mark.parametrize("attempt", [1, 7])
async def test_after_a_reset_has_closed_the_call_nothing_is_appended(
    journal: Journal, attempt: int
) -> None:
    run = f"run_{uuid4().hex}"
    calls = (ToolCall(call_id=CALL, name="ask_helper"),)
    asks = MessageCompleted(text="", tool_calls=calls, finish_reason="tool_calls")
    step = [
        NewEvent(key="0/step/1/started", body=StepStarted(model="m"), step=1),
        NewEvent(key="0/step/1/message", body=asks, step=1),
    ]
    await journal.append(run, step)
    request = RewindRequest(run_id=run, known=("0/step/1/started",), key="rewound/x/1")
    await ActivityEnvironment().run(RecordActivities(journal).rewind, request)
    before = await keys(journal, run)
    with pytest.raises(ApplicationError) as refused:
        await record(journal, run, started(1), attempt=attempt)
    assert (refused.value.type, refused.value.non_retryable) == (ErrorType.STALE_ATTEMPT, True)
    assert await keys(journal, run) == before
    await record(journal, run, started(1), how="always")  # what needs no open call is not refused
    assert await keys(journal, run) == [*before, "0/child/1"]


async def test_a_repetition_changes_nothing(journal: Journal) -> None:
    run = f"run_{uuid4().hex}"
    body = ChildStarted(call_id=CALL, run_id="run_2", agent="helper")
    outbox = Outbox(facts=(NewEvent(key=child_started_key(0, CALL), body=body, step=1),))
    for attempt in (1, 2):
        await record(journal, run, outbox, attempt=attempt)
    assert await keys(journal, run) == [child_started_key(0, CALL)]


async def test_the_scopes_of_the_outbox_are_closed_first(journal: Journal) -> None:
    run, closed = f"run_{uuid4().hex}", step_scope(0, 1)
    await record(journal, run, started(1).model_copy(update={"seals": (closed,)}))
    assert await journal.fenced(run, closed) == SEALED
    assert await journal.fenced(run, SCOPE) == 1
