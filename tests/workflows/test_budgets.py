"""Limits that ask a person, and the clock that stands still while people think."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import ApplicationError

from relayline.contracts.calls import ModelResult, PlannedCall, ToolOutcome, ToolRequest
from relayline.contracts.commands import Cancel, Decide, Pause, Redirect, Resume
from relayline.contracts.errors import ErrorType
from relayline.contracts.events import ApprovalRequested, ApprovalResolved, UserMessageEvent
from relayline.contracts.messages import Usage
from relayline.contracts.runs import Limits, Phase, RunStatus, Waiting
from relayline.workflows.agent_run import AgentRun
from tests.workflows.fakes import CALL, STOP, Fakes, send, shows

ONE_STEP = Limits(max_steps=1, on_limit="ask")


def decide(number: int, decision: str = "approve", **fields: Any) -> Decide:
    id_ = f"approval_budget_{number}"
    return Decide(command_id=f"d{number}", by="ann", approval_id=id_, decision=decision, **fields)


def resolved(fakes: Fakes) -> ApprovalResolved:
    body = fakes.fact("approval.resolved").body
    assert isinstance(body, ApprovalResolved)
    return body


async def failure(handle: WorkflowHandle[AgentRun, Any]) -> ApplicationError:
    """Why the workflow failed."""
    with pytest.raises(WorkflowFailureError) as raised:
        await handle.result()
    assert isinstance(raised.value.cause, ApplicationError)
    return raised.value.cause


async def test_an_approval_raises_the_limit_and_the_run_goes_on(temporal: Client) -> None:
    fakes = Fakes([CALL, STOP])
    async with fakes.running(temporal, ONE_STEP) as handle:
        progress = await shows(handle, RunStatus.WAITING, Phase.WAITING)
        what = "max_steps=1 is used up: the run would need 2; approve to continue"
        assert progress.waiting_for == (
            Waiting(kind="approval", id="approval_budget_1", what=what),
        )
        await send(handle, decide(1, arguments={"raise_to": 1}))
        await fakes.settled("d1")
        again = decide(1).model_copy(update={"command_id": "again"})
        await send(handle, again)
        assert (await handle.result()).steps == 2
        assert (await shows(handle, RunStatus.COMPLETED)).limits.max_steps == 3
    requested = fakes.fact("approval.requested").body
    assert isinstance(requested, ApprovalRequested)
    assert (requested.tool, requested.call_id) == ("raise_limit", "approval_budget_1")
    assert requested.arguments == {"limit": "max_steps", "used": 2, "allowed": 1, "raise_to": 3}
    assert requested.arguments_sha256
    assert fakes.refused("d1").startswith("arguments.raise_to: ")
    assert fakes.applied("again").startswith("approve: ")
    assert fakes.between("budget.exceeded", "run.waiting") == [
        "budget.exceeded",
        "approval.requested",
        "run.waiting",
    ]


async def test_a_limit_that_is_not_raised_ends_the_run(temporal: Client) -> None:
    fakes = Fakes([CALL])
    async with fakes.running(temporal, ONE_STEP) as handle:
        await shows(handle, RunStatus.WAITING)
        await send(handle, decide(1, "deny"))
        assert (await failure(handle)).type == ErrorType.BUDGET_EXCEEDED
    assert fakes.types[-3:] == ["approval.resolved", "command.applied", "run.failed"]


async def test_one_limit_after_the_other_is_asked_for_and_each_wait_is_told(
    temporal: Client,
) -> None:
    spent = CALL.model_copy(update={"usage": Usage(input_tokens=9)})
    fakes = Fakes([spent, STOP])
    limits = Limits(max_steps=1, max_tokens=9, on_limit="ask")
    async with fakes.running(temporal, limits) as handle:
        for number in (1, 2):
            await fakes.until("approval.requested", number)
            await send(handle, decide(number))
        assert (await handle.result()).steps == 2
    assert fakes.count("run.waiting") == 2
    assert fakes.count("budget.exceeded") == 2


async def test_a_redirect_while_a_step_is_asked_for_is_in_the_next_step(temporal: Client) -> None:
    fakes = Fakes([CALL, STOP])
    async with fakes.running(temporal, ONE_STEP) as handle:
        await shows(handle, RunStatus.WAITING)
        later = Redirect(command_id="x", message="be brief", now=False)
        await send(handle, later, Pause(command_id="p"))
        await fakes.settled("x", "p")
        assert not fakes.count("approval.resolved")
        progress = await shows(handle, RunStatus.PAUSED)
        assert [it.kind for it in progress.waiting_for] == ["resume", "approval"]
        await send(handle, decide(1))
        await fakes.settled("d1")
        assert (await shows(handle, RunStatus.PAUSED)).step == 1
        await send(handle, Resume(command_id="r"))
        assert (await handle.result()).steps == 2
    assert fakes.fact("message.user").body == UserMessageEvent(text="be brief")
    assert fakes.types.index("command.applied") < fakes.types.index("approval.resolved")


def two_calls() -> Fakes:
    calls = tuple(PlannedCall(call_id=f"call_1_{n}", name="work") for n in range(2))
    return Fakes([ModelResult(finish_reason="tool_calls", calls=calls), STOP])


async def test_calls_wait_for_room_in_the_budget(temporal: Client) -> None:
    fakes = two_calls()
    async with fakes.running(temporal, Limits(max_tool_calls=1, on_limit="ask")) as handle:
        await shows(handle, RunStatus.WAITING)
        assert not fakes.requests
        await send(handle, decide(1))
        assert (await handle.result()).status is RunStatus.COMPLETED
    assert len(fakes.requests) == 2


async def test_a_redirect_makes_calls_pointless_that_wait_for_room(temporal: Client) -> None:
    fakes = two_calls()
    async with fakes.running(temporal, Limits(max_tool_calls=1, on_limit="ask")) as handle:
        await shows(handle, RunStatus.WAITING)
        await send(handle, Redirect(command_id="x", message="do less", by="bob"))
        assert (await handle.result()).steps == 2
        assert (await shows(handle, RunStatus.COMPLETED)).tool_calls == 0
    assert (resolved(fakes).decision, resolved(fakes).by) == ("withdrawn", "bob")
    assert not fakes.requests
    assert fakes.count("tool.cancelled") == 2


async def test_a_cancel_withdraws_what_was_asked_for(temporal: Client) -> None:
    fakes = two_calls()
    async with fakes.running(temporal, Limits(max_tool_calls=1, on_limit="ask")) as handle:
        await shows(handle, RunStatus.WAITING)
        await send(handle, Cancel(command_id="c", by="bob"))
        assert (await handle.result()).status is RunStatus.CANCELLED
    assert (resolved(fakes).decision, resolved(fakes).by) == ("withdrawn", "bob")


@pytest.mark.slow
async def test_no_time_passes_while_a_run_is_paused_or_waits(temporal: Client) -> None:
    async def works(request: ToolRequest) -> ToolOutcome:
        await asyncio.sleep(0.3 if request.step == 1 else 4.2)  # timers are a second late at most
        return ToolOutcome(call_id=request.call.call_id)

    fakes = Fakes([CALL, CALL, STOP], works)
    limits = Limits(max_wall_s=3, max_steps=1, on_limit="ask")
    async with fakes.running(temporal, limits, first=[Pause(command_id="p")]) as handle:
        await shows(handle, RunStatus.PAUSED)
        await asyncio.sleep(3.2)
        await send(handle, Resume(command_id="r"))
        await shows(handle, RunStatus.WAITING)
        await asyncio.sleep(3.2)
        assert not fakes.count("approval.resolved")
        await send(handle, decide(1))
        await fakes.until("approval.requested", 2)
        requested = fakes.fact("approval.requested").body
        assert isinstance(requested, ApprovalRequested)
        assert requested.arguments["limit"] == "max_wall_s"
        await send(handle, decide(2, arguments={"raise_to": 60}))
        assert (await handle.result()).steps == 3
        assert (await shows(handle, RunStatus.COMPLETED)).limits.max_wall_s == 60
