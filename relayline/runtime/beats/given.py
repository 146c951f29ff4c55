"""The calls of open runs that Temporal has given to workers, as Temporal tells them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple

from temporalio.api.enums.v1 import PendingActivityState
from temporalio.api.workflow.v1 import PendingActivityInfo
from temporalio.client import AsyncActivityHandle, Client
from temporalio.service import RPCError, RPCStatusCode

from relayline.contracts.housekeeping import RUN_WORKFLOW
from relayline.contracts.runs import TASK_QUEUE

LOOK_S = 0.4
"""How long one look at the open runs serves all late workers."""
MOST_DESCRIBED = 500
"""Open runs that one look describes, the newest; the rest have Temporal's time-outs."""
AT_ONCE = 16
RPC_TIMEOUT = timedelta(seconds=2)
ANSWER_S = 2.5
"""How long one call of Temporal may take, retries included: the SDK's own pauses grow, and may
outlast Temporal's absence."""
_STARTED = PendingActivityState.PENDING_ACTIVITY_STATE_STARTED
_OPEN = (
    f"WorkflowType = '{RUN_WORKFLOW}' AND TaskQueue = '{TASK_QUEUE}'"
    " AND ExecutionStatus = 'Running'"
)


class _Busy(NamedTuple):
    """An open run."""

    run_id: str
    execution: str | None
    workers: frozenset[str]
    """Identities of those that have its calls, or had them last."""


class GivenCalls:
    """Looks at the open runs for calls of one worker. For one event loop."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._looking = asyncio.Lock()
        self._looked_at = float("-inf")
        self._busy: list[_Busy] = []

    async def of(self, worker: str) -> list[AsyncActivityHandle]:
        """Handles, by id, of the calls of any kind that this worker was given and has not ended.

        A run that has one is described again for it, so that the answer is fresh.

        Raises:
            RPCError: Temporal did not answer.
            TimeoutError: it did not answer in `ANSWER_S`.
        """
        found: list[AsyncActivityHandle] = []
        for run_id, execution, workers in await self._look():
            if worker in workers:
                found += [
                    self._client.get_async_activity_handle(
                        workflow_id=run_id, run_id=execution, activity_id=it.activity_id
                    )
                    for it in await self._pending(run_id, execution)
                    if it.state == _STARTED and it.last_worker_identity == worker
                ]
        return found

    async def _look(self) -> list[_Busy]:
        """The open runs with the workers that have calls of theirs; at most `LOOK_S` old."""
        loop = asyncio.get_running_loop()
        async with self._looking:
            if loop.time() - self._looked_at > LOOK_S:
                self._busy = []  # after a failure nobody looks again at once
                try:
                    self._busy = await self._described()
                finally:
                    self._looked_at = loop.time()
        return self._busy

    async def _described(self) -> list[_Busy]:
        listed = self._client.list_workflows(_OPEN, limit=MOST_DESCRIBED, rpc_timeout=RPC_TIMEOUT)
        async with asyncio.timeout(ANSWER_S):
            runs = [(it.id, it.run_id) async for it in listed]
        gate = asyncio.Semaphore(AT_ONCE)

        async def look(run_id: str, execution: str | None) -> _Busy:
            async with gate:
                pending = await self._pending(run_id, execution)
            return _Busy(run_id, execution, frozenset(it.last_worker_identity for it in pending))

        return await asyncio.gather(*(look(*run) for run in runs))

    async def _pending(self, run_id: str, execution: str | None) -> Sequence[PendingActivityInfo]:
        """The activities of a run that have not ended; none if it is gone."""
        handle = self._client.get_workflow_handle(run_id, run_id=execution)
        try:
            async with asyncio.timeout(ANSWER_S):
                described = await handle.describe(rpc_timeout=RPC_TIMEOUT)
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return ()
            raise
        return described.raw_description.pending_activities
