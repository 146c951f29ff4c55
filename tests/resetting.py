"""Resets runs, as an operator does in Temporal."""

from __future__ import annotations

from typing import Protocol
from uuid import uuid4

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import Client, WorkflowHistory

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


async def reset_to(stack: Stack, run_id: str, task: int) -> None:
    """Reset to the workflow task that ends with this event."""
    temporal = await stack.temporal()
    await temporal.workflow_service.reset_workflow_execution(
        ResetWorkflowExecutionRequest(
            namespace="default",
            workflow_execution=WorkflowExecution(workflow_id=run_id),
            reason="try again",
            workflow_task_finish_event_id=task,
            request_id=uuid4().hex,
        )
    )
