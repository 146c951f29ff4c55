"""Runs that have more to tell the journal than one activity can carry."""

from __future__ import annotations

import asyncio

import pytest
from temporalio.client import Client

from relayline.contracts.calls import ModelRequest, ModelResult, PlannedCall
from relayline.contracts.commands import (
    MAX_TEXT_BYTES,
    AnyCommand,
    Cancel,
    Decide,
    Pause,
    Redirect,
    Resume,
)
from relayline.contracts.runs import RunStatus, ToolSpec
from relayline.workflows.outbox import MAX_CARGO_BYTES
from tests.workflows.fakes import STOP, Fakes, send, shows

MANY = MAX_CARGO_BYTES // MAX_TEXT_BYTES + 4
LONG = "x" * (MAX_TEXT_BYTES - 100)


def messages() -> list[AnyCommand]:
    return [Redirect(command_id=f"r{number}", message=LONG) for number in range(MANY)]


async def test_a_model_call_begins_when_all_that_was_said_can_be_in_its_prompt(
    temporal: Client,
) -> None:
    before: list[int] = []

    async def answers(request: ModelRequest) -> ModelResult:
        before.append(fakes.count("message.user"))
        return STOP

    fakes = Fakes([answers])
    async with fakes.running(temporal, first=messages()) as handle:
        assert (await handle.result()).steps == 1
    assert before == [MANY + 1]


@pytest.mark.parametrize("command", [Cancel(command_id="x"), Redirect(command_id="x", message="m")])
async def test_a_model_call_does_not_begin_for_which_a_command_came_first(
    temporal: Client, command: Cancel | Redirect
) -> None:
    fakes = Fakes([STOP, STOP])
    fakes.recording.clear()
    async with fakes.running(temporal, first=messages()) as handle:
        await fakes.until("command.accepted")
        await send(handle, command)
        await asyncio.sleep(0.1)
        fakes.recording.set()
        ended = await handle.result()
    cancelled = isinstance(command, Cancel)
    assert ended.status is (RunStatus.CANCELLED if cancelled else RunStatus.COMPLETED)
    assert fakes.begun.is_set() is not cancelled
    assert fakes.count("message.interrupted") == 1
    assert fakes.applied("x")


@pytest.mark.slow
@pytest.mark.parametrize("number", [MANY - 5, MANY])
async def test_approved_calls_begin_with_their_approvals_in_the_journal(
    temporal: Client, number: int
) -> None:
    calls = tuple(
        PlannedCall(call_id=f"call_1_{n}", name="pay", approval=True) for n in range(number)
    )
    fakes = Fakes([ModelResult(finish_reason="tool_calls", calls=calls), STOP])
    fakes.tools = (ToolSpec(name="pay", approval="always"),)
    async with fakes.running(temporal) as handle:
        await shows(handle, RunStatus.WAITING)
        await send(handle, Pause(command_id="p"))
        await fakes.settled("p")
        fakes.recording.clear()
        for index in range(number):
            id_ = f"approval_1_{index}"
            note = Decide(command_id=id_, approval_id=id_, decision="approve", note=LONG)
            await send(handle, note)
        await send(handle, Resume(command_id="r"))
        await asyncio.sleep(0.2)
        assert not fakes.requests
        fakes.recording.set()
        assert (await handle.result()).status is RunStatus.COMPLETED
    assert len(fakes.requests) == number


async def test_a_run_that_waits_tells_all_there_is_to_tell(temporal: Client) -> None:
    calls = tuple(
        PlannedCall(call_id=f"call_1_{n}", name="pay", approval=True) for n in range(MANY + 1)
    )
    fakes = Fakes([ModelResult(finish_reason="tool_calls", calls=calls), STOP])
    fakes.tools = (ToolSpec(name="pay", approval="always"),)
    async with fakes.running(temporal) as handle:
        await shows(handle, RunStatus.WAITING)
        fakes.recording.clear()
        ids = [f"approval_1_{number}" for number in range(MANY)]
        for id_ in ids:
            await send(handle, Decide(command_id=id_, approval_id=id_, decision="deny", note=LONG))
        await shows(handle, RunStatus.WAITING)
        await asyncio.sleep(0.2)
        fakes.recording.set()
        await fakes.settled(*ids)
        await send(handle, Cancel(command_id="c"))
        assert (await handle.result()).status is RunStatus.CANCELLED
