"""Pauses, unpauses and resets activities, as `temporal activity pause|unpause|reset` does."""

from __future__ import annotations

from typing import Any, Literal

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflow.v1 import PendingActivityInfo
from temporalio.api.workflowservice.v1 import (
    PauseActivityRequest,
    ResetActivityRequest,
    UnpauseActivityRequest,
)
from temporalio.client import Client, WorkflowHandle

Operation = Literal["pause", "unpause", "reset"]
_REQUESTS: dict[Operation, Any] = {
    "pause": PauseActivityRequest,
    "unpause": UnpauseActivityRequest,
    "reset": ResetActivityRequest,
}


async def operate(client: Client, what: Operation, run_id: str, activity: str) -> None:
    """Do it to the run's activity of that id."""
    execution = WorkflowExecution(workflow_id=run_id)
    request = _REQUESTS[what](namespace="default", execution=execution, id=activity)
    await getattr(client.workflow_service, f"{what}_activity")(request)


async def pending(client: Client, run_id: str) -> list[PendingActivityInfo]:
    """The run's activities that have not ended."""
    handle: WorkflowHandle[Any, Any] = client.get_workflow_handle(run_id)
    return list((await handle.describe()).raw_description.pending_activities)
