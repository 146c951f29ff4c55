"""Calls of a step whose agent has models to fall back to."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from relayline.activities.model.call import ModelActivities
from relayline.activities.model.classified import MAX_SPARE_FAILURES
from relayline.activities.model.costs.pricing import Means
from relayline.activities.model.port import ModelProvider, ProviderError, TextPart
from relayline.activities.model.providers.scripted import RehearsalModel
from relayline.contracts.calls import ModelRequest, ModelResult
from relayline.contracts.envelope import NewEvent, Outbox
from relayline.contracts.errors import ErrorType
from relayline.contracts.events import AttemptSuperseded, MessageCompleted, ModelFallback
from relayline.contracts.keys import fallback_key, step_scope
from relayline.contracts.messages import Usage
from relayline.contracts.runs import ModelSettings
from relayline.journal.port import Journal
from relayline.projections.rendered import render
from tests.activities.model.model_calls import Canned, Run, finished, script

BUSY = ProviderError("busy", retryable=True, status=503)
SPARE = "rehearsal:spare"


class Spared(Run):
    """A run whose requests say what a workflow with fallbacks says."""

    tried = 0

    def request(self, step: int = 1) -> ModelRequest:
        request = super().request(step)
        if not self.tried:
            return request.model_copy(update={"spare": True})
        body = ModelFallback.model_validate({"from": "rehearsal", "to": SPARE, "reason": "busy"})
        key = fallback_key(0, step, self.tried)
        fact = NewEvent(key=key, body=body, step=step, attempt=self.tried)
        outbox = Outbox(facts=(*request.outbox.facts, fact), seals=(step_scope(0, step),))
        return request.model_copy(update={"model": SPARE, "tried": self.tried, "outbox": outbox})


async def failed(run: Run, error: Exception, *said: TextPart, attempt: int = 1) -> ApplicationError:
    with pytest.raises(ApplicationError) as caught:
        await run.call(Canned(*said, error=error), attempt=attempt)
    return caught.value


async def test_a_call_with_a_spare_gives_up_soon_and_tells_its_attempts(journal: Journal) -> None:
    run = Spared(journal)
    for attempt in range(1, MAX_SPARE_FAILURES):
        assert not (await failed(run, BUSY, attempt=attempt)).non_retryable
    last = await failed(run, BUSY, attempt=7)
    assert (last.type, last.non_retryable) == (ErrorType.MODEL_UNAVAILABLE, True)
    assert (*last.details,) == (7,)


async def test_a_call_with_a_spare_does_not_wait_for_long(journal: Journal) -> None:
    slow = ProviderError("busy", retryable=True, status=429, retry_after_s=60)
    last = await failed(Spared(journal), slow)
    assert last.non_retryable
    assert last.message == "busy; it asks to wait for 60 s"


async def test_what_the_first_model_streamed_is_void_and_attempts_count_on(
    journal: Journal,
) -> None:
    run = Spared(journal)
    await failed(run, BUSY, TextPart("half "), attempt=3)
    run.tried = 3
    result = await run.call(finished(TextPart("whole")))
    assert result.preview == "whole"
    [void] = await run.bodies("attempt.superseded")
    assert isinstance(void, AttemptSuperseded)
    assert (void.attempt, void.reason) == (3, ErrorType.MODEL_UNAVAILABLE)
    attempts = [it.attempt for it in await run.events() if it.type == "message.delta"]
    assert attempts == [3, 4]
    assert render(await run.events()).text(1) == "whole"


async def test_failures_of_the_first_model_do_not_count_against_the_next(journal: Journal) -> None:
    run = Spared(journal)
    for attempt in (1, 2):
        await failed(run, BUSY, attempt=attempt)
    run.tried = 2
    assert not (await failed(run, BUSY)).non_retryable
    assert not (await failed(run, BUSY, attempt=2)).non_retryable


async def test_a_late_attempt_of_the_first_model_can_write_no_more(journal: Journal) -> None:
    run = Spared(journal)
    await failed(run, BUSY)
    run.tried = 1
    await run.call(finished(TextPart("whole")))
    run.tried = 0
    late = Canned(TextPart("late"), error=BUSY)
    with pytest.raises(ApplicationError) as caught:
        await run.call(late, attempt=2)
    assert caught.value.type == ErrorType.STALE_ATTEMPT
    assert not late.prompts


async def test_a_message_that_a_late_attempt_has_left_is_not_paid_for_again(
    journal: Journal,
) -> None:
    run = Spared(journal)
    await run.call(finished(TextPart("in time")))
    run.tried, again = 1, finished(TextPart("again"))
    assert (await run.call(again)).preview == "in time"
    assert not again.prompts


async def test_the_model_that_answers_is_asked_and_billed(journal: Journal) -> None:
    asked: list[str] = []
    billed: list[tuple[str, str, Usage]] = []

    def providers(model: str) -> ModelProvider:
        asked.append(model)
        return finished(TextPart("hello"))

    run = Spared(journal)
    run.tried = 3
    means = Means(spending=lambda agent, model, usage: billed.append((agent, model, usage)))
    activities = ModelActivities(journal, providers, means=means)
    result = await ActivityEnvironment().run(activities.call_model, run.request())
    assert isinstance(result, ModelResult)
    assert asked == [SPARE]
    assert [(agent, model) for agent, model, _ in billed] == [("tester", SPARE)]


async def test_a_call_that_takes_too_long_is_unavailable_and_tried_again(journal: Journal) -> None:
    run = Run(journal)
    run.agent = run.agent.model_copy(update={"settings": ModelSettings(timeout_s=0.2)})
    error = await failed_of(run, Canned(TextPart("half "), silent=True))
    assert (error.type, error.non_retryable) == (ErrorType.MODEL_UNAVAILABLE, False)
    assert error.message == "rehearsal took longer than 0.2 s (timeout_s)"


async def failed_of(run: Run, provider: ModelProvider) -> ApplicationError:
    with pytest.raises(ApplicationError) as caught:
        await run.call(provider)
    return caught.value


@pytest.mark.parametrize(
    ("most", "text", "reason"), [(2, "one two ", "length"), (3, "one two three", "stop")]
)
async def test_the_rehearsal_says_no_more_than_it_may(
    journal: Journal, most: int, text: str, reason: str
) -> None:
    run = Run(journal, script({"say": "one two three"}))
    run.agent = run.agent.model_copy(update={"settings": ModelSettings(max_output_tokens=most)})
    await run.call(RehearsalModel())
    [body] = await run.bodies("message.completed")
    assert isinstance(body, MessageCompleted)
    assert (body.text, body.finish_reason, body.usage.output_tokens) == (text, reason, most)


async def test_the_rehearsal_fails_for_the_named_model_alone(journal: Journal) -> None:
    busy = {"fail": 503, "model": "rehearsal", "times": 1000}
    items: Sequence[object] = (busy, {"say": "hello"})
    run = Spared(journal, script(*items))
    with pytest.raises(ApplicationError, match="HTTP 503"):
        await run.call(RehearsalModel())
    run.tried = 1
    assert (await run.call(RehearsalModel())).preview == "hello"
