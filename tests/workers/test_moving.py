"""Idle conversations leave their build when another one becomes current."""

from __future__ import annotations

import asyncio

import pytest
from temporalio.client import Client

from relayline.activities.moving import IdleRuns
from relayline.contracts.commands import MOVE_SIGNAL, Close
from relayline.contracts.runs import TASK_QUEUE, AgentSpec, RunInput, RunStatus
from relayline.workflows.agent_run import AgentRun
from tests.api.serving import run_id
from tests.workers.test_builds import BOUND_S, Handle, Site, done, site

__all__ = ["site"]
pytestmark = [pytest.mark.stack, pytest.mark.timeout(150)]
SCRIPT = '{"rehearse": [{"say": "hello"}]}'


async def idle_run(site: Site) -> Handle:
    """A conversation whose first turn is over."""
    agent = AgentSpec(name="tested", model="rehearsal")
    given = RunInput(run_id=run_id(), agent=agent, input=SCRIPT, idle_s=3600)
    run = await site.temporal.start_workflow(
        AgentRun.run, given, id=given.run_id, task_queue=TASK_QUEUE
    )
    async with asyncio.timeout(BOUND_S):
        while (await run.query(AgentRun.progress)).status is not RunStatus.IDLE:
            await asyncio.sleep(0.05)
    return run


async def test_an_idle_run_moves_to_the_current_build_and_is_asked_once(site: Site) -> None:
    await site.hire("v1")
    await site.deployed("set-current", "v1")
    run = await idle_run(site)
    await site.hire("v2")
    await site.deployed("set-current", "v2")
    newest = site.temporal.get_workflow_handle(run.id)
    async with asyncio.timeout(BOUND_S):
        while (await newest.describe()).run_id == run.first_execution_run_id:
            await (await site.housekeeping()).result()
    await newest.signal("close", Close())
    old, new = await done(run)
    assert (old.decisions, new.decisions) == (["v1"], ["v2"])
    signals = await signalled(site.temporal, run)
    assert signals == [MOVE_SIGNAL]


async def test_a_run_whose_build_has_no_workers_left_gets_one_signal(site: Site) -> None:
    await site.hire("v1")
    await site.deployed("set-current", "v1")
    run = await idle_run(site)
    await site.dismiss("v1")
    await site.hire("v2")
    await site.deployed("set-current", "v2")
    idle = IdleRuns(site.temporal, "relayline")
    async with asyncio.timeout(BOUND_S):
        while not await idle.move():
            await asyncio.sleep(0.1)
    for _ in range(3):
        await idle.move()
    async with asyncio.timeout(BOUND_S):  # Temporal holds it back during a task, if one was left
        while not (signals := await signalled(site.temporal, run)):
            await asyncio.sleep(0.1)
    assert signals == [MOVE_SIGNAL]
    await run.terminate()


async def test_without_a_current_build_nobody_is_asked(site: Site) -> None:
    assert await IdleRuns(site.temporal, "nothing-deployed").move() == 0


async def signalled(temporal: Client, run: Handle) -> list[str]:
    """The signals of the run's first execution."""
    first = temporal.get_workflow_handle(run.id, run_id=run.first_execution_run_id)
    history = await first.fetch_history()
    attributes = [it.workflow_execution_signaled_event_attributes for it in history.events]
    return [it.signal_name for it in attributes if it.signal_name]
