"""A run that can't go on says why: its workflow fails, or no worker takes it."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from temporalio import workflow
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from relayline.api.temporal.stuck import NO_WORKER, TASK_FAILING
from relayline.contracts.runs import RunInput
from relayline.workflows.agent_run import AgentRun
from tests.api.serving import CATALOG, Api, run_id, started

QUEUE = "mistaken"


@workflow.defn(name=AgentRun.__name__)
class MistakenRun:
    """What a bad deployment serves under the same name."""

    @workflow.run
    async def run(self, _: RunInput) -> None:
        raise RuntimeError("a mistake")


async def started_run(client: Client, queue: str) -> str:
    new = run_id()
    given = RunInput(run_id=new, agent=CATALOG.agents["assistant"], input="hello")
    await client.start_workflow(
        AgentRun.run, given, id=new, task_queue=queue, task_timeout=timedelta(seconds=1)
    )
    return new


async def looked_at(api: Api, run: str) -> dict[str, Any]:
    view: dict[str, Any] = (await api.http.get(f"/v1/runs/{run}")).json()
    return view


async def until(api: Api, run: str, attention: str | None) -> dict[str, Any]:
    """The run as soon as it says that."""
    async with asyncio.timeout(12):
        while (view := await looked_at(api, run))["attention"] != attention:
            await asyncio.sleep(0.1)
    return view


@pytest.mark.slow
async def test_a_run_whose_workflow_fails_says_so_until_it_is_mended(
    api: Api, api_temporal: Client
) -> None:
    run = await started_run(api_temporal, QUEUE)
    assert (await looked_at(api, run))["attention"] is None
    mistaken = Worker(
        api_temporal,
        task_queue=QUEUE,
        workflows=[MistakenRun],
        workflow_runner=UnsandboxedWorkflowRunner(),
    )
    async with mistaken:
        view = await until(api, run, TASK_FAILING)
    assert view["status"] == "queued"
    progress = (await api.http.get(f"/v1/runs/{run}/progress")).json()
    assert (progress["source"], progress["attention"]) == ("memo", TASK_FAILING)
    await api_temporal.get_workflow_handle(run).terminate()
    await until(api, run, None)


@pytest.mark.slow
async def test_a_run_that_nobody_takes_says_so_until_a_worker_comes(
    api: Api, api_temporal: Client
) -> None:
    run = await started_run(api_temporal, QUEUE)
    assert (await looked_at(api, run))["attention"] is None
    assert (await until(api, run, NO_WORKER))["status"] == "queued"
    worker = Worker(
        api_temporal,
        task_queue=QUEUE,
        workflows=[AgentRun],
        workflow_runner=UnsandboxedWorkflowRunner(),
    )
    async with worker:
        assert (await until(api, run, None))["status"] == "running"
    await api_temporal.get_workflow_handle(run).terminate()


async def test_a_run_with_nothing_to_do_needs_no_worker(api: Api, lonely_api: Api) -> None:
    run = run_id()
    await api.journal.append(run, [started()])
    assert (await looked_at(lonely_api, run))["attention"] is None
