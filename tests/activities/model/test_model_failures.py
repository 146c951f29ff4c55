"""What a model call does when the provider, the journal or the worker fails."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from relayline.activities.model.call import ModelActivities
from relayline.activities.model.classified import MAX_FAILURES
from relayline.activities.model.port import BadScript, ProviderError, TextPart, UnknownModel
from relayline.activities.model.providers.factory import ProviderConfig, provider_for
from relayline.contracts.envelope import NewEvent, Outbox
from relayline.contracts.errors import ErrorType
from relayline.contracts.events import AttemptFailed, MessageInterrupted, RunCancelled
from relayline.journal.port import Fence, Journal, JournalUnavailable
from tests.activities.model.model_calls import (
    SHUTDOWN,
    USER_ASKED,
    Canned,
    GatedJournal,
    Run,
    finished,
    half,
    script,
)

BUSY = ProviderError("too many requests", retryable=True, status=429, retry_after_s=7)


async def failure(run: Run, provider: object, attempt: int = 1) -> ApplicationError:
    with pytest.raises(ApplicationError) as caught:
        await run.call(provider, attempt=attempt)  # type: ignore[arg-type]
    return caught.value


async def test_failure_that_a_retry_may_help_is_journaled_and_tried_again(journal: Journal) -> None:
    run = Run(journal)
    error = await failure(run, Canned(TextPart("so f"), error=BUSY))
    assert (error.type, error.non_retryable) == (ErrorType.MODEL_UNAVAILABLE, False)
    assert error.next_retry_delay == timedelta(seconds=7)
    assert (await run.types())[-2:] == ["message.delta", "attempt.failed"]
    event = (await run.events())[-1]
    body = event.body()
    assert isinstance(body, AttemptFailed)
    assert (body.error.message, body.error.step, body.retry_in_s) == ("too many requests", 1, 7)
    assert (event.key, event.step, event.attempt) == ("0/step/1/failure/1", 1, 1)


async def test_a_provider_that_says_nothing_of_it_is_given_longer_each_time(
    journal: Journal,
) -> None:
    run = Run(journal)
    down = ProviderError("down", retryable=True)
    errors = [await failure(run, Canned(error=down), attempt) for attempt in (1, 12, 13)]
    waits = [error.next_retry_delay for error in errors]
    assert waits == [timedelta(seconds=wait) for wait in (0.25, 0.5, 1)]
    bodies = await run.bodies("attempt.failed")
    told = [body.retry_in_s for body in bodies if isinstance(body, AttemptFailed)]
    assert told == [0.25, 0.5, 1]


async def test_eight_failures_of_the_provider_are_final_and_only_its_own_count(
    journal: Journal,
) -> None:
    run = Run(journal)
    for attempt in range(1, MAX_FAILURES):
        env, task = run.start(half(), attempt=attempt * 2 - 1)
        await run.until("step.started")
        env.cancel(SHUTDOWN)
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not (await failure(run, Canned(error=BUSY), attempt * 2)).non_retryable
    last = await failure(run, Canned(error=BUSY), 100)
    assert (last.type, last.non_retryable) == (ErrorType.MODEL_UNAVAILABLE, True)
    assert f"{MAX_FAILURES} times" in last.message
    assert len(await run.bodies("attempt.failed")) == MAX_FAILURES - 1


async def test_failures_of_another_step_do_not_count(journal: Journal) -> None:
    run = Run(journal)
    for attempt in range(1, MAX_FAILURES):
        await failure(run, Canned(error=BUSY), attempt)
    with pytest.raises(ApplicationError) as caught:
        await run.call(Canned(error=BUSY), step=2)
    assert not caught.value.non_retryable


async def test_a_journal_without_the_step_before_is_no_ground_for_an_answer(
    journal: Journal,
) -> None:
    run, provider = Run(journal), Canned(error=BUSY)
    request = run.request(step=3).model_copy(update={"outbox": Outbox()})
    activities = ModelActivities(journal, lambda _: provider)
    with pytest.raises(ApplicationError, match="no message of step 2") as caught:
        await ActivityEnvironment().run(activities.call_model, request)
    assert (caught.value.type, caught.value.non_retryable) == (ErrorType.JOURNAL_INCOMPLETE, True)
    assert provider.prompts == []


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ProviderError("no such key", retryable=False, status=401), ErrorType.MODEL_REFUSED),
        (UnknownModel("set OPENAI_API_KEY"), ErrorType.UNKNOWN_MODEL),
        (BadScript("item 3, field `say`"), ErrorType.BAD_SCRIPT),
    ],
)
async def test_failure_that_a_retry_cannot_help_is_final_at_once(
    journal: Journal, error: Exception, kind: ErrorType
) -> None:
    run = Run(journal)
    raised = await failure(run, Canned(error=error))
    assert (raised.type, raised.non_retryable, raised.message) == (kind, True, str(error))
    assert "attempt.failed" not in await run.types()


async def test_model_without_a_provider_is_final(journal: Journal) -> None:
    error = await failure(Run(journal, model="gpt-9"), provider_for(ProviderConfig()))
    assert (error.type, error.non_retryable) == (ErrorType.UNKNOWN_MODEL, True)
    assert "gpt-9" in error.message


async def test_unforeseen_error_is_counted_and_its_text_is_kept_back(journal: Journal) -> None:
    run = Run(journal)
    error = await failure(run, Canned(error=ZeroDivisionError("key sk-123 in here")))
    assert (error.type, error.non_retryable) == (ErrorType.MODEL_UNAVAILABLE, False)
    assert "sk-123" not in str(error)
    assert error.__cause__ is None
    assert len(await run.bodies("attempt.failed")) == 1


async def test_long_message_is_cut(journal: Journal) -> None:
    error = await failure(Run(journal), Canned(error=ProviderError("x" * 5000, retryable=False)))
    assert len(error.message) == 1000


async def test_other_failures_do_not_make_an_empty_answer_final(journal: Journal) -> None:
    run = Run(journal)
    for attempt in (1, 2):
        await failure(run, Canned(error=BUSY), attempt)
    assert not (await failure(run, finished(), 3)).non_retryable
    assert (await run.call(finished(TextPart("at last")), attempt=4)).preview == "at last"


async def test_cancelled_by_the_run_the_text_so_far_is_kept(journal: Journal) -> None:
    run = Run(journal)
    provider = half()
    env, task = run.start(provider)
    await run.until("message.delta")
    env.cancel(USER_ASKED)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert provider.closed.is_set()
    last = (await run.events())[-1]
    assert (last.key, last.attempt) == ("0/step/1/message", 1)
    assert last.body() == MessageInterrupted(text="half an ans")
    result = await run.call(finished(TextPart("again")), attempt=2)
    assert (result.interrupted, result.preview) == (True, "half an ans")


async def test_cancelled_rehearsal_stops_within_a_moment(journal: Journal) -> None:
    run = Run(journal, script({"tokens": 1000, "every_ms": 10}))
    env, task = run.start(provider_for(ProviderConfig()))
    await run.until("message.delta")
    begin = asyncio.get_running_loop().time()
    env.cancel(USER_ASKED)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert asyncio.get_running_loop().time() - begin < 0.3
    events = await run.events()
    streamed = "".join(it.body().text for it in events if it.type == "message.delta")  # type: ignore[union-attr]
    [body] = await run.bodies("message.interrupted")
    assert body == MessageInterrupted(text=streamed)


async def test_stopped_for_any_other_reason_nothing_is_said(journal: Journal) -> None:
    run = Run(journal)
    provider = half()
    env, task = run.start(provider)
    await run.until("message.delta")
    env.cancel(SHUTDOWN)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert provider.closed.is_set()
    assert (await run.types())[-1] == "message.delta"


async def test_cancelled_while_the_answer_is_being_written_it_is_still_an_answer(
    journal: Journal,
) -> None:
    gated = GatedJournal(journal)
    reached = asyncio.Event()

    def shut(events: Sequence[NewEvent]) -> None:
        if any(event.body.type == "message.completed" for event in events):
            gated.open.clear()
            reached.set()

    gated.before_append = shut
    run = Run(gated)
    env, task = run.start(finished(TextPart("whole")))
    await reached.wait()
    env.cancel(USER_ASKED)
    await asyncio.sleep(0.02)
    gated.open.set()
    assert (await task).preview == "whole"
    assert "message.interrupted" not in await run.types()


async def test_later_attempt_stops_this_one_although_the_provider_is_silent(
    journal: Journal,
) -> None:
    gated = GatedJournal(journal)
    gated.before_append = lambda events: (
        gated.open.clear() if events and events[0].body.type == "message.delta" else None
    )
    run = Run(gated)
    provider = half()
    _, task = run.start(provider)
    while len(gated.appends) < 2:
        await asyncio.sleep(0.005)
    await journal.append(run.id, [], Fence("0/step/1", 2))
    gated.open.set()
    with pytest.raises(ApplicationError) as caught:
        await asyncio.wait_for(task, 1)
    assert (caught.value.type, caught.value.non_retryable) == (ErrorType.STALE_ATTEMPT, True)
    assert provider.closed.is_set()


async def test_nothing_is_asked_of_the_model_after_the_run_has_ended(journal: Journal) -> None:
    run = Run(journal)
    await journal.append(run.id, [NewEvent(key="end", body=RunCancelled())])
    provider = finished(TextPart("late"))
    assert (await failure(run, provider)).type == ErrorType.RUN_ENDED
    assert not provider.prompts


async def test_journal_that_is_away_is_waited_for_and_counts_as_no_failure(
    journal: Journal,
) -> None:
    gated = GatedJournal(journal)
    run = Run(gated)

    def away(events: Sequence[NewEvent]) -> None:
        if events and events[0].body.type == "message.delta":
            raise JournalUnavailable("the disk is full")

    gated.before_append = away
    provider = half()
    error = await failure(run, provider)
    assert (error.type, error.non_retryable) == (ErrorType.JOURNAL_UNAVAILABLE, False)
    assert provider.closed.is_set()
    assert await run.types() == ["message.user", "step.started"]


async def test_cancel_is_honoured_although_the_journal_is_away(journal: Journal) -> None:
    gated = GatedJournal(journal)
    run = Run(gated)
    env, task = run.start(half())
    await run.until("message.delta")

    def away(events: Sequence[NewEvent]) -> None:
        raise JournalUnavailable("the disk is full")

    gated.before_append = away
    env.cancel(USER_ASKED)
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_activity_heartbeats_while_the_model_is_silent(journal: Journal) -> None:
    run = Run(journal)
    env, task = run.start(half())
    beats: list[object] = []
    env.on_heartbeat = lambda *details: beats.append(details)
    async with asyncio.timeout(10):
        while len(beats) < 2:
            await asyncio.sleep(0.01)
    env.cancel(SHUTDOWN)
    with pytest.raises(asyncio.CancelledError):
        await task
