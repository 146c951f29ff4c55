"""A model whose answers do not fit the output schema is asked again, but not without end."""

from __future__ import annotations

import pytest
from temporalio.client import Client, WorkflowFailureError
from temporalio.exceptions import ApplicationError

from relayline.contracts.calls import MAX_REJECTIONS, ModelRequest, ModelResult
from relayline.contracts.errors import ErrorType
from relayline.contracts.runs import Limits
from tests.workflows.fakes import STOP, Fakes


async def wrong(request: ModelRequest) -> ModelResult:
    """An answer that does not fit, for the `step`th time."""
    return ModelResult(finish_reason="stop", rejected="city: is missing", rejections=request.step)


async def right(_: ModelRequest) -> ModelResult:
    """An answer that fits."""
    return STOP


async def test_an_answer_that_does_not_fit_is_followed_by_another_step(temporal: Client) -> None:
    fakes = Fakes([wrong, wrong, right])
    async with fakes.running(temporal) as handle:
        result = await handle.result()
    assert (result.status, result.steps) == ("completed", 3)


async def test_the_third_that_does_not_fit_ends_the_run(temporal: Client) -> None:
    fakes = Fakes([wrong] * 9)
    async with fakes.running(temporal) as handle:
        with pytest.raises(WorkflowFailureError) as failed:
            await handle.result()
    assert isinstance(failed.value.cause, ApplicationError)
    assert failed.value.cause.type == ErrorType.OUTPUT_INVALID
    assert "3 answers did not fit the output schema" in failed.value.cause.message
    assert "city: is missing" in failed.value.cause.message
    assert fakes.count("step.started") == MAX_REJECTIONS


async def test_steps_that_are_asked_for_again_count_against_the_limit(temporal: Client) -> None:
    fakes = Fakes([wrong, right])
    async with fakes.running(temporal, limits=Limits(max_steps=1)) as handle:
        with pytest.raises(WorkflowFailureError) as failed:
            await handle.result()
    assert isinstance(failed.value.cause, ApplicationError)
    assert failed.value.cause.type == ErrorType.BUDGET_EXCEEDED
