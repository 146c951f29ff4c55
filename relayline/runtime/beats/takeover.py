"""Ends the calls of workers that stand still, so that Temporal gives them to others at once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import NamedTuple

from temporalio.api.enums.v1 import PendingActivityState
from temporalio.api.workflow.v1 import PendingActivityInfo
from temporalio.client import AsyncActivityHandle, Client
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory
from temporalio.service import RPCError, RPCStatusCode

from relayline.contracts.errors import ErrorType
from relayline.contracts.housekeeping import RUN_WORKFLOW
from relayline.contracts.runs import TASK_QUEUE
from relayline.journal.beats import HeldCall
from relayline.journal.port import JournalUnavailable
from relayline.runtime.beats.heart import Heart, Pulse

AGAIN_S = 2.0
"""How often the calls of a late worker are looked for: its open polls still take some."""
GIVE_UP_S = 150.0
"""After so long nobody looks any more: the last poll of a stopped process ends after 70 s."""
STAGGER_S = 0.25
"""How long each further watcher waits, to find the work done."""
MOST_STAGGERS = 8
LOOK_S = 1.0
"""How long one look at the open runs serves all late workers."""
MOST_DESCRIBED = 500
"""Open runs that one look describes, the newest; the rest have Temporal's heartbeat time-out."""
_AT_ONCE = 16
_RPC_TIMEOUT = timedelta(seconds=2)
_AT_ONCE_AGAIN = timedelta(milliseconds=1)
_OPEN = (
    f"WorkflowType = '{RUN_WORKFLOW}' AND TaskQueue = '{TASK_QUEUE}'"
    " AND ExecutionStatus = 'Running'"
)
_log = logging.getLogger(__name__)


def worker_late(worker: str) -> ApplicationError:
    """The error with which the calls of a late worker fail; Temporal retries them at once."""
    return ApplicationError(
        f"worker {worker} stands still; the call goes to another",
        type=ErrorType.WORKER_LATE,
        next_retry_delay=_AT_ONCE_AGAIN,
        category=ApplicationErrorCategory.BENIGN,
    )


class _Busy(NamedTuple):
    """An open run."""

    run_id: str
    execution: str | None
    workers: frozenset[str]
    """Identities of those that have its calls, or had them last."""


