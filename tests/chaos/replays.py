"""Replays every execution of a run: those that it was continued or reset from, too."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from temporalio.client import Client, WorkflowHandle, WorkflowHistory
from temporalio.worker import Replayer

from relayline.workflows.agent_run import AgentRun

TRIES = 5
"""How often a replay may be too slow for the SDK, which allows 2 s between two awaits."""
_TOO_SLOW = "[TMPRL1101]"


async def replayed(temporal: Client, run_id: str) -> tuple[int, str]:
    """How many executions there are, and what their replays complain of."""
    replayer = Replayer(workflows=[AgentRun], data_converter=temporal.data_converter)
    count, complaints = 0, []
    async with aclosing(_executions(temporal, run_id)) as executions:
        async for execution, history in executions:
            count += 1
            if complaint := await _complaint(replayer, history):
                complaints.append(f"{execution}: {complaint}")
    return count, "; ".join(complaints)


async def _complaint(replayer: Replayer, history: WorkflowHistory) -> str:
    """What a replay complains of; it begins again when it was only too slow."""
    said = ""
    for _ in range(TRIES):
        result = await replayer.replay_workflow(history, raise_on_replay_failure=False)
        said = str(result.replay_failure or "")
        if _TOO_SLOW not in said:
            break
    return said


async def _executions(
    temporal: Client, run_id: str
) -> AsyncGenerator[tuple[str, WorkflowHistory], None]:
    """Each with its history, the newest first."""
    newest: WorkflowHandle[Any, Any] = temporal.get_workflow_handle(run_id)
    left, seen = [(await newest.describe()).run_id], set[str]()
    while left:
        execution = left.pop()
        if execution in seen:
            continue
        seen.add(execution)
        handle: WorkflowHandle[Any, Any] = temporal.get_workflow_handle(run_id, run_id=execution)
        history = await handle.fetch_history()
        yield execution, history
        for event in history.events:
            continued = event.workflow_execution_started_event_attributes.continued_execution_run_id
            was_reset = event.workflow_task_failed_event_attributes.base_run_id
            left += [it for it in (continued, was_reset) if it]
