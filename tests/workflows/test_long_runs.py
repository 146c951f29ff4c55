"""A run with a long history goes on in a new execution, and nobody notices."""

from __future__ import annotations

import asyncio

import pytest
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowHandle

from relayline.contracts.calls import ModelRequest, ModelResult, PlannedCall
from relayline.contracts.commands import Decide, Decision, Pause, Resume
from relayline.contracts.runs import Limits, RunResult, RunStatus
from relayline.workflows.agent_run import AgentRun
from tests.workflows.fakes import STOP, Fakes, Model

STEPS = 12


async def calls(request: ModelRequest) -> ModelResult:
    """Asks for one call."""
    call = PlannedCall(call_id=f"call_{request.step}_0", name="work")
    return ModelResult(finish_reason="tool_calls", calls=(call,))


def long_run(last: Model | ModelResult = STOP) -> Fakes:
    """Twelve steps, of which no four fit into one execution."""
    fakes = Fakes([*[calls] * (STEPS - 1), last])
    fakes.history_bound = 40
    return fakes


async def executions(temporal: Client, handle: WorkflowHandle[AgentRun, RunResult]) -> list[str]:
    """How each execution of the run ended, oldest first; visibility lags a moment."""
    while True:
        query = f"WorkflowId = '{handle.id}'"
        found = [item async for item in temporal.list_workflows(query)]
        if len(found) > 1 and all(item.status != WorkflowExecutionStatus.RUNNING for item in found):
            found.sort(key=lambda item: item.start_time)
            return [item.status.name for item in found if item.status]
        await asyncio.sleep(0.1)


@pytest.mark.slow
async def test_every_step_is_taken_once_over_several_executions(temporal: Client) -> None:
    fakes = long_run()
    async with fakes.running(temporal, Limits(max_steps=STEPS)) as handle:
        result = await handle.result()
        *before, last = await executions(temporal, handle)
    assert (result.status, result.steps) == (RunStatus.COMPLETED, STEPS)
    assert set(before) == {"CONTINUED_AS_NEW"}
    assert (len(before) >= 2, last) == (True, "COMPLETED")
    steps = [fact.step for fact in fakes.facts if fact.body.type == "step.started"]
    assert steps == list(range(1, STEPS + 1))
    assert fakes.count("run.started") == fakes.count("run.completed") == 1
    assert not fakes.changed


@pytest.mark.slow
async def test_limits_count_over_all_executions(temporal: Client) -> None:
    fakes = long_run()
    async with fakes.running(temporal, Limits(max_tool_calls=9, on_limit="ask")) as handle:
        await fakes.until("approval.requested")
        assert (await handle.query(AgentRun.progress)).tool_calls == 9
        await handle.signal(AgentRun.cancel)
        assert (await handle.result()).steps == 10


@pytest.mark.slow
async def test_a_command_that_came_before_is_known_in_the_next_execution(
    temporal: Client,
) -> None:
    fakes = long_run()
    async with fakes.running(temporal) as handle:
        await handle.signal(AgentRun.pause, Pause(command_id="p"))
        await fakes.settled("p")
        await handle.signal(AgentRun.resume, Resume(command_id="r"))
        while (await handle.query(AgentRun.progress)).step < 8:
            await handle.signal(AgentRun.pause, Pause(command_id="p"))
            await asyncio.sleep(0.02)
        assert (await handle.result()).status is RunStatus.COMPLETED
    assert fakes.types.count("command.accepted") == 2
    assert fakes.count("run.paused") == 1


@pytest.mark.slow
async def test_a_paused_run_stays_paused_in_the_next_execution(temporal: Client) -> None:
    fakes = long_run()
    async with fakes.running(temporal) as handle:
        await handle.signal(AgentRun.pause, Pause(command_id="p"))
        await fakes.settled("p")
        first = (await handle.describe()).run_id
        number = 0
        while (await handle.describe()).run_id == first:
            number += 1
            await handle.signal(AgentRun.pause, Pause(command_id=f"p{number}"))
            await fakes.settled(f"p{number}")
        progress = await handle.query(AgentRun.progress)
        assert progress.status is RunStatus.PAUSED
        await handle.signal(AgentRun.resume, Resume(command_id="r"))
        assert (await handle.result()).status is RunStatus.COMPLETED
    assert fakes.count("run.paused") == 1
    assert all(fakes.refused(f"p{index}") == "already paused" for index in range(1, number + 1))


@pytest.mark.slow
async def test_a_limit_that_a_person_has_raised_stays_raised(temporal: Client) -> None:
    fakes = long_run()
    async with fakes.running(temporal, Limits(max_tool_calls=2, on_limit="ask")) as handle:
        await fakes.until("approval.requested")
        raised = Decide(
            command_id="d",
            approval_id="approval_budget_1",
            decision=Decision.APPROVE,
            arguments={"raise_to": STEPS},
        )
        await handle.signal(AgentRun.decide, raised)
        assert (await handle.result()).steps == STEPS
        assert len(await executions(temporal, handle)) > 2
    assert fakes.count("budget.exceeded") == fakes.count("approval.requested") == 1


@pytest.mark.slow
async def test_no_command_is_lost_where_an_execution_ends(temporal: Client) -> None:
    sent, all_sent = 0, asyncio.Event()

    async def last(_: ModelRequest) -> ModelResult:
        await all_sent.wait()  # what comes after the run's end is another matter
        return STOP

    fakes = long_run(last)
    async with fakes.running(temporal) as handle:
        while (await handle.query(AgentRun.progress)).step < STEPS:
            sent += 1
            await handle.signal(AgentRun.resume, Resume(command_id=f"r{sent}"))
            await asyncio.sleep(0.02)
        all_sent.set()
        assert (await handle.result()).status is RunStatus.COMPLETED
        assert len(await executions(temporal, handle)) > 2
    assert fakes.types.count("command.accepted") == fakes.types.count("command.refused") == sent
