"""Resets runs, as an operator does in Temporal."""

from __future__ import annotations

import asyncio
from typing import Protocol
from uuid import uuid4

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType, ResetReapplyExcludeType
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import Client, WorkflowHistory

_SIGNALS = ResetReapplyExcludeType.RESET_REAPPLY_EXCLUDE_TYPE_SIGNAL
FIRST_TASK = 4
"""The event that ends the first workflow task."""


class Stack(Protocol):
    """What there is to reset runs in."""

    async def temporal(self) -> Client:
        """A client of its Temporal."""
        ...


async def history(stack: Stack, run_id: str) -> WorkflowHistory:
    """Of the run's newest execution."""
    temporal = await stack.temporal()
    return await temporal.get_workflow_handle(run_id).fetch_history()


async def reset(stack: Stack, run_id: str, *, after_activity: int) -> None:
    """Reset to the workflow task that learned of that activity's result (1 is the first)."""
    events = (await history(stack, run_id)).events
    results = [
        event.event_id
        for event in events
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED
    ]
    task = next(
        event.event_id
        for event in events
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
        and event.event_id > results[after_activity - 1]
    )
    await reset_to(stack, run_id, task)


async def at_rest(stack: Stack, run_id: str) -> int:
    """Wait until nothing of the run is under way; the event that ends its last workflow task."""
    while True:
        last = (await history(stack, run_id)).events[-1]
        if last.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED:
            return last.event_id
        await asyncio.sleep(0.02)


async def child_known(stack: Stack, run_id: str) -> int:
    """The end of the workflow task that has learnt that a run below has started."""
    events = (await history(stack, run_id)).events
    started = EventType.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED
    seen = next(it.event_id for it in events if it.event_type == started)
    ends = (it for it in events if it.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED)
    return next(it.event_id for it in ends if it.event_id > seen)


async def reset_to(stack: Stack, run_id: str, task: int, *, signals: bool = True) -> None:
    """Reset to the workflow task that ends with this event.

    Args:
        stack: Where the run is.
        run_id: The run.
        task: The event.
        signals: Whether the run gets those once more that came later.
    """
    temporal = await stack.temporal()
    await temporal.workflow_service.reset_workflow_execution(
        ResetWorkflowExecutionRequest(
            namespace="default",
            workflow_execution=WorkflowExecution(workflow_id=run_id),
            reason="try again",
            workflow_task_finish_event_id=task,
            request_id=uuid4().hex,
            reset_reapply_exclude_types=[] if signals else [_SIGNALS],
        )
    )
