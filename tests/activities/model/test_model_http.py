"""What a model call does with a provider that fails over real HTTP."""

from __future__ import annotations

from contextlib import aclosing
from datetime import timedelta

import pytest
from temporalio.exceptions import ApplicationError

from relayline.activities.model.providers.factory import ProviderConfig, Providers, provider_for
from relayline.contracts.errors import ErrorType
from relayline.contracts.events import AttemptFailed
from relayline.contracts.runs import RunError
from relayline.journal.port import Journal
from tests.activities.model.model_calls import Run
from tests.activities.model.providers.stand_in import StandIn, serving


async def failure(run: Run, providers: Providers, attempt: int = 1) -> ApplicationError:
    with pytest.raises(ApplicationError) as caught:
        await run.call(providers, attempt=attempt)
    return caught.value


async def test_provider_over_http_fails_and_recovers_without_showing_its_key(
    journal: Journal,
) -> None:
    async with serving() as stand_in:
        config = ProviderConfig(stand_in.url, "sk-not-for-anybodys-eyes")
        providers = provider_for(config)
        run = Run(journal, model="compatible:429")
        error = await failure(run, providers)
        assert error.next_retry_delay == timedelta(seconds=3)
        assert "[redacted]" in error.message
        run.agent = run.agent.model_copy(update={"model": "compatible:text"})
        result = await run.call(providers, attempt=2)
        assert result.preview == "Hello, you"
        shown = [event.data for event in await run.events()]
        assert not [data for data in shown if "anybodys-eyes" in data]
        await providers.aclose()


async def over_http(stand_in: StandIn, model: str, run: Run, attempt: int = 1) -> ApplicationError:
    """How an attempt fails that asks this model of the stand-in."""
    run.agent = run.agent.model_copy(update={"model": f"compatible:{model}"})
    async with aclosing(provider_for(ProviderConfig(stand_in.url, idle_s=0.4))) as providers:
        return await failure(run, providers, attempt)


@pytest.mark.parametrize(
    ("model", "streamed", "said"),
    [
        ("500", "", "status_code: 500"),
        ("dies", "half an ans", "compatible:dies"),
        ("falls-silent", "half an ans", "compatible:falls-silent said nothing for 0.4 s"),
        ("hangs", "", "compatible:hangs said nothing for 0.4 s"),
        ("empty", "", "compatible:empty gave an empty answer (stop)"),
    ],
)
async def test_trouble_over_http_is_journaled_and_the_next_attempt_starts_over(
    journal: Journal, model: str, streamed: str, said: str
) -> None:
    async with serving() as stand_in:
        run = Run(journal)
        error = await over_http(stand_in, model, run)
        assert not error.non_retryable
        assert said in error.message
        [failed] = await run.bodies("attempt.failed")
        assert isinstance(failed, AttemptFailed)
        assert failed.error == RunError(type=error.type or "", message=error.message, step=1)
        assert "".join(it.text for it in await run.bodies("message.delta")) == streamed  # type: ignore[union-attr]
        run.agent = run.agent.model_copy(update={"model": "compatible:text"})
        async with aclosing(provider_for(ProviderConfig(stand_in.url))) as providers:
            assert (await run.call(providers, attempt=2)).preview == "Hello, you"
    assert len(await run.bodies("attempt.superseded")) == bool(streamed)
    assert (await run.types())[-1] == "message.completed"


@pytest.mark.parametrize("model", ["401", "404", "filtered"])
async def test_refusal_over_http_is_final_at_once(journal: Journal, model: str) -> None:
    async with serving() as stand_in:
        run = Run(journal)
        error = await over_http(stand_in, model, run)
        assert (error.type, error.non_retryable) == (ErrorType.MODEL_REFUSED, True)
        assert len(stand_in.requests) == 1
    assert "attempt.failed" not in await run.types()


@pytest.mark.parametrize("model", ["empty", "blank", "thinks-only"])
async def test_third_empty_answer_is_final(journal: Journal, model: str) -> None:
    async with serving() as stand_in:
        run = Run(journal)
        errors = [await over_http(stand_in, model, run, attempt) for attempt in (1, 2, 3)]
    assert [error.non_retryable for error in errors] == [False, False, True]
    assert {error.type for error in errors} == {ErrorType.EMPTY_ANSWER}
    assert errors[-1].message.endswith("3 times")
    assert "message.completed" not in await run.types()
