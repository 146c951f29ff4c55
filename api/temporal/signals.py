"""What a run was given: its input, and commands as signals, sent and found, read or not."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from datetime import timedelta
from typing import get_args

from temporalio.api.enums.v1 import PendingWorkflowTaskState
from temporalio.client import WorkflowHandle
from temporalio.converter import DataConverter
from temporalio.service import RPCError, RPCStatusCode

from relayline.api.errors import TooManyCommands
from relayline.contracts.commands import AnyCommand, read_command
from relayline.contracts.runs import RunInput, RunResult
from relayline.workflows.agent_run import AgentRun

CALL_TIMEOUT = timedelta(seconds=5)
LOOK_S = 0.02
SIGNAL_S = 5.0
_OUT_OF_SIGNALS = "limit for signal events"
"""In Temporal's error for a signal beyond the limit of the execution."""
_Handle = WorkflowHandle[AgentRun, RunResult]
_KINDS: dict[str, type[AnyCommand]] = {kind.kind.value: kind for kind in get_args(AnyCommand)}


def send_signal(handle: _Handle, command: AnyCommand) -> Awaitable[None]:
    """Send the command to its handler in the workflow."""
    timeout = timedelta(seconds=SIGNAL_S)
    return handle.signal(command.kind.value, command, rpc_timeout=timeout)


def check_refusal(run_id: str, error: RPCError) -> None:
    """Check that Temporal did not refuse a signal for the number of signals.

    Raises:
        TooManyCommands: it did.
    """
    if error.status is RPCStatusCode.INVALID_ARGUMENT and _OUT_OF_SIGNALS in str(error):
        raise TooManyCommands(
            f"{run_id} takes no command before its step is over: Temporal has counted too many",
            run_id=run_id,
        ) from error


async def find_signal(
    handle: _Handle, converter: DataConverter, command_id: str
) -> AnyCommand | None:
    """The command; None if Temporal had accepted none with that id before this call.

    Reads the newest execution only: one that continued as new has read its commands and recorded
    them in the journal. May take as long as a workflow task may.

    Raises:
        RPCError: Temporal does not know the run, or does not answer.
    """
    await _wait_for_task(handle)
    async for event in handle.fetch_history_events(rpc_timeout=CALL_TIMEOUT):
        signal = event.workflow_execution_signaled_event_attributes
        kind = _KINDS.get(signal.signal_name)
        if kind is None:
            continue
        given = await converter.decode(signal.input.payloads)
        if any(isinstance(it, dict) and it.get("command_id") == command_id for it in given):
            return read_command(kind, given)
    return None


async def first_input(handle: _Handle, converter: DataConverter) -> RunInput | None:
    """The argument with which the newest execution began.

    Raises:
        RPCError: Temporal does not know the run, or does not answer.
    """
    async for event in handle.fetch_history_events(page_size=1, rpc_timeout=CALL_TIMEOUT):
        given = event.workflow_execution_started_event_attributes.input.payloads
        [run] = await converter.decode(given, [RunInput])
        return RunInput.model_validate(run)
    return None


async def _wait_for_task(handle: _Handle) -> None:
    """Return when the history has every signal that was accepted before.

    Signals that come during a workflow task are added when it ends: within milliseconds, or after
    its timeout if its worker is dead.
    """
    task = await _started_task(handle)
    while task is not None and task == await _started_task(handle):
        await asyncio.sleep(LOOK_S)


async def _started_task(handle: _Handle) -> tuple[int, int] | None:
    """The attempt and start time of the running workflow task, None if there is none."""
    described = await handle.describe(rpc_timeout=CALL_TIMEOUT)
    task = described.raw_description.pending_workflow_task
    if task.state != PendingWorkflowTaskState.PENDING_WORKFLOW_TASK_STATE_STARTED:
        return None
    return task.attempt, task.started_time.ToNanoseconds()
