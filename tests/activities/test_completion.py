"""The workflow's facts get their content from the journal, where it stands."""

from __future__ import annotations

import asyncio
import hashlib
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from relayline.activities.completion import joined
from relayline.activities.record import RecordActivities
from relayline.contracts.calls import (
    PREVIEW_CHARS,
    RecordRequest,
    arguments_sha256,
    preview,
    whole,
)
from relayline.contracts.envelope import NewEvent, Outbox
from relayline.contracts.events import (
    ApprovalRequested,
    ApprovalResolved,
    EventBody,
    InputRequested,
    MessageCompleted,
    MessageDelta,
    MessageInterrupted,
    ReasoningDelta,
    RunCompleted,
    StepStarted,
)
from relayline.contracts.keys import message_key, requested_key, resolved_key, started_key
from relayline.contracts.messages import ToolCall, Usage
from relayline.journal.port import Journal
from relayline.journal.table import EVERY
from relayline.projections.rendered import render
from tests.activities.model.model_calls import SHUTDOWN, USER_ASKED, Run, half
from tests.projections.generated import journal as stored_in
from tests.projections.test_rendered import Step, runs

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ARGUMENTS: dict[str, JsonValue] = {"question": "Grün?", "b": [1, None], "a": {"y": 1, "x": "é"}}


async def record(run: Run, *facts: NewEvent) -> None:
    request = RecordRequest(run_id=run.id, epoch=0, outbox=Outbox(facts=facts))
    await ActivityEnvironment().run(RecordActivities(run.journal).record_facts, request)


async def test_a_fact_that_no_journal_can_hold_is_not_tried_again(journal: Journal) -> None:
    run = Run(journal)
    with pytest.raises(ApplicationError, match="NUL") as caught:
        await record(run, NewEvent(key="a\0b", body=StepStarted(model="m")))
    assert (caught.value.type, caught.value.non_retryable) == ("unstorable", True)


async def written(run: Run, fact: NewEvent) -> EventBody:
    """The fact as the journal has it."""
    await record(run, fact)
    stored = await run.journal.get(EVERY, run.id, fact.key or "")
    assert stored
    return stored.body()


async def answered(journal: Journal, *, text: str = "") -> Run:
    run = Run(journal)
    call = ToolCall(call_id="call_1_0", name="look", arguments=ARGUMENTS)
    body = MessageCompleted(text=text, tool_calls=(call,), finish_reason="tool_calls")
    await journal.append(run.id, [NewEvent(key=message_key(0, 1), body=body, step=1)])
    return run


async def test_the_output_of_a_run_is_the_text_of_its_last_message(journal: Journal) -> None:
    run = await answered(journal, text="the whole answer")
    usage = Usage(output_tokens=3)
    fact = NewEvent(key="0/run/ended", body=RunCompleted(usage=usage), step=1)
    assert await written(run, fact) == RunCompleted(output="the whole answer", usage=usage)


async def test_an_output_that_the_run_knows_whole_is_not_read_again(journal: Journal) -> None:
    run = Run(journal)
    body = RunCompleted(output=whole(preview("the whole answer")))
    fact = NewEvent(key="0/run/ended", body=body, step=1)
    assert await written(run, fact) == RunCompleted(output="the whole answer")


@pytest.mark.parametrize("chars", [PREVIEW_CHARS - 1, PREVIEW_CHARS, PREVIEW_CHARS + 1])
def test_only_a_preview_that_can_not_be_cut_counts_as_whole(chars: int) -> None:
    text = "x" * chars
    assert whole(preview(text)) == (text if chars < PREVIEW_CHARS else "")


async def test_a_run_that_ended_before_its_first_step_has_no_output(journal: Journal) -> None:
    run = Run(journal)
    assert await written(run, NewEvent(key="0/run/ended", body=RunCompleted())) == RunCompleted()
    other = Run(journal)
    fact = NewEvent(key="0/run/ended", body=RunCompleted(), step=1)
    assert await written(other, fact) == RunCompleted()


async def test_an_approval_shows_the_models_arguments_and_their_digest(journal: Journal) -> None:
    run = await answered(journal)
    asked = ApprovalRequested(approval_id="approval_1_0", call_id="call_1_0", tool="look")
    fact = NewEvent(key=requested_key("approval_1_0"), body=asked, step=1)
    body = await written(run, fact)
    assert isinstance(body, ApprovalRequested)
    assert body.arguments == ARGUMENTS
    text = '{"a":{"x":"é","y":1},"b":[1,null],"question":"Grün?"}'
    assert body.arguments_sha256 == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize("together", [False, True])
async def test_a_verdict_has_the_digest_of_what_was_approved(
    journal: Journal, *, together: bool
) -> None:
    run = await answered(journal)
    asked = ApprovalRequested(approval_id="approval_1_0", call_id="call_1_0", tool="look")
    requested = NewEvent(key=requested_key("approval_1_0"), body=asked, step=1)
    if not together:
        await record(run, requested)
    verdict = ApprovalResolved(approval_id="approval_1_0", decision="approve", by="ann", at=NOW)
    resolved = NewEvent(key=resolved_key("approval_1_0"), body=verdict)
    await record(run, *([requested] if together else []), resolved)
    stored = await run.journal.get(EVERY, run.id, resolved_key("approval_1_0"))
    assert stored
    body = stored.body()
    assert isinstance(body, ApprovalResolved)
    assert body == verdict.model_copy(update={"arguments_sha256": arguments_sha256(ARGUMENTS)})


