"""Deletes executions from Temporal: history, memo and search attributes."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from relayline.activities.housekeeping import RPC_TIMEOUT
from relayline.contracts.runs import RUN_ID_PATTERN

Eraser = Callable[[str], Awaitable[bool]]
"""Erases what one store has of a run, or of a tenant; True once nothing is left there. Safe to
repeat.

Raises `RPCError` or `JournalUnavailable` if the store did not answer; it is asked again.
"""
_RUN_ID = re.compile(RUN_ID_PATTERN)


def erase_executions(client: Client) -> Eraser:
    """Deletes all executions of a run from Temporal: history, memo, search attributes."""

    async def erase(run_id: str) -> bool:
        if not _RUN_ID.fullmatch(run_id):
            return True  # no execution has such an id, which the query could not quote
        left = await _describes(client, run_id)
        is_gone = await delete_listed(client, f"WorkflowId = '{run_id}'")
        if left:
            await _delete(client, WorkflowExecution(workflow_id=run_id, run_id=left))
        return is_gone and not left

    return erase


async def delete_listed(client: Client, query: str) -> bool:
    """Delete all executions that visibility lists, also open ones; True if there were none.

    Raises:
        RPCError: Temporal did not answer.
    """
    listed = client.list_workflows(query, rpc_timeout=RPC_TIMEOUT)
    found = [WorkflowExecution(workflow_id=it.id, run_id=it.run_id) async for it in listed]
    for execution in found:
        await _delete(client, execution)
    return not found


async def _describes(client: Client, run_id: str) -> str | None:
    """The newest execution of the run; None if Temporal has none."""
    try:
        found = await client.get_workflow_handle(run_id).describe(rpc_timeout=RPC_TIMEOUT)
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        return None
    return found.run_id


async def _delete(client: Client, execution: WorkflowExecution) -> None:
    """Ask Temporal to delete the execution, which it does in the background."""
    request = DeleteWorkflowExecutionRequest(
        namespace=client.namespace, workflow_execution=execution
    )
    try:
        await client.workflow_service.delete_workflow_execution(request, timeout=RPC_TIMEOUT)
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
