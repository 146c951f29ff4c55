"""Calls that a person has to approve first."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from temporalio.client import Client, WorkflowFailureError

from relayline.contracts.calls import ModelResult, PlannedCall, ToolOutcome, ToolRequest
from relayline.contracts.commands import Cancel, Decide, Pause, Redirect, Resume
from relayline.contracts.errors import ErrorType
from relayline.contracts.events import (
    ApprovalRequested,
    ApprovalResolved,
    RunWaiting,
    ToolCancelled,
    ToolFailed,
)
from relayline.contracts.runs import ApprovalRule, Phase, RunStatus, ToolSpec, Waiting
from tests.workflows.fakes import STOP, Fakes, Model, Stubborn, hangs, send, shows

PAY = ToolSpec(name="pay", approval="always", parameters={"type": "object", "minProperties": 1})


def asks_for(*names: str, approval: bool = True) -> ModelResult:
    """An answer whose calls all wait for approval, but those of `look`."""
    return ModelResult(
        finish_reason="tool_calls",
        calls=tuple(
            PlannedCall(
                call_id=f"call_1_{index}",
                name=name,
                preview="amount=5",
                approval=approval and name != "look",
            )
            for index, name in enumerate(names)
        ),
    )


def payments(number: int = 1, *, then: Model | ModelResult = STOP, **spec: Any) -> Fakes:
    """A run that wants to pay that many times."""
    fakes = Fakes([asks_for(*["pay"] * number), then])
    fakes.tools = (PAY.model_copy(update=spec), ToolSpec(name="look"))
    return fakes


def decide(command_id: str, index: int = 0, decision: str = "approve", **fields: Any) -> Decide:
    id_ = f"approval_1_{index}"
    return Decide(command_id=command_id, approval_id=id_, decision=decision, by="ann", **fields)


def resolved(fakes: Fakes) -> ApprovalResolved:
    body = fakes.fact("approval.resolved").body
    assert isinstance(body, ApprovalResolved)
    return body


def failed(fakes: Fakes) -> ToolFailed:
    body = fakes.fact("tool.failed").body
    assert isinstance(body, ToolFailed)
    return body


async def test_a_call_waits_for_its_approval_and_the_run_says_so(temporal: Client) -> None:
    fakes = payments()
    fakes.tenant = "acme"
    waiting = Waiting(kind="approval", id="approval_1_0", what="pay(amount=5)")
    async with fakes.running(temporal) as handle:
        progress = await shows(handle, RunStatus.WAITING, Phase.WAITING)
        assert progress.waiting_for == (waiting,)
        await fakes.until("run.waiting")
        assert not fakes.requests
        await send(handle, decide("a"))
        assert (await handle.result()).status is RunStatus.COMPLETED
        assert (await handle.query("progress"))["waiting_for"] == []
    requested = fakes.fact("approval.requested").body
    assert isinstance(requested, ApprovalRequested)
    assert (requested.tool, requested.call_id) == ("pay", "call_1_0")
    assert requested.parameters == PAY.parameters
    assert (requested.effects, requested.why) == ("safe", "always")
    assert requested.expires_at
    assert fakes.fact("run.waiting").body == RunWaiting(waiting_for=(waiting,))
    assert fakes.applied("a") == "approve: pay(amount=5)"
    assert fakes.tenants == {"acme"}, "of models and tools"
    assert [it.approval_id for it in fakes.requests] == ["approval_1_0"]
    assert [it.body.type for it in fakes.requests[0].outbox.facts][-2:] == [
        "approval.resolved",
        "command.applied",
    ]


async def test_a_person_is_told_by_which_rule_a_call_asks_and_that_it_acts(
    temporal: Client,
) -> None:
    rule = {"required": ["amount"]}
    fakes = payments(approval=ApprovalRule(when=rule), effects="unsafe")
    async with fakes.running(temporal) as handle:
        await shows(handle, RunStatus.WAITING, Phase.WAITING)
        await fakes.until("approval.requested")
        await send(handle, decide("a"))
        assert (await handle.result()).status is RunStatus.COMPLETED
    requested = fakes.fact("approval.requested").body
    assert isinstance(requested, ApprovalRequested)
    assert (requested.effects, requested.why) == ("unsafe", rule)


async def test_each_call_starts_as_soon_as_its_own_approval_is_there(temporal: Client) -> None:
    release = asyncio.Event()

    async def waits(request: ToolRequest) -> ToolOutcome:
        await release.wait()
        return ToolOutcome(call_id=request.call.call_id)

    fakes = Fakes([asks_for("pay", "look", "pay", "pay"), STOP], waits)
    fakes.tools = (PAY, ToolSpec(name="look"))
    begun: list[str] = []
    async with fakes.running(temporal) as handle:
        for command in (None, decide("a", 2), decide("b", 0), decide("c", 3, "deny")):
            if command:
                await send(handle, command)
                await fakes.settled(command.command_id)
            while len(fakes.requests) < min(len(begun) + 1, 3):
                await asyncio.sleep(0.01)
            begun = [it.call.call_id for it in fakes.requests]
            if len(begun) < 3:
                progress = await shows(handle, RunStatus.WAITING, Phase.TOOLS)
                assert len(progress.waiting_for) == 4 - len(begun)
                assert len(progress.running_tools) == len(begun)
        await shows(handle, RunStatus.RUNNING, Phase.TOOLS)
        release.set()
        assert (await handle.result()).status is RunStatus.COMPLETED
    assert begun == ["call_1_1", "call_1_2", "call_1_0"]
    assert fakes.count("run.waiting") == 1
    assert failed(fakes).call_id == "call_1_3"


async def test_a_denial_and_its_note_are_told_to_the_model(temporal: Client) -> None:
    fakes = payments(2)
    async with fakes.running(temporal) as handle:
        await shows(handle, RunStatus.WAITING)
        await send(
            handle,
            decide("a", 0, "deny", note="too much"),
            decide("c", 0),
            Decide(command_id="b", approval_id="approval_1_1", decision="deny"),
        )
        assert (await handle.result()).status is RunStatus.COMPLETED
    assert not fakes.requests
    told = [it for it in fakes.bodies("tool.failed") if isinstance(it, ToolFailed)]
    assert [it.error for it in told] == [
        "the call was denied by ann: too much",
        "the call was denied",
    ]
    assert {it.error_type for it in told} == {ErrorType.APPROVAL_DENIED}
    assert fakes.refused("c").startswith("approval_1_0 was denied by ann at ")


async def test_arguments_that_do_not_fit_leave_the_approval_open(temporal: Client) -> None:
    fakes = payments()
    async with fakes.running(temporal) as handle:
        await shows(handle, RunStatus.WAITING)
        await send(handle, decide("a", arguments={"bad": 1}))
        await fakes.settled("a")
        await shows(handle, RunStatus.WAITING)
        await send(handle, decide("b", arguments={"amount": 1}, note="less"))
        assert (await handle.result()).status is RunStatus.COMPLETED
    assert fakes.refused("a") == "arguments: bad: does not fit"
    assert fakes.applied("b") == "approve: pay(amount=5) with other arguments"
    assert resolved(fakes).arguments == {"amount": 1}
    assert resolved(fakes).note == "less"
    assert len(fakes.requests) == 1


async def test_a_check_that_fails_for_good_refuses_the_decision(temporal: Client) -> None:
    fakes = payments()
    async with fakes.running(temporal) as handle:
        await shows(handle, RunStatus.WAITING)
        await send(handle, decide("a", arguments={"broken": 1}))
        await fakes.settled("a")
        await send(handle, decide("b", 0, "deny"))
        await handle.result()
    assert fakes.refused("a") == "arguments: broken check"


async def test_an_approval_that_nobody_gives_expires(temporal: Client) -> None:
    answers = Stubborn()
    fakes = payments(approval_timeout_s=0.3, then=answers.model)
    async with fakes.running(temporal) as handle:
        await fakes.until("approval.resolved")
        await send(handle, decide("late"))
        await fakes.settled("late")
        answers.release()
        assert (await handle.result()).status is RunStatus.COMPLETED
    requested = fakes.fact("approval.requested").body
    assert isinstance(requested, ApprovalRequested)
    body = resolved(fakes)
    assert (body.decision, body.by) == ("expired", "")
    assert requested.expires_at
    assert timedelta() <= body.at - requested.expires_at < timedelta(seconds=2)
    assert failed(fakes).error == "nobody approved the call in time, so it did not run"
    assert fakes.refused("late").startswith("approval_1_0 has expired at ")


async def test_an_approval_expires_while_new_arguments_are_checked(temporal: Client) -> None:
    fakes = payments(approval_timeout_s=0.5)
    async with fakes.running(temporal) as handle:
        await shows(handle, RunStatus.WAITING)
        await send(handle, decide("a", arguments={"slow": 1}))
        assert (await handle.result()).status is RunStatus.COMPLETED
    assert fakes.refused("a").startswith("approval_1_0 has expired at ")
    assert resolved(fakes).decision == "expired"


@pytest.mark.parametrize("command", [Cancel(command_id="x", by="bob"), None])
async def test_cancelling_the_run_withdraws_what_is_open(
    temporal: Client, command: Cancel | None
) -> None:
    fakes = payments(2)
    async with fakes.running(temporal) as handle:
        await shows(handle, RunStatus.WAITING)
        if command:
            await send(handle, command)
            assert (await handle.result()).status is RunStatus.CANCELLED
        else:
            await handle.cancel()
            with pytest.raises(WorkflowFailureError):
                await handle.result()
    assert (resolved(fakes).decision, resolved(fakes).by) == (
        "withdrawn",
        "bob" if command else "temporal",
    )
    assert isinstance(fakes.fact("tool.cancelled").body, ToolCancelled)
    assert (fakes.count("approval.resolved"), fakes.count("tool.cancelled")) == (2, 2)
    assert fakes.types[-2:] == ["command.applied", "run.cancelled"]


async def test_a_redirect_withdraws_what_is_open_and_stops_what_runs(temporal: Client) -> None:
    async def looks(request: ToolRequest) -> ToolOutcome:
        await hangs(request)
        raise AssertionError("it was not cancelled")

    fakes = Fakes([asks_for("look", "pay"), STOP], looks)
    fakes.tools = (PAY, ToolSpec(name="look"))
    async with fakes.running(temporal) as handle:
        await shows(handle, RunStatus.WAITING, Phase.TOOLS)
        await fakes.until("approval.requested")
        while not fakes.requests:
            await asyncio.sleep(0.01)
        await send(handle, Redirect(command_id="x", message="do not pay", by="bob"))
        assert (await handle.result()).status is RunStatus.COMPLETED
    assert (resolved(fakes).decision, resolved(fakes).by) == ("withdrawn", "bob")
    assert fakes.count("tool.cancelled") == 2
    assert fakes.applied("x") == "the next model call has the message; cancelled: look"
    assert fakes.types[-4:] == ["command.applied", "message.user", "step.started", "run.completed"]


async def test_a_paused_run_holds_an_approved_call_until_it_is_resumed(temporal: Client) -> None:
    fakes = payments()
    async with fakes.running(temporal) as handle:
        await shows(handle, RunStatus.WAITING)
        await send(handle, Pause(command_id="p", now=True))
        progress = await shows(handle, RunStatus.PAUSED, Phase.PAUSED)
        assert [it.kind for it in progress.waiting_for] == ["resume", "approval"]
        await send(handle, decide("a"))
        await fakes.settled("p", "a")
        progress = await shows(handle, RunStatus.PAUSED)
        while len(progress.waiting_for) > 1:
            progress = await shows(handle, RunStatus.PAUSED)
        assert not fakes.requests
        await send(handle, Resume(command_id="r"))
        assert (await handle.result()).status is RunStatus.COMPLETED
    assert len(fakes.requests) == 1
    assert fakes.applied("p") == "stopped before the next call"
