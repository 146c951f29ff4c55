"""Paths through `AgentRun` that meet its patches, so that a history has each marker."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from temporalio.api.common.v1 import Payload
from temporalio.client import WorkflowHandle
from temporalio.common import RawValue

from relayline.contracts.calls import ModelResult, PlannedCall
from relayline.contracts.runs import RunResult
from relayline.workflows.agent_run import AgentRun
from tests.dev_stack import DevStack
from tests.own_temporal import own_temporal_server
from tests.resetting import reset
from tests.workflows.fakes import STOP, Fakes

SUGGESTED = "suggested"
"""The recorded run whose first execution continued as new because Temporal suggested it."""
SUGGEST_AT = "limit.historyCount.suggestContinueAsNew=30"


async def stop_told(stack: DevStack) -> str:
    """Cancelled while the model speaks; the workers are told of the stop."""
    run_id = await stack.submit({"tokens": 2000, "every_ms": 20})
    await stack.seen(run_id, "message.delta")
    await stack.send(run_id, "cancel", reason="enough")
    return run_id


async def named_calls(stack: DevStack) -> str:
    """Two tool calls of one step run together; each activity has an id in words."""
    naps = [{"name": "sleep", "arguments": {"seconds": nap}} for nap in (0.1, 0.2)]
    return await stack.submit({"calls": naps}, {"say": "done"})


async def rewound_alone(stack: DevStack) -> str:
    """Reset to the second message; nothing else is recorded beside the reset."""
    call = {"call": "sleep", "arguments": {"seconds": 0}}
    run_id = await stack.submit(call, {"say": "then"}, call, {"say": "done"})
    await stack.ended(run_id)
    await reset(stack, run_id, after_activity=3)
    await stack.seen(run_id, "run.rewound")
    return run_id


async def undecoded_signal(stack: DevStack) -> str:
    """A redirect whose payload no converter can decode is refused."""
    run_id = await stack.submit({"call": "sleep", "arguments": {"seconds": 2}}, {"say": "done"})
    await stack.seen(run_id, "tool.started")
    handle = (await stack.temporal()).get_workflow_handle(run_id)
    payload = Payload(metadata={"encoding": b"json/plain"}, data=b'{"message": "\\ud800"}')
    await handle.signal("redirect", RawValue(payload))
    await stack.seen(run_id, "command.refused")
    return run_id


@asynccontextmanager
async def suggested() -> AsyncIterator[WorkflowHandle[AgentRun, RunResult]]:
    """The first execution of a run that continued as new because Temporal suggested it."""
    fakes = Fakes([*map(_asks, range(1, 8)), STOP])
    async with (
        own_temporal_server("--dynamic-config-value", SUGGEST_AT) as temporal,
        fakes.running(temporal) as handle,
    ):
        await handle.result()
        yield temporal.get_workflow_handle_for(
            AgentRun.run, handle.id, run_id=handle.first_execution_run_id
        )


def _asks(step: int) -> ModelResult:
    call = PlannedCall(call_id=f"call_{step}_0", name="work")
    return ModelResult(finish_reason="tool_calls", calls=(call,))
