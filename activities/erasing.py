"""The activity `finish_erasures`: erases what expired, and what other stores have of erased runs.

The journal erases its own part first and keeps the id until all the others have nothing left. Each
store that has something of a run is one `Eraser` in the list of the composition root.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from temporalio import activity
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from relayline.activities.housekeeping import RPC_TIMEOUT, SWEEP_FOR, translated
from relayline.activities.presence import heartbeats
from relayline.contracts.housekeeping import HousekeepingRequest, HousekeepingResult
from relayline.contracts.runs import RUN_ID_PATTERN
from relayline.journal.erasures import Erasure
from relayline.journal.port import RunOpen
from relayline.journal.table import EVERY, Storage

Eraser = Callable[[str], Awaitable[bool]]
"""Erases what one store has of a run; True once nothing is left there. Safe to repeat.

Raises `RPCError` or `JournalUnavailable` if the store did not answer; it is asked again.
"""
SETTLED = timedelta(minutes=1)
"""An erasure is not finished earlier: Temporal's visibility may not have listed an execution yet.
"""
AT_ONCE = 8
"""Erasures that are finished concurrently."""
IN_A_ROUND = 2000
"""Erasures that one round looks at, at most."""
_RUN_ID = re.compile(RUN_ID_PATTERN)


class ErasingActivities:
    """A part of a round of housekeeping; any worker may repeat it.

    Args:
        storage: Which runs were erased, and which have expired.
        erasers: One for each store beside the journal that has something of a run.
        work_for: How long one round works.
        settled: How old an erasure must be to be finished.
    """

    def __init__(
        self,
        storage: Storage,
        erasers: Sequence[Eraser],
        work_for: timedelta = SWEEP_FOR,
        settled: timedelta = SETTLED,
    ) -> None:
        self._storage = storage
        self._erasers = erasers
        self._work_for = work_for
        self._settled = settled

    @activity.defn
    async def finish_erasures(self, request: HousekeepingRequest) -> HousekeepingResult:
        """Erase runs whose own retention is over, then finish what erasures have left.

        That is: events of an erasure that was interrupted, and what each eraser has. An eraser that
        fails is asked again in the next round; the others continue.

        Raises:
            ApplicationError: `journal-unavailable`, which Temporal retries.
        """
        deadline = time.monotonic() + self._work_for.total_seconds()
        async with heartbeats():
            with translated():
                for run_id in await self._storage.expired(request.batch):
                    if time.monotonic() < deadline:
                        await self._expire(run_id)
                return HousekeepingResult(erased=await self._finish(deadline))

    async def _expire(self, run_id: str) -> None:
        with suppress(RunOpen):  # an operator has just reset it
            if (tenant := await self._storage.erase(EVERY, run_id)) is not None:
                expired = {"run_id": run_id, "tenant": tenant}
                activity.logger.info("run expired", extra=expired)

    async def _finish(self, deadline: float) -> int:
        """Finish erasures until the deadline; returns how many of them are finished."""
        waiting, finished = list(await self._storage.unfinished(IN_A_ROUND)), 0
        while waiting and time.monotonic() < deadline:
            group = [waiting.pop(0) for _ in range(min(AT_ONCE, len(waiting)))]
            gone = await asyncio.gather(*map(self._is_gone, group))
            done = [it.run_id for it, is_gone in zip(group, gone, strict=True) if is_gone]
            await self._storage.settle(done, {it.run_id for it in group} - {*done})
            finished += len(done)
        return finished

    async def _is_gone(self, erasure: Erasure) -> bool:
        """Erase what there is of the run; True if nothing was left and nothing can follow."""
        run_id = erasure.run_id
        try:
            await self._storage.erase(EVERY, run_id)
            gone = [await eraser(run_id) for eraser in self._erasers]
        except RPCError as error:
            why = {"run_id": run_id, "reason": f"{error.status.name}: {error.message}"}
            activity.logger.warning("an erasure has to wait", extra=why)
            return False
        if not all(gone) or datetime.now(UTC) - erasure.begun_at < self._settled:
            return False
        activity.logger.info("erasure finished", extra={"run_id": run_id})
        return True


def erase_executions(client: Client) -> Eraser:
    """Deletes all executions of a run from Temporal: history, memo, search attributes."""

    async def erase(run_id: str) -> bool:
        if not _RUN_ID.fullmatch(run_id):
            return True  # no execution has such an id, which the query could not quote
        left = await _describes(client, run_id)
        listed = client.list_workflows(f"WorkflowId = '{run_id}'", rpc_timeout=RPC_TIMEOUT)
        executions = {it.run_id async for it in listed}
        executions |= {left} if left else set()
        for execution in executions:
            await _delete(client, WorkflowExecution(workflow_id=run_id, run_id=execution))
        return not executions

    return erase


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
