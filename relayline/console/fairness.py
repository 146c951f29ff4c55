"""Whether Temporal heeds fairness keys: a probe, because a server can't be asked."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import uuid4

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest, PollWorkflowTaskQueueRequest
from temporalio.client import Client
from temporalio.common import Priority

FLOOD, OTHERS = 20, 2
"""Tasks of one fairness key, and of another one that comes after them."""
WITHIN = 11
"""Where tasks take turns, those of the other key are among so many first ones."""
BOUND = timedelta(seconds=30)
"""The longest that the probe may take; Temporal then ends what it has left behind."""
_CALL = timedelta(seconds=5)
_POLL_S = 0.1


async def heeds_fairness(client: Client) -> bool:
    """Whether tasks of two fairness keys take turns; leaves 22 terminated workflows behind.

    They wait in a task queue of their own, which no worker serves.

    Raises:
        RPCError: Temporal refused, or did not answer.
        TimeoutError: it did not give out the tasks within `BOUND`.
    """
    queue = f"relayline-doctor-{uuid4().hex}"
    ids = [f"{queue}-{number:02}" for number in range(FLOOD + OTHERS)]
    try:
        async with asyncio.timeout(BOUND.total_seconds()):
            for number, workflow_id in enumerate(ids):
                await client.start_workflow(
                    "RelaylineDoctor",
                    id=workflow_id,
                    task_queue=queue,
                    execution_timeout=BOUND,
                    priority=Priority(fairness_key="flood" if number < FLOOD else "other"),
                    rpc_timeout=_CALL,
                )
            await _waiting(client, queue)
            first = [await _taken(client, queue) for _ in range(WITHIN)]
    finally:
        ended = (client.get_workflow_handle(each).terminate(rpc_timeout=_CALL) for each in ids)
        await asyncio.gather(*ended, return_exceptions=True)  # `BOUND` ends those that are left
    return {*ids[FLOOD:]} <= {*first}


async def _waiting(client: Client, queue: str) -> None:
    """Return when all tasks are in the queue."""
    request = DescribeTaskQueueRequest(
        namespace=client.namespace,
        task_queue=TaskQueue(name=queue),
        task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
        report_stats=True,
    )
    while True:
        found = await client.workflow_service.describe_task_queue(request, timeout=_CALL)
        if found.stats.approximate_backlog_count >= FLOOD + OTHERS:
            return
        await asyncio.sleep(_POLL_S)


async def _taken(client: Client, queue: str) -> str:
    """Take the next task; the id of its workflow."""
    request = PollWorkflowTaskQueueRequest(
        namespace=client.namespace, task_queue=TaskQueue(name=queue), identity="relayline doctor"
    )
    while True:
        task = await client.workflow_service.poll_workflow_task_queue(request, timeout=BOUND)
        if task.workflow_execution.workflow_id:
            return task.workflow_execution.workflow_id
