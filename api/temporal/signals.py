"""Which commands Temporal has taken for a run, whether the run has read them or not."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import get_args

from temporalio.api.enums.v1 import PendingWorkflowTaskState
from temporalio.client import WorkflowHandle
from temporalio.converter import DataConverter

from relayline.contracts.commands import AnyCommand, read_command
from relayline.contracts.runs import RunResult
from relayline.workflows.agent_run import AgentRun

CALL_TIMEOUT = timedelta(seconds=5)
LOOK_S = 0.02
_Handle = WorkflowHandle[AgentRun, RunResult]
_KINDS: dict[str, type[AnyCommand]] = {kind.kind.value: kind for kind in get_args(AnyCommand)}


async def taken_command(
    handle: _Handle, converter: DataConverter, command_id: str
) -> AnyCommand | None:
    """The command; None if Temporal has taken none of that id before this call.

    Looks at the newest execution: one that goes on in another has read its commands and told of
    them in the journal. May take as long as a workflow task may.

    Raises:
        RPCError: Temporal does not know the run, or does not answer.
    """
    await _settled(handle)
    async for event in handle.fetch_history_events(rpc_timeout=CALL_TIMEOUT):
        signal = event.workflow_execution_signaled_event_attributes
        kind = _KINDS.get(signal.signal_name)
        if kind is None:
            continue
        given = await converter.decode(signal.input.payloads)
        if any(isinstance(it, dict) and it.get("command_id") == command_id for it in given):
            return read_command(kind, given)
    return None


async def _settled(handle: _Handle) -> None:
    """Return when the history has every signal that was taken before.

    Those that come while a workflow task is at work are added when it ends: within milliseconds,
    or after its time-out if its worker is gone.
    """
    task = await _at_work(handle)
    while task is not None and task == await _at_work(handle):
        await asyncio.sleep(LOOK_S)


async def _at_work(handle: _Handle) -> tuple[int, int] | None:
    """Which workflow task is at work, None if none is: its attempt and when that began."""
    described = await handle.describe(rpc_timeout=CALL_TIMEOUT)
    task = described.raw_description.pending_workflow_task
    if task.state != PendingWorkflowTaskState.PENDING_WORKFLOW_TASK_STATE_STARTED:
        return None
    return task.attempt, task.started_time.ToNanoseconds()
