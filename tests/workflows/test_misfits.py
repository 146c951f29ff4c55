"""A model that calls tools in a way that none can run is not asked without end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from temporalio.client import Client, WorkflowFailureError
from temporalio.exceptions import ApplicationError

from relayline.contracts.calls import (
    ModelRequest,
    ModelResult,
    PlannedCall,
    ToolOutcome,
    ToolRequest,
)
from relayline.contracts.errors import ErrorType
from relayline.contracts.runs import Limits
from relayline.workflows.state import MAX_MISFIT_STEPS, RunState, count_misfits
from tests.workflows.fakes import Fakes
from tests.workflows.wheel import NOW


def state() -> RunState:
    return RunState(started_at=NOW, limits=Limits(), step=7)


def test_the_fifth_step_in_a_row_without_a_usable_call_ends_the_run() -> None:
    run = state()
    for _ in range(MAX_MISFIT_STEPS - 1):
        run.misfits = 2
        assert count_misfits(run, 2) is None
    run.misfits = 1
    error = count_misfits(run, 1)
    assert error
    assert (error.type, error.step) == (ErrorType.MALFORMED_CALLS, 7)
    assert "last 5 steps" in error.message


def test_one_usable_call_starts_the_count_anew() -> None:
    run = state()
    run.misfit_steps = MAX_MISFIT_STEPS - 1
    run.misfits = 2
    assert count_misfits(run, 3) is None
    assert (run.misfit_steps, run.misfits) == (0, 0)


@given(st.lists(st.tuples(st.integers(1, 32), st.integers(0, 32)), max_size=20))
def test_a_run_ends_only_after_five_bad_steps_in_a_row(steps: list[tuple[int, int]]) -> None:
    run = state()
    bad: list[bool] = []
    for calls, misfits in steps:
        run.misfits = min(calls, misfits)
        bad.append(misfits >= calls)
        last = bad[-MAX_MISFIT_STEPS:]
        ended = count_misfits(run, calls) is not None
        assert ended == (len(last) == MAX_MISFIT_STEPS and all(last))


async def test_a_model_that_never_gets_a_call_right_is_stopped_after_five_steps(
    temporal: Client,
) -> None:
    async def asks(request: ModelRequest) -> ModelResult:
        call = PlannedCall(call_id=f"call_{request.step}_0", name="work")
        return ModelResult(finish_reason="tool_calls", calls=(call,))

    async def misfits(_: ToolRequest) -> ToolOutcome:
        raise ApplicationError("path: is missing", type=ErrorType.BAD_ARGUMENTS, non_retryable=True)

    fakes = Fakes([asks] * 9, misfits)
    async with fakes.running(temporal) as handle:
        with pytest.raises(WorkflowFailureError) as failed:
            await handle.result()
    assert isinstance(failed.value.cause, ApplicationError)
    assert failed.value.cause.type == ErrorType.MALFORMED_CALLS
    assert fakes.count("step.started") == MAX_MISFIT_STEPS
