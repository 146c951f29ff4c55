"""Redirects and pauses, at every moment of a run."""

from __future__ import annotations

import asyncio

import pytest
from temporalio.client import Client

from relayline.contracts.calls import (
    ModelRequest,
    ModelResult,
    PlannedCall,
    ToolOutcome,
    ToolRequest,
)
from relayline.contracts.commands import Answer, AnyCommand, Cancel, Pause, Redirect, Resume
from relayline.contracts.events import CommandRefused, ToolCancelled, UserMessageEvent
from relayline.contracts.runs import Phase, RunStatus, ToolSpec
from tests.workflows.fakes import CALL, STOP, Fakes, Stubborn, hangs, send, shows

LOOK = Redirect(command_id="x", message="look", by="ann")
LATER = Redirect(command_id="x", message="look", now=False)
TWO = ModelResult(
    finish_reason="tool_calls",
    calls=tuple(PlannedCall(call_id=f"call_1_{n}", name=name) for n, name in enumerate("ab")),
)


def safe_and_unsafe(tool: Stubborn) -> Fakes:
    """A run that calls `a`, which is safe and hangs, and `b`, which is unsafe."""

    async def work(request: ToolRequest) -> ToolOutcome:
        if request.call.name == "a":
            await hangs(request)
        return await tool.tool(request)

    fakes = Fakes([TWO, STOP], work)
    fakes.tools = (ToolSpec(name="a"), ToolSpec(name="b", effects="unsafe"))
    return fakes


async def test_a_redirect_interrupts_the_model_and_the_next_call_has_its_message(
    temporal: Client,
) -> None:
    carried: list[str] = []

    async def answers(request: ModelRequest) -> ModelResult:
        carried.extend(fact.body.type for fact in request.outbox.facts)
        return STOP

    fakes = Fakes([hangs, answers])
    async with fakes.running(temporal) as handle:
        await fakes.begun.wait()
        await send(handle, LOOK)
        assert (await handle.result()).steps == 2
    assert fakes.between("command.accepted", "run.completed") == [
        "command.accepted",
        "message.interrupted",
        "command.applied",
        "message.user",
        "step.started",
        "run.completed",
    ]
    assert carried[-3:] == ["command.applied", "message.user", "step.started"]
    assert fakes.fact("message.user").body == UserMessageEvent(text="look", by="ann")
    assert fakes.applied("x") == "the next model call has the message; cancelled: the model"
    assert fakes.seals == {"0/step/1"}


async def test_a_redirect_cancels_safe_tools_and_lets_unsafe_ones_finish(temporal: Client) -> None:
    unsafe = Stubborn()
    fakes = safe_and_unsafe(unsafe)
    async with fakes.running(temporal) as handle:
        while len(fakes.requests) < 2:
            await asyncio.sleep(0.01)
        await send(handle, LOOK)
        await fakes.until("tool.cancelled")
        assert not fakes.outcome("x")
        unsafe.release()
        assert (await handle.result()).status is RunStatus.COMPLETED
    [stopped] = fakes.bodies("tool.cancelled")
    assert isinstance(stopped, ToolCancelled)
    assert stopped.name == "a"
    assert fakes.applied("x").endswith("; cancelled: a; allowed to finish: b")


async def test_a_redirect_that_can_wait_waits_for_the_end_of_the_step(temporal: Client) -> None:
    model, tool = Stubborn(), Stubborn()

    async def calls(request: ModelRequest) -> ModelResult:
        await model.model(request)
        return CALL

    fakes = Fakes([calls, STOP], tool.tool)
    async with fakes.running(temporal) as handle:
        await fakes.begun.wait()
        await send(handle, LATER)
        await fakes.until("command.accepted")
        model.release()
        while not fakes.requests:
            await asyncio.sleep(0.01)
        assert not fakes.outcome("x")
        tool.release()
        assert (await handle.result()).steps == 2
    assert fakes.applied("x") == "the next model call has the message"
    assert not {"tool.cancelled", "message.interrupted"} & set(fakes.types)


@pytest.mark.parametrize("command", [LOOK, LATER])
async def test_a_redirect_that_comes_with_the_last_answer_makes_the_run_go_on(
    temporal: Client, command: Redirect
) -> None:
    last = Stubborn()
    fakes = Fakes([last.model, STOP])
    async with fakes.running(temporal) as handle:
        await fakes.begun.wait()
        await send(handle, command)
        await fakes.until("command.accepted")
        last.release()
        assert (await handle.result()).steps == 2
    assert fakes.between("command.accepted", "run.completed")[1:4] == [
        "command.applied",
        "message.user",
        "step.started",
    ]