async def test_other_arguments_than_the_models_have_their_own_digest(journal: Journal) -> None:
    run = await answered(journal)
    other: dict[str, JsonValue] = {"b": 2}
    verdict = ApprovalResolved(approval_id="a", decision="approve", at=NOW, arguments=other)
    body = await written(run, NewEvent(key=resolved_key("a"), body=verdict))
    assert isinstance(body, ApprovalResolved)
    assert body.arguments_sha256 == arguments_sha256(other) != arguments_sha256(ARGUMENTS)
    for decision in ("deny", "expired", "withdrawn"):
        verdict = ApprovalResolved(approval_id=decision, decision=decision, at=NOW)
        assert await written(run, NewEvent(key=resolved_key(decision), body=verdict)) == verdict


async def test_an_approval_with_arguments_of_its_own_stays_as_it_is(journal: Journal) -> None:
    run = await answered(journal)
    asked = ApprovalRequested(
        approval_id="approval_budget_1",
        call_id="approval_budget_1",
        tool="raise_limit",
        arguments={"raise_to": 5},
        arguments_sha256="0" * 64,
    )
    assert (
        await written(run, NewEvent(key="request/approval_budget_1", body=asked, step=1)) == asked
    )


async def test_a_question_shows_the_models_words_and_keeps_those_of_the_run(
    journal: Journal,
) -> None:
    run = await answered(journal)
    asked = InputRequested(
        request_id="input_1_0", schema={"enum": ["a"]}, call_id="call_1_0", tool="ask_user"
    )
    body = await written(run, NewEvent(key="request/input_1_0", body=asked, step=1))
    assert body == asked.model_copy(update={"question": "Grün?"})
    own = asked.model_copy(update={"request_id": "outcome_1_0_1", "question": "unknown"})
    assert await written(run, NewEvent(key="request/outcome_1_0_1", body=own, step=1)) == own


async def test_what_the_journal_does_not_know_stays_empty(journal: Journal) -> None:
    run = Run(journal)
    asked = InputRequested(request_id="input_1_0", call_id="call_1_0", tool="ask_user")
    assert await written(run, NewEvent(key="request/input_1_0", body=asked, step=1)) == asked


def interrupted(step: int = 1) -> NewEvent:
    return NewEvent(key=message_key(0, step), body=MessageInterrupted(text=""), step=step)


async def test_an_interrupted_message_has_what_its_newest_attempt_streamed(
    journal: Journal,
) -> None:
    run = Run(journal)
    for attempt, text in ((1, "first try"), (2, "second try")):
        env, task = run.start(half(text), attempt=attempt)
        while text not in [getattr(it, "text", "") for it in await run.bodies("message.delta")]:
            await asyncio.sleep(0.005)
        env.cancel(cancellation_details=SHUTDOWN)  # then the activity writes nothing more
        with pytest.raises(asyncio.CancelledError):
            await task
    assert "attempt.superseded" in await run.types()
    assert await written(run, interrupted()) == MessageInterrupted(text="second try")


async def test_a_message_that_stands_is_not_interrupted_any_more_and_its_calls_are_over(
    journal: Journal,
) -> None:
    run = await answered(journal, text="whole")
    body = await written(run, interrupted())
    assert isinstance(body, MessageCompleted)
    assert body.text == "whole"
    await record(run, interrupted())
    assert await run.types() == ["message.completed", "tool.cancelled"]


async def test_a_message_that_was_interrupted_by_its_activity_keeps_its_text(
    journal: Journal,
) -> None:
    run = Run(journal)
    env, task = run.start(half("so far"))
    await run.until("message.delta")
    env.cancel(cancellation_details=USER_ASKED)
    with pytest.raises(asyncio.CancelledError):
        await task
    before = await run.types()
    assert await written(run, interrupted()) == MessageInterrupted(text="so far")
    assert await run.types() == before


async def test_a_step_that_never_began_or_said_nothing_is_interrupted_with_no_text(
    journal: Journal,
) -> None:
    run = Run(journal)
    assert await written(run, interrupted()) == MessageInterrupted(text="")
    started = NewEvent(key=started_key(0, 2), body=StepStarted(model="m"), step=2)
    await record(run, started, interrupted(2))
    stored = await run.journal.get(EVERY, run.id, message_key(0, 2))
    assert stored
    assert stored.body() == MessageInterrupted(text="")


async def test_text_of_another_step_is_not_taken(journal: Journal) -> None:
    run = Run(journal)
    await run.journal.append(
        run.id,
        [
            NewEvent(body=MessageDelta(text="one"), step=1, attempt=1),
            NewEvent(key=started_key(0, 2), body=StepStarted(model="m"), step=2),
            NewEvent(body=MessageDelta(text="two"), step=2, attempt=1),
        ],
    )
    assert await written(run, interrupted(2)) == MessageInterrupted(text="two")


@given(runs, st.data())
def test_deltas_that_are_put_together_read_as_one_by_one(
    run: list[Step], data: st.DataObject
) -> None:
    events = stored_in(*(event for n, step in enumerate(run, 1) for event in step.events(n)))
    some = events[: data.draw(st.integers(0, len(events)))]
    whole, short = render(some), render(joined(some))
    assert [whole.text(n) for n in whole.steps] == [short.text(n) for n in whole.steps]


def test_however_many_deltas_an_attempt_has_streamed_they_are_put_together() -> None:
    deltas: list[tuple[EventBody, int, int]] = [
        (MessageDelta(text="é ") if number % 3 else ReasoningDelta(text="hm"), 1, 2)
        for number in range(3000)
    ]
    [one] = joined(stored_in(*deltas))
    assert one.seq == 3000
    assert render([one]).text(1) == "é " * 2000
