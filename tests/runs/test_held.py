"""An operator pauses or resets an activity in Temporal: its call is held, or begun anew."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from temporalio.api.enums.v1 import PendingActivityState

from relayline.api.temporal.stuck import ACTIVITY_PAUSED
from tests.dev_stack import DevStack
from tests.holding import Operation, operate, pending

SLOW = {"say": "word " * 100, "every_ms": 50}
WHOLE = "word " * 100
HELD = PendingActivityState.PENDING_ACTIVITY_STATE_PAUSED
MODEL, TOOL = "0/step/1", "0/call_1_0/0"
"""The ids of the first model call of a run, and of the first tool call."""


@pytest.fixture(scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[DevStack]:
    """Calls hear of an operator with their next heartbeat, each second here."""
    settings = {"RELAYLINE_HEARTBEAT_S": "0.5", "RELAYLINE_HEARTBEAT_TIMEOUT_S": "3"}
    async with DevStack(tmp_path_factory.mktemp("dev"), **settings) as started:
        yield started


async def held(stack: DevStack, run_id: str) -> None:
    """Wait until Temporal holds the run's only call."""
    temporal = await stack.temporal()
    async with asyncio.timeout(20):
        while [call.state for call in await pending(temporal, run_id)] != [HELD]:
            await asyncio.sleep(0.05)


async def speaking(stack: DevStack) -> str:
    """A run whose model says something."""
    run_id = await stack.submit(SLOW)
    await stack.seen(run_id, "message.delta")
    return run_id


async def charging(stack: DevStack, tool: str, seconds: float) -> str:
    """A run with a tool at work."""
    call = {"call": tool, "arguments": {"seconds": seconds}}
    run_id = await stack.submit(call, {"say": "done"}, agent="steered")
    await stack.seen(run_id, "tool.started")
    return run_id


async def types(stack: DevStack, run_id: str) -> list[str]:
    return [event["type"] for event in await stack.events(run_id)]


async def attention(stack: DevStack, run_id: str) -> str | None:
    """What the run's view says, and in its next round housekeeping to the list."""
    said: str | None = (await stack.client.get(f"/v1/runs/{run_id}")).json()["attention"]
    async with asyncio.timeout(60):
        while True:
            found = (await stack.client.get("/v1/runs", params={"q": run_id})).json()["runs"]
            if [item["attention"] for item in found] == [said]:
                return said
            await asyncio.sleep(0.2)


async def test_a_paused_model_call_is_said_to_be_and_begins_anew_once_it_is_unpaused(
    stack: DevStack,
) -> None:
    run_id = await speaking(stack)
    await operate(await stack.temporal(), "pause", run_id, MODEL)
    await held(stack, run_id)
    assert await attention(stack, run_id) == ACTIVITY_PAUSED
    await operate(await stack.temporal(), "unpause", run_id, MODEL)
    run = await stack.ended(run_id)
    assert (run["status"], run["output"], run["attention"]) == ("completed", WHOLE, None)
    seen = await types(stack, run_id)
    assert seen.count("attempt.superseded") == seen.count("message.completed") == 1


async def test_a_paused_call_is_stopped_by_a_command_like_any_other(stack: DevStack) -> None:
    run_id = await speaking(stack)
    await operate(await stack.temporal(), "pause", run_id, MODEL)
    await held(stack, run_id)
    await stack.send(run_id, "cancel")
    assert (await stack.ended(run_id))["status"] == "cancelled"
    events = await stack.events(run_id)
    [cut] = [event["data"]["text"] for event in events if event["type"] == "message.interrupted"]
    assert cut
    assert cut == "".join(
        event["data"]["text"] for event in events if event["type"] == "message.delta"
    )


@pytest.mark.parametrize("before", ["held", "speaking"])
async def test_an_answer_whose_activity_is_reset_is_given_in_the_same_step(
    stack: DevStack, before: str
) -> None:
    """Temporal counts its attempts from 1 again, as the journal does not."""
    run_id = await speaking(stack)
    if before == "held":
        await operate(await stack.temporal(), "pause", run_id, MODEL)
        await held(stack, run_id)
    await operate(await stack.temporal(), "reset", run_id, MODEL)
    run = await stack.ended(run_id)
    assert (run["status"], run["output"], run["step"]) == ("completed", WHOLE, 1)
    seen = await types(stack, run_id)
    assert seen.count("attempt.superseded") == seen.count("message.completed") == 1
    assert "message.interrupted" not in seen


@pytest.mark.parametrize("what", ["pause", "reset"])
async def test_an_unsafe_tool_at_work_ends_and_nobody_is_asked_what_became_of_it(
    stack: DevStack, what: Operation
) -> None:
    run_id = await charging(stack, "charge", 4)
    await operate(await stack.temporal(), what, run_id, TOOL)
    assert (await stack.ended(run_id))["output"] == "done"
    seen = await types(stack, run_id)
    assert seen.count("tool.started") == seen.count("tool.completed") == 1
    assert "input.requested" not in seen


async def test_a_paused_tool_runs_again_once_it_is_unpaused(stack: DevStack) -> None:
    run_id = await charging(stack, "sleep", 4)
    await operate(await stack.temporal(), "pause", run_id, TOOL)
    await held(stack, run_id)
    await operate(await stack.temporal(), "unpause", run_id, TOOL)
    assert (await stack.ended(run_id))["output"] == "done"
    seen = await types(stack, run_id)
    assert (seen.count("tool.started"), seen.count("tool.completed")) == (2, 1)