class Takeover:
    """Fails the calls of late workers, for as long as they are late.

    The token of a call names one attempt of it: a watcher that comes too late hits nothing. Only
    a call that a stopped worker was given but could not begin has no token in the journal. It is
    failed by its id, right after Temporal has named that worker and that attempt.
    """

    def __init__(self, client: Client, heart: Heart) -> None:
        self._client = client
        self._heart = heart
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._looking = asyncio.Lock()
        self._looked_at = float("-inf")
        self._busy: list[_Busy] = []

    def heed(self, pulse: Pulse) -> None:
        """Take over from workers that have become late, and let those be that beat again."""
        for worker in self._tasks.keys() - pulse.late:
            self._tasks.pop(worker).cancel()
        for worker in pulse.late - self._tasks.keys():
            self._tasks[worker] = task = asyncio.create_task(self._take_over(worker))
            task.add_done_callback(_log_failure)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Ends all that runs with the block."""
        try:
            yield
        finally:
            for task in self._tasks.values():
                task.cancel()

    async def _take_over(self, worker: str) -> None:
        told = {"worker": worker, "patience_s": self._heart.timing.patience_s}
        _log.warning("a worker stands still: its calls go to others", extra=told)
        loop = asyncio.get_running_loop()
        until = loop.time() + GIVE_UP_S
        while loop.time() < until:
            try:
                rank = await self._rank()
                await asyncio.sleep(rank * STAGGER_S)
                await self._fail_held(worker)
                if rank == 0:
                    await self._fail_unbegun(worker)
            except (RPCError, JournalUnavailable) as error:
                why = {"worker": worker, "reason": str(error)}
                _log.warning("the calls of a late worker are not taken over yet", extra=why)
            await asyncio.sleep(AGAIN_S)
        await self._forget(worker)

    async def _forget(self, worker: str) -> None:
        """Remove the worker from the table; if it still lives, it is there again when it beats."""
        try:
            await self._heart.ask(lambda beats: beats.leave(worker))
        except JournalUnavailable as error:
            why = {"worker": worker, "reason": str(error)}
            _log.warning("a dead worker is not forgotten yet", extra=why)

    async def _rank(self) -> int:
        """The place of this worker among those that beat."""
        known = await self._heart.ask(lambda beats: beats.counters())
        alive = sorted(known.keys() - self._tasks.keys())
        me = self._heart.worker
        return min(alive.index(me), MOST_STAGGERS) if me in alive else MOST_STAGGERS

    async def _fail_held(self, worker: str) -> None:
        """Fail what the worker has begun, by token."""
        held = await self._heart.ask(lambda beats: beats.held(worker))
        if not held:
            return
        gate = asyncio.Semaphore(_AT_ONCE)

        async def fail(call: HeldCall) -> bool:
            async with gate:
                handle = self._client.get_async_activity_handle(task_token=call.task_token)
                return await self._fail(handle, worker)

        failed = sum(await asyncio.gather(*map(fail, held)))
        ended = [call.attempted for call in held]
        await self._heart.ask(lambda beats: beats.release(worker, ended))
        _log.info("calls of a late worker failed", extra={"worker": worker, "calls": failed})

    async def _fail_unbegun(self, worker: str) -> None:
        """Fail what Temporal says that worker has, but the journal does not know of, by id.

        All late workers share one look at the open runs; a run that has a call of this one is
        described again, right before that call is failed.
        """
        for run_id, execution, workers in await self._look():
            if worker in workers:
                for activity_id in await self._pending_at(worker, run_id, execution):
                    handle = self._client.get_async_activity_handle(
                        workflow_id=run_id, run_id=execution, activity_id=activity_id
                    )
                    await self._fail(handle, worker)

    async def _look(self) -> list[_Busy]:
        """The open runs with the workers that have calls of theirs; at most `LOOK_S` old."""
        loop = asyncio.get_running_loop()
        async with self._looking:
            if loop.time() - self._looked_at > LOOK_S:
                listed = self._client.list_workflows(
                    _OPEN, limit=MOST_DESCRIBED, rpc_timeout=_RPC_TIMEOUT
                )
                runs = [(it.id, it.run_id) async for it in listed]
                gate = asyncio.Semaphore(_AT_ONCE)

                async def look(run_id: str, execution: str | None) -> _Busy:
                    async with gate:
                        pending = await self._pending(run_id, execution)
                    workers = frozenset(it.last_worker_identity for it in pending)
                    return _Busy(run_id, execution, workers)

                self._busy = await asyncio.gather(*(look(*run) for run in runs))
                self._looked_at = loop.time()
        return self._busy

    async def _pending_at(self, worker: str, run_id: str, execution: str | None) -> list[str]:
        """Ids of the activities that this worker was given and has not ended."""
        return list(_given_to(worker, await self._pending(run_id, execution)))

    async def _pending(self, run_id: str, execution: str | None) -> Sequence[PendingActivityInfo]:
        """The activities of a run that have not ended; none if it is gone."""
        handle = self._client.get_workflow_handle(run_id, run_id=execution)
        try:
            described = await handle.describe(rpc_timeout=_RPC_TIMEOUT)
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return ()
            raise
        return described.raw_description.pending_activities

    async def _fail(self, handle: AsyncActivityHandle, worker: str) -> bool:
        """Fail one attempt; False if it is over already."""
        try:
            await handle.fail(worker_late(worker), rpc_timeout=_RPC_TIMEOUT)
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return False
            raise
        return True


def _log_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()):
        _log.error("a takeover has failed; Temporal's time-outs remain", exc_info=error)


def _given_to(worker: str, pending: Iterable[PendingActivityInfo]) -> Iterable[str]:
    started = PendingActivityState.PENDING_ACTIVITY_STATE_STARTED
    return (
        it.activity_id
        for it in pending
        if it.state == started and it.last_worker_identity == worker
    )
