"""Idle conversations: an hour of silence costs nothing, and their build need not stay."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client
from temporalio.testing import TimeSkippingConfig, WorkflowEnvironment

from relayline.contracts.commands import MOVE_SIGNAL, Close, SendMessage
from relayline.contracts.runs import RunStatus
from relayline.dev.temporal_server import find_binary, server_flags
from relayline.runtime.temporal import data_converter
from tests.workflows.fakes import STOP, Fakes, Stubborn, send, shows

_OF_THE_SKIP = {
    "EVENT_TYPE_WORKFLOW_EXECUTION_OPTIONS_UPDATED",
    "EVENT_TYPE_WORKFLOW_EXECUTION_TIME_SKIPPING_TRANSITIONED",
}


@pytest.mark.slow
async def test_an_hour_idle_costs_no_event_and_wakes_nobody() -> None:
    async with await WorkflowEnvironment.start_time_skipping_v2(
        ts_config=TimeSkippingConfig(enabled=False),
        dev_server_existing_path=str(find_binary()),
        dev_server_extra_args=[
            *server_flags(),
            *("--dynamic-config-value", "frontend.WorkflowTimeSkippingEnabled=true"),
        ],
        data_converter=data_converter,
    ) as env:
        fakes = Fakes([STOP, STOP])
        fakes.idle_s = 7200
        async with fakes.running(env.client) as handle:
            await shows(handle, RunStatus.IDLE)
            before = await _at_rest(env, handle.id)
            assert await env.fast_forward(handle, timedelta(hours=1))
            after = await _events(env, handle.id)
            assert after == before
            await send(handle, SendMessage(content="b", command_id="b"))
            await fakes.until("turn.completed", 2)
            await send(handle, Close())
            await handle.result()


async def test_a_run_that_must_leave_its_build_continues_as_new_once_it_is_idle(
    temporal: Client,
) -> None:
    stubborn = Stubborn()
    fakes = Fakes([stubborn.model, STOP])
    fakes.idle_s = 3600
    async with fakes.running(temporal) as handle:
        await fakes.begun.wait()
        await handle.signal(MOVE_SIGNAL)
        newest = temporal.get_workflow_handle(handle.id)
        stubborn.release()
        async with asyncio.timeout(30):
            while (await newest.describe()).run_id == handle.first_execution_run_id:
                await asyncio.sleep(0.05)
        await newest.signal("message", SendMessage(content="b", command_id="b"))
        await fakes.until("turn.completed", 2)
        await newest.signal("close", Close())
        await newest.result()
    assert fakes.count("turn.completed") == 2


async def _at_rest(env: WorkflowEnvironment, run_id: str) -> list[str]:
    """As `_events`, once nothing of the turn is under way any more."""
    async with asyncio.timeout(60):
        while True:
            names = await _events(env, run_id)
            begun = names.count("EVENT_TYPE_ACTIVITY_TASK_SCHEDULED")
            ended = names.count("EVENT_TYPE_ACTIVITY_TASK_COMPLETED")
            tasks = [it for it in names if it.startswith("EVENT_TYPE_WORKFLOW_TASK")]
            if begun == ended > 1 and tasks[-1].endswith("_COMPLETED"):
                return names
            await asyncio.sleep(0.05)


async def _events(env: WorkflowEnvironment, run_id: str) -> list[str]:
    """The types of all events of a run but those of the skip; a wake-up has three."""
    history = await env.client.get_workflow_handle(run_id).fetch_history()
    names = [EventType.Name(it.event_type) for it in history.events]
    return [name for name in names if name not in _OF_THE_SKIP]
