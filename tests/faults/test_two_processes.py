"""Two API processes behind a load balancer that sends every request to the other one."""

from __future__ import annotations

import asyncio
import copy
import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import cycle
from typing import Any
from uuid import uuid4

import httpx
import pytest
from temporalio.api.enums.v1 import PendingWorkflowTaskState

from tests.api.serving import SSE, frames
from tests.dev_stack import DevStack
from tests.faults.test_drain import second_api

SCRIPT = (
    {"say": "one two three four five six", "every_ms": 20},
    {"call": "write_file", "arguments": {"path": "never.txt", "content": "hi"}},
    {"call": "ask_user", "arguments": {"question": "which one?"}},
    {"say": "a b c d e f g h i j k l m n o p q r s t u v w x y z " * 20, "every_ms": 20},
    {"say": "done"},
)


class TakingTurns(httpx.AsyncBaseTransport):
    """Sends each request to the server whose turn it is, on a connection of its own."""

    def __init__(self, *servers: str) -> None:
        self._servers = cycle(map(httpx.URL, servers))
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
        self._inner = httpx.AsyncHTTPTransport(limits=limits)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        server = next(self._servers)
        request.url = request.url.copy_with(host=server.host, port=server.port)
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self._inner.aclose()


@asynccontextmanager
async def taking_turns(stack: DevStack, url: str) -> AsyncIterator[DevStack]:
    """The stack behind both of its API processes."""
    both = copy.copy(stack)
    transport = TakingTurns(stack.state["api"]["url"], url)
    async with httpx.AsyncClient(base_url=url, transport=transport, timeout=30) as client:
        both.client = client
        yield both


@pytest.fixture(scope="module")
async def both(stack: DevStack) -> AsyncIterator[DevStack]:
    async with second_api(stack) as (url, _), taking_turns(stack, url) as alternating:
        yield alternating


async def stream(both: DevStack, run: str, after: int, kind: str = "events") -> list[Any]:
    """One connection, cut after its first event; nothing when the stream says that it is over."""
    headers = {**SSE, "Last-Event-ID": str(after)}
    async with both.client.stream("GET", f"/v1/runs/{run}/{kind}", headers=headers) as answer:
        assert answer.status_code in {200, 204}, await answer.aread()
        async for seq, _, data in frames(answer):
            if seq or kind != "events":
                return [json.loads(data)]
    return []


async def watched(both: DevStack, run: str, *before: dict[str, Any]) -> list[dict[str, Any]]:
    """The run to its end, the process changed at every event."""
    got = [*before]
    while one := await stream(both, run, got[-1]["seq"] if got else 0):
        got += one
    return got


async def receipt(both: DevStack, run: str, command: str) -> dict[str, Any]:
    """What the other process says of a command that this one has just taken; 200 in any case."""
    answer = await both.client.get(f"/v1/runs/{run}/commands/{command}")
    assert answer.status_code == 200, answer.text
    view: dict[str, Any] = answer.json()
    return view


async def outcome(both: DevStack, run: str, kind: str, **body: Any) -> tuple[str, str]:
    """Send a command, ask the other process at once, then wait for what became of it."""
    command = await both.send(run, kind, **body)
    assert (await receipt(both, run, command))["state"] in {"accepted", "applied"}
    view = await both.outcome(run, command)
    return view["kind"], view["state"]