async def test_calls_that_come_with_a_redirect_do_not_begin_and_do_not_count(
    temporal: Client,
) -> None:
    model = Stubborn()

    async def calls(request: ModelRequest) -> ModelResult:
        await model.model(request)
        return TWO

    fakes = Fakes([calls, STOP])
    async with fakes.running(temporal) as handle:
        await fakes.begun.wait()
        await send(handle, LOOK)
        await fakes.until("command.accepted")
        model.release()
        assert (await handle.result()).steps == 2
        assert (await shows(handle, RunStatus.COMPLETED)).tool_calls == 0
    assert not fakes.requests
    assert fakes.count("tool.cancelled") == 2


async def test_a_pause_stops_before_the_next_call_and_nothing_else(temporal: Client) -> None:
    model = Stubborn()

    async def calls(request: ModelRequest) -> ModelResult:
        await model.model(request)
        return CALL

    fakes = Fakes([calls, STOP])
    async with fakes.running(temporal) as handle:
        await fakes.begun.wait()
        await send(handle, Pause(command_id="p", by="ann"))
        await fakes.until("command.accepted")
        assert (await handle.query("progress"))["status"] == "running"
        model.release()
        progress = await shows(handle, RunStatus.PAUSED, Phase.PAUSED)
        assert [it.kind for it in progress.waiting_for] == ["resume"]
        assert not fakes.requests
        await send(handle, Resume(command_id="r"))
        assert (await handle.result()).status is RunStatus.COMPLETED
    assert fakes.applied("p") == "stopped before the next call"
    assert len(fakes.requests) == 1


async def test_a_pause_at_once_interrupts_the_model_and_a_redirect_leaves_the_run_paused(
    temporal: Client,
) -> None:
    fakes = Fakes([hangs, STOP])
    async with fakes.running(temporal) as handle:
        await fakes.begun.wait()
        await send(handle, Pause(command_id="p", now=True))
        await shows(handle, RunStatus.PAUSED)
        await send(handle, LOOK)
        await fakes.settled("x")
        await shows(handle, RunStatus.PAUSED)
        await send(handle, Resume(command_id="r"))
        assert (await handle.result()).steps == 2
    assert fakes.applied("p") == "stopped before the next call; cancelled: the model"
    assert fakes.applied("x") == "the next model call has the message; the run stays paused"
    assert fakes.between("message.interrupted", "run.completed")[1:3] == [
        "command.applied",
        "run.paused",
    ]


async def test_a_pause_at_once_stops_safe_tools_only(temporal: Client) -> None:
    unsafe = Stubborn()
    fakes = safe_and_unsafe(unsafe)
    async with fakes.running(temporal) as handle:
        while len(fakes.requests) < 2:
            await asyncio.sleep(0.01)
        await send(handle, Pause(command_id="p", now=True))
        await fakes.until("tool.cancelled")
        unsafe.release()
        await shows(handle, RunStatus.PAUSED)
        await send(handle, Resume(command_id="r"))
        assert (await handle.result()).status is RunStatus.COMPLETED
    assert fakes.applied("p").endswith("; cancelled: a; allowed to finish: b")


async def test_a_model_that_ends_well_although_it_was_told_to_stop_has_answered(
    temporal: Client,
) -> None:
    last = Stubborn()
    fakes = Fakes([last.model])
    async with fakes.running(temporal) as handle:
        await fakes.begun.wait()
        await send(handle, Pause(command_id="p", now=True))
        await fakes.until("command.accepted")
        last.release()
        assert (await handle.result()).steps == 1
    assert fakes.refused("p").startswith("run-ending")
    assert "message.interrupted" not in fakes.types


async def test_commands_while_a_run_is_paused_are_told_what_they_came_to(temporal: Client) -> None:
    fakes = Fakes([STOP])
    first: list[AnyCommand] = [
        Pause(command_id="p"),
        Answer(command_id="a", request_id="nope", text="x"),
    ]
    async with fakes.running(temporal, first=first) as handle:
        await shows(handle, RunStatus.PAUSED)
        await send(handle, Pause(command_id="again"), Redirect(command_id="empty"))
        await fakes.settled("p", "a", "again", "empty")
        await send(handle, Cancel(command_id="c", by="ann", reason="enough"))
        assert (await handle.result()).status is RunStatus.CANCELLED
    assert fakes.refused("again") == "already paused"
    assert fakes.refused("empty") == "message: is missing"
    assert fakes.refused("a") == "request_id: this run has no question 'nope'"
    assert not fakes.begun.is_set()


async def test_a_redirect_with_too_many_parts_is_refused(temporal: Client) -> None:
    part = {"type": "image", "url": "https://example.com/a.png"}
    many = {"command_id": "x", "message": "[image]", "parts": [part] * 33, "now": False}
    fakes = Fakes([hangs, STOP])
    async with fakes.running(temporal) as handle:
        await fakes.begun.wait()
        await handle.signal("redirect", many)
        await send(handle, Redirect(command_id="y", message="look"))
        await handle.result()
    body = fakes.fact("command.refused").body
    assert isinstance(body, CommandRefused)
    assert (body.command_id, body.reason) == ("x", "parts: at most 32")
