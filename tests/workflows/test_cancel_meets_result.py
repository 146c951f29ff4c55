"""A cancel request of Temporal that reaches the run together with the result of a call."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import pytest
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import CancelledError
from temporalio.worker import Worker

from relayline.contracts.calls import ModelRequest, ModelResult, ToolOutcome, ToolRequest
from relayline.contracts.runs import AgentSpec, RunInput, RunResult
from relayline.workflows.agent_run import AgentRun
from tests.workflows.fakes import CALL, Fakes, completes


class Held(Fakes):
    """One call returns when it is released, and does not mind being cancelled."""

    def __init__(self, *, in_tool: bool) -> None:
        super().__init__([CALL if in_tool else self._model], self._held if in_tool else completes)
        self.held = asyncio.Event()
        self.released = asyncio.Event()

    async def _model(self, _: ModelRequest) -> ModelResult:
        self.held.set()
        await self.released.wait()
        return CALL

    async def _held(self, request: ToolRequest) -> ToolOutcome:
        self.held.set()
        await self.released.wait()
        return ToolOutcome(call_id=request.call.call_id)


@asynccontextmanager
async def deciding(temporal: Client, queue: str) -> AsyncIterator[None]:
    """A worker that runs the workflow and no activity, and keeps nothing in memory."""
    async with Worker(temporal, task_queue=queue, workflows=[AgentRun], max_cached_workflows=0):
        yield


async def met(temporal: Client, fakes: Held) -> WorkflowHandle[AgentRun, RunResult]:
    """A run that learns in one go that it is to be cancelled and that the call has returned."""
    run_id = f"run_{uuid4().hex}"
    agent = AgentSpec(name="tested", model="rehearsal", tools=fakes.tools)
    calls: list[Callable[..., Any]] = [
        fakes.call_model,
        fakes.call_tool,
        fakes.check_arguments,
        fakes.record_facts,
    ]
    async with (
        Worker(temporal, task_queue=run_id, activities=calls),
    ):
        handle = await temporal.start_workflow(
            AgentRun.run,
            RunInput(run_id=run_id, agent=agent, input="hi"),
            id=run_id,
            task_queue=run_id,
        )
        async with deciding(temporal, run_id):
            await fakes.held.wait()
        await handle.cancel()
        fakes.released.set()
        async with deciding(temporal, run_id):
            with pytest.raises(WorkflowFailureError) as failed:
                await handle.result()
    assert isinstance(failed.value.cause, CancelledError)
    return handle


@pytest.mark.parametrize("in_tool", [True, False])
async def test_the_run_ends_with_its_last_word_and_no_result_is_lost(
    temporal: Client, in_tool: bool
) -> None:
    fakes = Held(in_tool=in_tool)
    await met(temporal, fakes)
    assert fakes.types[-1] == "run.cancelled"
    assert fakes.count("message.interrupted") == 0
    assert fakes.count("tool.cancelled") == (0 if in_tool else 1)
    assert fakes.count("command.applied") == 1
