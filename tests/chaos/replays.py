"""Replays every execution of a run: those that it was continued or reset from, too."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from temporalio.client import Client, WorkflowHandle, WorkflowHistory
from temporalio.worker import Replayer

from relayline.runtime.temporal import data_converter
from relayline.workflows.agent_run import AgentRun


async def replayed(temporal: Client, run_id: str) -> tuple[int, str]:
    """How many executions there are, and what their replays complain of."""
    replayer = Replayer(workflows=[AgentRun], data_converter=data_converter)
    count, complaints = 0, []
    async with aclosing(_executions(temporal, run_id)) as executions:
        async for execution, history in executions:
            count += 1
            result = await replayer.replay_workflow(history, raise_on_replay_failure=False)
            if result.replay_failure:
                complaints.append(f"{execution}: {result.replay_failure}")
    return count, "; ".join(complaints)


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
