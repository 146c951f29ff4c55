"""Runs that make no progress are noted in the lists, also while no worker is there to do it."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from relayline.api.temporal.attention import Attention
from relayline.api.temporal.execution import Execution
from relayline.api.temporal.gateway import Gateway
from relayline.api.temporal.stuck import NO_WORKER, WAITED_S, StuckRuns, WorkerProbe
from relayline.api.temporal.workers import Workers
from relayline.contracts.envelope import NewEvent
from relayline.contracts.events.run import run_queued
from relayline.contracts.keys import QUEUED_KEY
from relayline.contracts.runs import RunInput
from relayline.journal.table import EVERY, RunFilter, Storage
from relayline.runtime.settings import Settings
from relayline.workflows.agent_run import AgentRun
from tests.api.serving import CATALOG, Api, run_id, serving

QUEUE = "of-nobody"


async def waiting_long(client: Client, journal: Storage, label: str) -> str:
    """A run that has waited for a worker for longer than it should."""
    new = run_id()
    given = RunInput(
        run_id=new,
        agent=CATALOG.agents["assistant"].model_copy(update={"name": f"stuck_{label}"}),
        input="hello",
        metadata={"stuck": label},
    )
    await client.start_workflow(AgentRun.run, given, id=new, task_queue=QUEUE)
    queued = run_queued(given, datetime.now(UTC))
    await journal.append(new, [NewEvent(key=QUEUED_KEY, body=queued)])
    await asyncio.sleep(WAITED_S + 0.2)
    return new


async def listed(api: Api, **params: Any) -> dict[str, str | None]:
    """The attention of the listed runs, by id."""
    answer = await api.http.get("/v1/runs", params=params)
    return {item["run_id"]: item["attention"] for item in answer.json()["runs"]}


@pytest.mark.slow
async def test_without_any_worker_a_list_that_is_looked_at_says_so(
    api_temporal: Client, journal: Storage
) -> None:
    run = await waiting_long(api_temporal, journal, "a")
    async with serving(Settings(), journal, api_temporal) as api:
        async with asyncio.timeout(30):
            while (await listed(api, **{"metadata.stuck": "a"})) != {run: NO_WORKER}:
                await asyncio.sleep(0.1)
        assert await listed(api, **{"metadata.stuck": "a", "attention": "true"}) == {run: NO_WORKER}
        assert not await listed(api, **{"metadata.stuck": "a", "attention": "false"})
        only = {"kind": "attention", "agent": "stuck_a"}  # the journal is that of many tests
        inbox = (await api.http.get("/v1/inbox", params=only)).json()["items"]
        assert [item["run_id"] for item in inbox] == [run]
    await api_temporal.get_workflow_handle(run).terminate()


@pytest.mark.slow
async def test_what_was_noted_is_taken_back_once_a_worker_is_there(
    api_temporal: Client, journal: Storage
) -> None:
    gateway = Gateway(api_temporal)
    probe = WorkerProbe(gateway)
    stuck_runs = StuckRuns(gateway, probe, Workers(api_temporal), journal)
    run = await waiting_long(api_temporal, journal, "b")
    attention = Attention(journal, gateway, probe, stuck_runs)
    assert await noted(attention, journal) == NO_WORKER
    worker = Worker(
        api_temporal,
        task_queue=QUEUE,
        workflows=[AgentRun],
        workflow_runner=UnsandboxedWorkflowRunner(),
    )
    async with worker, asyncio.timeout(30):
        while await noted(attention, journal) is not None:
            await asyncio.sleep(0.2)
    await api_temporal.get_workflow_handle(run).terminate()


class Asking(Gateway):
    """Keeps which runs Temporal was asked about."""

    def __init__(self, client: Client) -> None:
        super().__init__(client)
        self.asked: list[str] = []

    async def execution(self, run_id: str) -> Execution | None:
        self.asked.append(run_id)
        return await super().execution(run_id)


@pytest.mark.slow
async def test_temporal_is_asked_ever_less_often_about_a_quiet_run_without_a_problem(
    api_temporal: Client, journal: Storage
) -> None:
    gateway = Asking(api_temporal)
    probe = WorkerProbe(gateway)
    stuck_runs = StuckRuns(gateway, probe, Workers(api_temporal), journal)
    run = await waiting_long(api_temporal, journal, "c")
    await api_temporal.get_workflow_handle(run).terminate()
    attention, began = Attention(journal, gateway, probe, stuck_runs), time.monotonic()
    await attention.note(1000)
    await attention.note(1000)
    assert gateway.asked.count(run) == 1
    async with asyncio.timeout(60):
        while gateway.asked.count(run) == 1:
            await asyncio.sleep(0.2)
            await attention.note(1000)
    assert time.monotonic() - began > WAITED_S, "after as long as it had been quiet"
    gateway.asked.clear()
    await journal.note_attention({run: "activity paused"})
    await attention.note(1000)
    assert gateway.asked.count(run) == 1, "a known problem is looked after each time"


async def noted(attention: Attention, journal: Storage) -> str | None:
    """What is noted of the run `b`, after a round over all runs."""
    await attention.note(1000)
    [found] = await journal.list_runs(EVERY, RunFilter(metadata={"stuck": "b"}), 2)
    return found.attention


@pytest.mark.slow
async def test_while_temporal_is_down_nothing_is_noted_or_taken_back(
    no_temporal: Client, api: Api, journal: Storage
) -> None:
    gateway = Gateway(no_temporal)
    probe = WorkerProbe(gateway)
    stuck_runs = StuckRuns(gateway, probe, Workers(no_temporal), journal)
    given = RunInput(run_id=run_id(), agent=CATALOG.agents["assistant"], input="hello")
    queued = NewEvent(key=QUEUED_KEY, body=run_queued(given, datetime.now(UTC)))
    await journal.append(given.run_id, [queued])
    await journal.note_attention({given.run_id: "activity paused"})
    await asyncio.sleep(WAITED_S + 0.2)
    await Attention(journal, gateway, probe, stuck_runs).note(1)
    found = await journal.listed(EVERY, given.run_id)
    assert found is not None
    assert found.attention == "activity paused"
    assert (await listed(api, q=given.run_id)) == {given.run_id: "activity paused"}
    await journal.note_attention({given.run_id: None})
