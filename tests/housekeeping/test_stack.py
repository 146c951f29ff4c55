"""A whole stack: what an operator ends in Temporal ends for clients and workers, and is swept."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from temporalio.client import Client

from relayline.contracts.housekeeping import SCHEDULE_ID
from relayline.contracts.runs import TASK_QUEUE, AgentSpec, RunInput
from relayline.runtime.temporal import data_converter
from relayline.workflows.agent_run import AgentRun
from tests.api.serving import SSE, frames
from tests.dev_stack import DevStack
from tests.housekeeping.agents import MODULE, WORK_S

RETENTION_S = 8.0
UNWATCHED_S = 30.0
WATCHED_S = 6.0
SLOW = '{"rehearse": [{"tokens": 900, "every_ms": 20}]}'


@pytest.fixture(scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[DevStack]:
    """One worker; events are kept for some seconds."""
    days = str(RETENTION_S / 86_400)
    settings = {"RELAYLINE_CATALOG": MODULE, "RELAYLINE_RETENTION_DAYS": days}
    async with DevStack(tmp_path_factory.mktemp("dev"), **settings) as started:
        yield started


@pytest.fixture(scope="module", autouse=True)
async def ended_run(stack: DevStack) -> str:
    """A run that ends before the first test of this module, and has its events then."""
    run_id = await stack.submit({"say": "hello"})
    await stack.ended(run_id)
    assert (await events(stack, run_id)).status_code == 200
    return run_id


@pytest.fixture(scope="module")
async def operator(stack: DevStack) -> Client:
    """Who works with Temporal itself."""
    return await Client.connect(stack.state["temporal"]["address"], data_converter=data_converter)


async def watched(stack: DevStack, run_id: str) -> list[str]:
    """The types of the events of a stream, to its end."""
    path = f"/v1/runs/{run_id}/events"
    async with stack.client.stream("GET", path, headers=SSE) as answer:
        return [kind async for _, kind, _ in frames(answer)]


async def events(stack: DevStack, run_id: str, **options: Any) -> httpx.Response:
    return await stack.client.get(f"/v1/runs/{run_id}/events", **options)


async def ended_as(stack: DevStack, run_id: str, end: str) -> None:
    """Wait until the run's journal ends like that; by pages, which ask Temporal nothing."""
    while end not in [event["type"] for event in (await stack.events(run_id))[-1:]]:
        await asyncio.sleep(0.1)


async def test_a_worker_can_write_nothing_after_its_run_was_terminated(
    stack: DevStack, operator: Client, tmp_path: Path
) -> None:
    marker = tmp_path / "marker"
    call = {"call": "plod", "arguments": {"marker": str(marker)}}
    run_id = await stack.submit(call, {"say": "never"}, agent="stubborn")
    await stack.seen(run_id, "tool.progress")
    watching = asyncio.create_task(watched(stack, run_id))
    await operator.get_workflow_handle(run_id).terminate(reason="enough")
    begun = time.monotonic()
    stopped = await watching
    assert time.monotonic() - begun < WATCHED_S
    assert stopped[-1] == "run.terminated"
    async with asyncio.timeout(2 * WORK_S):
        while not marker.exists():
            await asyncio.sleep(0.05)
    await asyncio.sleep(0.5)
    types = [event["type"] for event in await stack.events(run_id)]
    assert types == stopped
    assert types[-2:] == ["tool.progress", "run.terminated"]


async def test_a_waiting_run_that_is_terminated_ends_for_its_watchers_and_is_swept_later(
    stack: DevStack, operator: Client
) -> None:
    run_id = await stack.submit({"call": "ask_user", "arguments": {"question": "why?"}})
    await stack.seen(run_id, "input.requested")
    watching = asyncio.create_task(watched(stack, run_id))
    polling = asyncio.create_task(stack.ended(run_id))
    await asyncio.sleep(1.5)
    await operator.get_workflow_handle(run_id).terminate(reason="enough")
    begun = time.monotonic()
    assert (await watching)[-1] == "run.terminated"
    assert time.monotonic() - begun < WATCHED_S
    run = await polling
    assert (run["status"], run["waiting_for"], run["source"]) == ("terminated", [], "journal")
    last = (await stack.events(run_id))[-1]["seq"]
    again = await events(stack, run_id, headers={**SSE, "Last-Event-ID": str(last)})
    assert again.status_code == 204


async def test_unwatched_runs_end_within_half_a_minute_and_rounds_are_no_runs(
    stack: DevStack, operator: Client
) -> None:
    terminated = await stack.submit({"call": "ask_user", "arguments": {"question": "why?"}})
    await stack.seen(terminated, "input.requested")
    await operator.get_workflow_handle(terminated).terminate()
    timed_out = f"run_{uuid4().hex}"
    spec = AgentSpec(name="assistant", model="rehearsal")
    await operator.start_workflow(
        AgentRun.run,
        RunInput(run_id=timed_out, agent=spec, input=SLOW),
        id=timed_out,
        task_queue=TASK_QUEUE,
        execution_timeout=timedelta(seconds=1),
    )
    async with asyncio.timeout(UNWATCHED_S):
        await asyncio.gather(
            ended_as(stack, terminated, "run.terminated"),
            ended_as(stack, timed_out, "run.timed_out"),
        )
    listed = await stack.client.get("/v1/runs", params={"limit": 100})
    found = {run["run_id"]: run["status"] for run in listed.json()["runs"]}
    assert (found[terminated], found[timed_out]) == ("terminated", "timed_out")
    assert all(run_id.startswith("run_") for run_id in found)
    shifts = [
        item async for item in operator.list_workflows(f"WorkflowId STARTS_WITH '{SCHEDULE_ID}'")
    ]
    assert [item.close_time for item in shifts] == [None], "one workflow makes all the rounds"


async def test_events_past_retention_are_gone_and_the_answer_says_so(
    stack: DevStack, ended_run: str
) -> None:
    while (answer := await events(stack, ended_run)).status_code == 200:
        await asyncio.sleep(0.2)
    problem = answer.json()
    assert (answer.status_code, problem["type"]) == (410, "urn:relayline:problem:cursor-expired")
    resumed = await events(stack, ended_run, headers={**SSE, "Last-Event-ID": "2"})
    assert (resumed.status_code, resumed.json()["oldest"]) == (410, problem["oldest"])
    at_end = await events(
        stack, ended_run, headers={**SSE, "Last-Event-ID": str(problem["oldest"])}
    )
    assert at_end.status_code == 204
    run = (await stack.client.get(f"/v1/runs/{ended_run}")).json()
    assert (run["status"], run["source"]) == ("completed", "temporal")