async def test_a_run_is_submitted_watched_and_steered_through_both(both: DevStack) -> None:
    run = await both.submit(*SCRIPT)
    assert (await both.client.get(f"/v1/runs/{run}")).json()["run_id"] == run
    assert (await both.client.get(f"/v1/runs/{run}/events")).status_code == 200
    assert await outcome(both, run, "pause") == ("pause", "applied")
    [progress] = await stream(both, run, 0, "progress")
    assert (
        progress["status"]
        == (await both.client.get(f"/v1/runs/{run}")).json()["status"]
        == "paused"
    )
    watching = asyncio.create_task(watched(both, run))
    assert await outcome(both, run, "resume") == ("resume", "applied")
    approval = (await both.seen(run, "approval.requested"))["data"]["approval_id"]
    decision = {"decision": "deny", "by": "ann"}
    assert await outcome(both, run, f"approvals/{approval}", **decision) == ("decide", "applied")
    for _ in range(2):
        late = await both.client.post(f"/v1/runs/{run}/approvals/{approval}", json=decision)
        assert (late.status_code, late.json()["by"]) == (409, "ann")
        assert late.json()["at"]
    question = (await both.seen(run, "input.requested"))["data"]["request_id"]
    answer = {"request_id": question, "text": "that one"}
    assert await outcome(both, run, "answer", **answer) == ("answer", "applied")
    await both.seen_text(run, "a ")
    assert await outcome(both, run, "redirect", message="in a word") == ("redirect", "applied")
    assert (await both.ended(run))["output"] == "Understood: in a word"
    assert await watching == await both.events(run)
    assert (await both.client.post(f"/v1/runs/{run}/pause")).status_code == 409


async def test_a_cancelled_run_is_cancelled_everywhere(both: DevStack) -> None:
    run = await both.submit(SCRIPT[3])
    watching = asyncio.create_task(watched(both, run))
    waiting = [asyncio.create_task(both.ended(run)) for _ in range(2)]
    assert await outcome(both, run, "cancel", reason="enough") == ("cancel", "applied")
    assert [(await view)["status"] for view in waiting] == ["cancelled"] * 2
    assert await watching == await both.events(run)


async def test_a_stream_that_a_submission_opened_goes_on_at_the_other_process(
    both: DevStack,
) -> None:
    body = {"agent": "assistant", "input": json.dumps({"rehearse": SCRIPT[:1]})}
    async with both.client.stream("POST", "/v1/runs", json=body, headers=SSE) as answer:
        run = answer.headers["X-Run-Id"]
        first = json.loads((await anext(frames(answer)))[2])
    assert await watched(both, run, first) == await both.events(run)


async def test_one_key_sent_to_both_at_once_is_one_run_and_one_command(both: DevStack) -> None:
    body = {"agent": "assistant", "input": json.dumps({"rehearse": [SCRIPT[3]]})}
    key = {"Idempotency-Key": uuid4().hex}
    posts = (both.client.post("/v1/runs", json=body, headers=key) for _ in range(10))
    answers = await asyncio.gather(*posts)
    [run] = {answer.json()["run_id"] for answer in answers}
    assert sorted(answer.status_code for answer in answers) == [200] * 9 + [202]
    posts = (both.client.post(f"/v1/runs/{run}/cancel", headers=key) for _ in range(10))
    answers = await asyncio.gather(*posts)
    assert {answer.status_code for answer in answers} == {202}
    [command] = {answer.json()["command_id"] for answer in answers}
    assert (await both.outcome(run, command))["state"] == "applied"
    await both.ended(run)
    told = [event["type"] for event in await both.events(run) if event["data"].get("command_id")]
    assert told == ["command.accepted", "command.applied"]


async def task_at_work(both: DevStack, run: str) -> None:
    """Wait until a worker has taken the run's workflow task."""
    handle = (await both.temporal()).get_workflow_handle(run)
    started = PendingWorkflowTaskState.PENDING_WORKFLOW_TASK_STATE_STARTED
    async with asyncio.timeout(15):
        while (await handle.describe()).raw_description.pending_workflow_task.state != started:
            await asyncio.sleep(0.01)


async def test_a_command_that_comes_while_a_task_is_at_work_is_known_to_the_other_process(
    both: DevStack,
) -> None:
    run = await both.submit({"tokens": 6000, "every_ms": 20})
    await both.seen(run, "message.delta")
    [worker] = (worker["pid"] for worker in both.state["workers"])
    os.kill(worker, signal.SIGSTOP)
    try:
        await both.send(run, "pause")
        await task_at_work(both, run)  # the worker that has it is stuck
        command = await both.send(run, "pause")
        assert (await receipt(both, run, command))["state"] == "accepted"
    finally:
        os.kill(worker, signal.SIGCONT)
    await both.send(run, "cancel")
    assert (await both.ended(run))["status"] == "cancelled"
    unknown = await both.client.get(f"/v1/runs/{run}/commands/nobody-sent-it")
    assert unknown.status_code == 404
