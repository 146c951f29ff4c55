"""Keys of payloads are rotated under runs in flight; a key that a worker lacks loses nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from temporalio.client import Client, WorkflowHandle
from temporalio.worker import Worker

from relayline.contracts.calls import ModelRequest, ModelResult
from relayline.contracts.commands import Cancel
from relayline.contracts.runs import AgentSpec, RunInput, RunResult, RunStatus
from relayline.runtime.activations import Activations, skip_idle_visits
from relayline.runtime.payloads.converter import converter_for
from relayline.runtime.payloads.found import key_ids_in
from relayline.runtime.payloads.ring import ListedKeys, PayloadKey, new_key
from relayline.workflows.agent_run import AgentRun
from relayline.workflows.runner import Runner
from tests.workflows.fakes import CALL, STOP, Fakes, hangs

pytestmark = [pytest.mark.slow, pytest.mark.timeout(200)]
"""Calls and tasks fail a few times, each later than before."""
OLD, NEW = new_key("old"), new_key("new")
Handle = WorkflowHandle[AgentRun, RunResult]
BOUND_S = 80


async def client(temporal: Client, *keys: PayloadKey) -> Client:
    """A connection of its own with these keys."""
    address = temporal.service_client.config.target_host
    converter = converter_for(ListedKeys(keys), temporal.namespace)
    return await Client.connect(address, namespace=temporal.namespace, data_converter=converter)


async def started(by: Client) -> Handle:
    run_id = f"run_{uuid4().hex}"
    agent = AgentSpec(name="tested", model="rehearsal", tools=Fakes([]).tools)
    asked = RunInput(run_id=run_id, agent=agent, input="hi")
    return await by.start_workflow(AgentRun.run, asked, id=run_id, task_queue=run_id)


@asynccontextmanager
async def working(
    by: Client, run: Handle, fakes: Fakes, *, runs: bool = True, calls: bool = True
) -> AsyncIterator[None]:
    """A worker, as ours decide on runs, with that client's keys."""
    skip_idle_visits()
    all_calls: list[Callable[..., Any]] = [
        *(fakes.call_model, fakes.call_tool, fakes.check_arguments),
        *(fakes.record_facts, fakes.rewind),
    ]
    async with Worker(
        by,
        task_queue=run.id,
        workflows=[AgentRun] if runs else [],
        workflow_runner=Runner(),
        workflow_task_executor=Activations(4),
        sticky_queue_schedule_to_start_timeout=timedelta(seconds=1),
        activities=all_calls if calls else [],
    ):
        yield


async def until(check: Callable[[Any], bool], run: Handle) -> None:
    """Wait until Temporal says so of the run."""
    async with asyncio.timeout(BOUND_S):
        while not check((await run.describe()).raw_description):
            await asyncio.sleep(0.05)


async def result(run: Handle) -> RunResult:
    return await asyncio.wait_for(run.result(), BOUND_S)


def task_fails(described: Any) -> bool:
    return bool(described.pending_workflow_task.attempt > 1)


def call_fails(described: Any) -> bool:
    return any(it.attempt > 2 for it in described.pending_activities)


async def test_a_run_goes_on_with_the_new_key_and_can_be_read_by_both(temporal: Client) -> None:
    old, both = await client(temporal, OLD), await client(temporal, NEW, OLD)
    begun, go = asyncio.Event(), asyncio.Event()

    async def waits(_: ModelRequest) -> ModelResult:
        begun.set()
        await go.wait()
        return CALL

    fakes = Fakes([waits, waits, STOP])
    run = await started(old)
    async with working(old, run, fakes):
        await asyncio.wait_for(begun.wait(), BOUND_S)
    go.set()
    async with working(both, run, fakes):
        rotated: Handle = both.get_workflow_handle_for(AgentRun.run, run.id)
        assert (await result(rotated)).status is RunStatus.COMPLETED
    history = await run.fetch_history()
    assert key_ids_in(history.events[0]) == {"old"}
    assert key_ids_in(history.events[-1]) == {"new"}


async def test_a_worker_that_lacks_the_key_of_a_run_leaves_it_open_and_says_which(
    temporal: Client,
) -> None:
    old, both = await client(temporal, OLD), await client(temporal, NEW, OLD)
    run = await started(both)
    async with working(old, run, Fakes([STOP])):
        await until(task_fails, run)
    [failed, *_] = [
        event.workflow_task_failed_event_attributes.failure
        async for event in run.fetch_history_events()
        if event.HasField("workflow_task_failed_event_attributes")
    ]
    assert "'new'" in str(await old.data_converter.decode_failure(failed))
    async with working(both, run, Fakes([STOP])):
        assert (await result(run)).status is RunStatus.COMPLETED


async def test_a_worker_that_lacks_the_key_of_a_call_does_not_use_it_up(temporal: Client) -> None:
    old, both = await client(temporal, OLD), await client(temporal, NEW, OLD)
    fakes = Fakes([STOP])
    run = await started(both)
    async with working(both, run, fakes, calls=False):
        async with working(old, run, fakes, runs=False):
            await until(call_fails, run)
        assert not fakes.begun.is_set()
        async with working(await client(temporal, OLD, NEW), run, fakes, runs=False):
            assert (await result(run)).status is RunStatus.COMPLETED


async def test_a_command_with_a_key_that_the_worker_lacks_is_not_lost(temporal: Client) -> None:
    """The worker has no keys at all: it neither decrypts nor looks for what is encrypted."""
    plain, new = await client(temporal), await client(temporal, NEW)
    fakes = Fakes([hangs, hangs])
    run = await started(plain)
    async with working(plain, run, fakes):
        await asyncio.wait_for(fakes.begun.wait(), BOUND_S)
        command = Cancel(command_id="c1", reason="enough")
        await new.get_workflow_handle(run.id).signal("cancel", command)
        await until(task_fails, run)
        assert fakes.outcome("c1") is None
    async with working(new, run, fakes):
        handle: Handle = new.get_workflow_handle_for(AgentRun.run, run.id)
        assert (await result(handle)).status is RunStatus.CANCELLED
    assert fakes.applied("c1")
