"""Decisions of `AgentRun` that are hard to bring about from outside."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from temporalio import exceptions
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    RetryState,
    TimeoutType,
)

from relayline.contracts.calls import (
    ModelRequest,
    ModelResult,
    PlannedCall,
    ToolOutcome,
    ToolRequest,
)
from relayline.contracts.commands import Cancel, Pause, Redirect
from relayline.contracts.errors import ErrorType
from relayline.contracts.events import ApprovalResolved, CommandRefused, RunCancelled, ToolFailed
from relayline.contracts.runs import Limits, Phase, RunResult, RunStatus, ToolSpec
from relayline.workflows.agent_run import AgentRun
from relayline.workflows.dispatch import error_of
from tests.workflows.fakes import CALL, STOP, Fakes, Stubborn, hangs, send


async def failure(handle: WorkflowHandle[AgentRun, Any]) -> ApplicationError:
    """Why the workflow failed."""
    with pytest.raises(WorkflowFailureError) as raised:
        await handle.result()
    assert isinstance(raised.value.cause, ApplicationError)
    return raised.value.cause


async def test_cancelling_the_workflow_in_temporal_is_a_cancel_command(temporal: Client) -> None:
    fakes = Fakes([hangs])
    async with fakes.running(temporal) as handle:
        await fakes.begun.wait()
        await handle.cancel()
        with pytest.raises(WorkflowFailureError):
            await handle.result()
        assert (await handle.describe()).status is WorkflowExecutionStatus.CANCELED
    body = fakes.fact("run.cancelled").body
    assert isinstance(body, RunCancelled)
    assert body.by == "temporal"
    assert fakes.types[-4:] == [
        "command.accepted",
        "message.interrupted",
        "command.applied",
        "run.cancelled",
    ]


async def cancelled_in(handle: WorkflowHandle[AgentRun, RunResult], phase: Phase) -> RunStatus:
    """Cancel the run once it is in that phase; how it ended."""
    while (await handle.query(AgentRun.progress)).phase is not phase:
        await asyncio.sleep(0.02)
    await handle.signal(AgentRun.cancel, Cancel(command_id="c"))
    return (await handle.result()).status


@pytest.mark.slow
async def test_calls_that_do_not_stop_are_left_behind_and_sealed(temporal: Client) -> None:
    stubborn = Stubborn()
    in_model, in_tool = Fakes([stubborn.model]), Fakes([CALL], stubborn.tool)
    async with in_model.running(temporal) as first, in_tool.running(temporal) as second:
        try:
            ends = await asyncio.gather(
                cancelled_in(first, Phase.MODEL), cancelled_in(second, Phase.TOOLS)
            )
        finally:
            stubborn.release()
    assert set(ends) == {RunStatus.CANCELLED}
    assert in_model.seals == {"0/step/1"}
    assert in_tool.seals == {"0/call/call_1_0"}
    assert "tool.abandoned" in in_tool.types


async def test_a_second_cancel_is_refused_because_the_run_ends(temporal: Client) -> None:
    fakes = Fakes([hangs])
    both = [Cancel(command_id="a"), Cancel(command_id="b"), Cancel(command_id="a")]
    async with fakes.running(temporal, first=both) as handle:
        assert (await handle.result()).status is RunStatus.CANCELLED
    assert fakes.types.count("command.accepted") == 2
    body = fakes.fact("command.refused").body
    assert isinstance(body, CommandRefused)
    assert (body.command_id, body.reason) == ("b", "run-ended")
    cancelled = fakes.fact("run.cancelled").body
    assert isinstance(cancelled, RunCancelled)
    assert cancelled.by == "", "who it was is always there"
    assert not fakes.begun.is_set()


async def test_a_pause_that_comes_with_the_last_answer_is_refused(temporal: Client) -> None:
    released = asyncio.Event()

    async def answers(_: ModelRequest) -> ModelResult:
        await released.wait()
        return STOP

    fakes = Fakes([answers])
    async with fakes.running(temporal) as handle:
        await fakes.begun.wait()
        await handle.signal(AgentRun.pause, Pause(command_id="late"))
        released.set()
        assert (await handle.result()).status is RunStatus.COMPLETED
    body = fakes.fact("command.refused").body
    assert isinstance(body, CommandRefused)
    assert body.reason.startswith("run-ending")


async def test_a_model_that_fails_for_good_fails_the_run(temporal: Client) -> None:
    async def refuses(_: ModelRequest) -> ModelResult:
        raise ApplicationError("no", type=ErrorType.MODEL_REFUSED, non_retryable=True)

    fakes = Fakes([refuses])
    async with fakes.running(temporal) as handle:
        assert (await failure(handle)).type == ErrorType.MODEL_REFUSED
    assert fakes.types[-1] == "run.failed"


async def test_more_calls_than_the_budget_has_fail_the_run_unless_it_is_to_ask(
    temporal: Client,
) -> None:
    fakes = Fakes([CALL])
    async with fakes.running(temporal, Limits(max_tool_calls=0)) as handle:
        assert (await failure(handle)).type == ErrorType.BUDGET_EXCEEDED
    assert not fakes.requests
    end = fakes.fact("tool.failed").body
    assert isinstance(end, ToolFailed)
    assert (end.call_id, end.error_type) == ("call_1_0", ErrorType.BUDGET_EXCEEDED)
    assert fakes.types[-1] == "run.failed"


async def test_the_wall_clock_stops_tools_and_withdraws_approvals(temporal: Client) -> None:
    async def looks(request: ToolRequest) -> ToolOutcome:
        await hangs(request)
        raise AssertionError("nobody cancelled it")

    pay = PlannedCall(call_id="call_1_1", name="pay", approval=True)
    calls = CALL.model_copy(update={"calls": (*CALL.calls, pay)})
    fakes = Fakes([calls], looks)
    fakes.tools = (*fakes.tools, ToolSpec(name="pay", approval="always", effects="unsafe"))
    later = Redirect(command_id="r", message="later", now=False, by="ann")
    async with fakes.running(temporal, Limits(max_wall_s=1)) as handle:
        await fakes.until("approval.requested")
        await send(handle, later)
        assert (await failure(handle)).type == ErrorType.BUDGET_EXCEEDED
    resolved = fakes.fact("approval.resolved").body
    assert isinstance(resolved, ApprovalResolved)
    assert (resolved.decision, resolved.by) == ("withdrawn", "")
    assert fakes.count("tool.cancelled") == 2
    assert fakes.applied("r")


@pytest.mark.slow
async def test_a_tool_that_stops_answering_when_it_is_told_to_stop_is_abandoned(
    temporal: Client,
) -> None:
    tool = Stubborn()
    fakes = Fakes([CALL], tool.tool)
    fakes.silent = True
    async with fakes.running(temporal) as handle:
        await fakes.begun.wait()
        while not fakes.requests:
            await asyncio.sleep(0.01)
        try:
            await send(handle, Cancel(command_id="c"))
            assert (await handle.result()).status is RunStatus.CANCELLED
        finally:
            tool.release()
    assert fakes.count("tool.abandoned") == 1
    assert fakes.seals == {"0/call/call_1_0"}


async def test_the_wall_clock_ends_a_model_call(temporal: Client) -> None:
    fakes = Fakes([hangs])
    async with fakes.running(temporal, Limits(max_wall_s=1)) as handle:
        assert (await failure(handle)).type == ErrorType.BUDGET_EXCEEDED
    assert fakes.types[-2:] == ["budget.exceeded", "run.failed"]


async def test_an_answer_that_was_interrupted_already_is_followed_by_a_further_step(
    temporal: Client,
) -> None:
    fakes = Fakes([ModelResult(finish_reason="interrupted", interrupted=True), STOP])
    async with fakes.running(temporal) as handle:
        assert (await handle.result()).steps == 2


async def test_a_tool_that_fails_is_told_to_the_model_and_the_run_goes_on(
    temporal: Client,
) -> None:
    async def fails(_: ToolRequest) -> ToolOutcome:
        raise ApplicationError("no such file", type=ErrorType.TOOL_FAILED, non_retryable=True)

    fakes = Fakes([CALL, STOP], fails)
    async with fakes.running(temporal) as handle:
        assert (await handle.result()).status is RunStatus.COMPLETED
        last_error = (await handle.query(AgentRun.progress)).last_error
    assert last_error is not None
    assert last_error.message == "no such file"
    assert "tool.failed" in fakes.types
    assert fakes.seals == {"0/call/call_1_0"}


def raised(cause: BaseException | None) -> ActivityError:
    """An activity's failure with that cause."""
    error = ActivityError(
        "failed",
        scheduled_event_id=1,
        started_event_id=2,
        identity="",
        activity_type="call_tool",
        activity_id="1",
        retry_state=RetryState.TIMEOUT,
    )
    error.__cause__ = cause
    return error


def test_a_failed_call_is_told_by_its_own_type_or_by_what_it_was() -> None:
    own = error_of(raised(ApplicationError("no", type="bad-arguments")), 3, ErrorType.TOOL_FAILED)
    assert (own.type, own.message, own.step) == ("bad-arguments", "no", 3)
    late = exceptions.TimeoutError(
        "late", type=TimeoutType.START_TO_CLOSE, last_heartbeat_details=[]
    )
    told = error_of(raised(late), 3, ErrorType.TOOL_TIMED_OUT)
    assert (told.type, told.message) == ("tool-timed-out", "no answer in time (start_to_close)")
    assert error_of(raised(None), 3, ErrorType.TOOL_FAILED).type == "tool-failed"
