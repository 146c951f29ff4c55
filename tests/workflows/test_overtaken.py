"""Calls that were under way when an operator reset the run: Temporal begins them once more."""

from __future__ import annotations

from temporalio.client import Client
from temporalio.exceptions import ApplicationError

from relayline.contracts.calls import ModelRequest, ModelResult, ToolOutcome, ToolRequest
from relayline.contracts.commands import Answer
from relayline.contracts.errors import ErrorType
from relayline.contracts.runs import RunStatus, ToolSpec
from tests.workflows.fakes import CALL, STOP, Fakes, send


def overtaken() -> ApplicationError:
    """What the fence says to the new attempt 1: the old one's attempt 2 has written."""
    return ApplicationError("late", type=ErrorType.STALE_ATTEMPT, non_retryable=True)


async def late_model(_: ModelRequest) -> ModelResult:
    raise overtaken()


async def late_once(request: ToolRequest) -> ToolOutcome:
    if request.run == 0:
        raise overtaken()
    return ToolOutcome(call_id=request.call.call_id)


async def test_an_answer_that_was_under_way_is_cut_and_the_run_goes_on(temporal: Client) -> None:
    fakes = Fakes([late_model, STOP])
    async with fakes.running(temporal) as handle:
        result = await handle.result()
    assert (result.status, result.steps) == (RunStatus.COMPLETED, 2)
    assert fakes.fact("message.interrupted").step == 1
    assert fakes.seals == {"0/step/1"}


async def test_a_safe_tool_that_was_under_way_runs_where_the_old_run_can_not_write(
    temporal: Client,
) -> None:
    fakes = Fakes([CALL, STOP], late_once)
    async with fakes.running(temporal) as handle:
        assert (await handle.result()).status is RunStatus.COMPLETED
    assert [request.run for request in fakes.requests] == [0, 1]
    assert fakes.seals == {"0/call/call_1_0"}
    assert "tool.failed" not in fakes.types


async def test_a_person_says_what_became_of_an_unsafe_tool_that_was_under_way(
    temporal: Client,
) -> None:
    fakes = Fakes([CALL, STOP], late_once)
    fakes.tools = (ToolSpec(name="work", effects="unsafe"),)
    async with fakes.running(temporal) as handle:
        await fakes.until("input.requested")
        assert len(fakes.requests) == 1
        await send(handle, Answer(command_id="a", request_id="outcome_1_0_1", text="run it"))
        assert (await handle.result()).status is RunStatus.COMPLETED
    assert [request.run for request in fakes.requests] == [0, 1]
