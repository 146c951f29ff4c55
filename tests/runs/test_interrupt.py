"""A command reaches what runs: the provider's stream, tools of each kind, whole process groups."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from relayline.contracts.envelope import Envelope
from relayline.projections.rendered import render
from tests.activities.model.providers.stand_in import StandIn, serving
from tests.dev_stack import SEEN_S, DevStack, alive


@pytest.fixture(scope="module")
async def provider() -> AsyncIterator[StandIn]:
    """An OpenAI-compatible server that notes who hangs up."""
    async with serving() as started:
        yield started


@pytest.fixture(scope="module")
async def connected(
    provider: StandIn, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[DevStack]:
    """A stack whose models come from that server."""
    folder = tmp_path_factory.mktemp("connected")
    async with DevStack(folder, RELAYLINE_COMPATIBLE_BASE_URL=provider.url) as stack:
        await speaking_no_more(stack, await speaking(stack))  # the worker has imported its library
        yield stack


async def speaking(stack: DevStack) -> str:
    """A run whose model speaks without end."""
    body = {"agent": "assistant", "input": "hi", "model": "compatible:endless"}
    answer = await stack.client.post("/v1/runs", json=body)
    run_id: str = answer.json()["run_id"]
    await stack.seen(run_id, "message.delta")
    return run_id


async def speaking_no_more(stack: DevStack, run_id: str) -> None:
    """Cancel it and wait for its end."""
    await stack.send(run_id, "cancel")
    await stack.ended(run_id)


async def test_a_cancel_closes_the_stream_of_the_provider(
    connected: DevStack, provider: StandIn
) -> None:
    run_id = await speaking(connected)
    provider.hung_up.clear()
    await connected.send(run_id, "cancel", reason="enough")
    async with asyncio.timeout(5):
        await provider.hung_up.wait()
    assert (await connected.ended(run_id))["status"] == "cancelled"
    interrupted = await connected.seen(run_id, "message.interrupted")
    assert interrupted["data"]["text"].startswith("on on ")


async def test_a_redirect_closes_the_stream_and_the_next_call_has_what_was_said(
    connected: DevStack, provider: StandIn
) -> None:
    run_id = await speaking(connected)
    provider.hung_up.clear()
    calls = len(provider.requests)
    await connected.send(run_id, "redirect", message="go left")
    async with asyncio.timeout(10):
        await provider.hung_up.wait()
        while len(provider.requests) == calls:
            await asyncio.sleep(0.01)
    *_, interrupted, message = provider.requests[-1]["messages"]
    assert interrupted["role"] == "assistant"
    assert interrupted["content"].startswith("on on ")
    assert (message["role"], message["content"]) == ("user", "go left")
    await speaking_no_more(connected, run_id)


async def cancelled_tool(stack: DevStack, run_id: str) -> dict[str, object]:
    """Cancel the run; how its tool call ended."""
    await stack.seen(run_id, "tool.started")
    await asyncio.sleep(0.1)
    await stack.send(run_id, "cancel")
    assert (await stack.ended(run_id))["status"] == "cancelled"
    ended = await stack.seen(run_id, "tool.cancelled", "tool.abandoned", "tool.completed")
    return {"type": ended["type"], **ended["data"]}


@pytest.mark.parametrize(
    ("tool", "arguments"), [("sleep", {"seconds": 30}), ("grind", {}), ("charge", {"seconds": 30})]
)
async def test_a_cancel_reaches_tools_of_each_kind(
    stack: DevStack, tool: str, arguments: dict[str, float]
) -> None:
    run_id = await stack.submit({"call": tool, "arguments": arguments}, agent="steered")
    ended = await cancelled_tool(stack, run_id)
    assert ended["type"] == "tool.cancelled"
    assert ended["acked_at"]


async def test_a_cancel_ends_the_whole_process_group_of_a_command(
    stack: DevStack, tmp_path: Path
) -> None:
    pids = tmp_path / "pids"
    command = f"sleep 60 & echo $! > {pids}; echo $$ >> {pids}; wait"
    run_id = await stack.submit({"call": "run_command", "arguments": {"command": command}})
    await stack.seen(run_id, "approval.requested")
    await stack.send(run_id, "approvals/approval_1_0", decision="approve")
    async with asyncio.timeout(SEEN_S):
        while not (pids.exists() and pids.read_text().count("\n") == 2):
            await asyncio.sleep(0.02)
    ended = await cancelled_tool(stack, run_id)
    assert ended["type"] == "tool.cancelled"
    written = pids.read_text().split()
    assert len(written) == 2
    assert not any(alive(int(pid)) for pid in written)


async def test_a_redirect_of_a_run_whose_worker_dies_keeps_the_text_that_counts(
    connected: DevStack,
) -> None:
    run_id = await speaking(connected)
    os.kill(connected.state["workers"][0]["pid"], signal.SIGSTOP)
    await connected.send(run_id, "redirect", message="go left")
    connected.kill_worker()
    message = await connected.seen_text(run_id, "go left")
    events = [Envelope.model_validate(event) for event in await connected.events(run_id)]
    [interrupted] = [event for event in events if event.type == "message.interrupted"]
    before = render(event for event in events if event.seq < interrupted.seq)
    assert interrupted.data["text"] == before.text(1)
    assert interrupted.seq < message["seq"]
    await speaking_no_more(connected, run_id)
