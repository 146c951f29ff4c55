"""Ends the calls of workers that stand still, so that Temporal gives them to others at once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from temporalio.client import AsyncActivityHandle, Client
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory
from temporalio.service import RPCError, RPCStatusCode

from relayline.contracts.errors import ErrorType
from relayline.journal.beats import HeldCall
from relayline.journal.port import JournalUnavailable
from relayline.runtime.beats.given import ANSWER_S, AT_ONCE, RPC_TIMEOUT, GivenCalls
from relayline.runtime.beats.heart import Heart, Pulse

AGAIN_S = 2.0
"""How often the calls of a late worker are looked for: its open polls still take some."""
SOON_S, SOON_TIMES = 0.5, 4
"""So many times they are looked for sooner: what has just been failed may go to it again."""
GIVE_UP_S = 150.0
"""After so long nobody looks any more: the last poll of a stopped process ends after 70 s."""
STAGGER_S = 0.25
"""How long each further watcher waits, to find the work done."""
MOST_STAGGERS = 8
LOOK_BEHIND_S = 2.0
"""How long a worker that leaves may take to look for calls that it was given too late."""
NO_ANSWER = "Temporal did not answer in time"
_AT_ONCE_AGAIN = timedelta(milliseconds=1)
_log = logging.getLogger(__name__)


def worker_late(worker: str, what: str = "stands still") -> ApplicationError:
    """The error with which the calls of a late worker fail; Temporal retries them at once."""
    return ApplicationError(
        f"worker {worker} {what}; the call goes to another",
        type=ErrorType.WORKER_LATE,
        next_retry_delay=_AT_ONCE_AGAIN,
        category=ApplicationErrorCategory.BENIGN,
    )


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
        self._given = GivenCalls(client)

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
        until, turn = loop.time() + GIVE_UP_S, 0
        while loop.time() < until:
            try:
                rank, watchers = await self._rank()
                await asyncio.sleep(min(rank, MOST_STAGGERS) * STAGGER_S)
                await self._fail_held(worker)
                if rank == turn % watchers:
                    await self._fail_unbegun(worker, worker_late(worker))
            except (RPCError, TimeoutError, JournalUnavailable) as error:
                why = {"worker": worker, "reason": str(error) or NO_ANSWER}
                _log.warning("the calls of a late worker are not taken over yet", extra=why)
            turn += 1
            await asyncio.sleep(SOON_S if turn <= SOON_TIMES else AGAIN_S)
        await self._forget(worker)

    async def look_behind(self) -> None:
        """Fail what Temporal has given to this worker too late; it has stopped and runs nothing.

        A poll that ends while a worker stops may have been given a task that nobody receives. The
        worker leaves the table, so no watcher looks for it.
        """
        me = self._heart.worker
        try:
            async with asyncio.timeout(LOOK_BEHIND_S):
                await self._fail_unbegun(me, worker_late(me, "has left"))
        except (RPCError, TimeoutError) as error:
            why = {"reason": str(error) or NO_ANSWER}
            _log.warning("calls given to this worker too late were not looked for", extra=why)

    async def _forget(self, worker: str) -> None:
        """Remove the worker from the table; if it still lives, it is there again when it beats."""
        try:
            await self._heart.ask(lambda beats: beats.leave(worker))
        except JournalUnavailable as error:
            why = {"worker": worker, "reason": str(error)}
            _log.warning("a dead worker is not forgotten yet", extra=why)

    async def _rank(self) -> tuple[int, int]:
        """The place of this worker among those that beat, and their number.

        They look for what a late worker has not begun in turns: the first may beat, and not reach
        Temporal.
        """
        known = await self._heart.ask(lambda beats: beats.counters())
        alive = sorted(known.keys() - self._tasks.keys())
        me = self._heart.worker
        return (alive.index(me) if me in alive else len(alive)), max(len(alive), 1)

    async def _fail_held(self, worker: str) -> None:
        """Fail what the worker has begun, by token."""
        held = await self._heart.ask(lambda beats: beats.held(worker))
        if not held:
            return
        gate, why = asyncio.Semaphore(AT_ONCE), worker_late(worker)

        async def fail(call: HeldCall) -> bool:
            async with gate:
                handle = self._client.get_async_activity_handle(task_token=call.task_token)
                return await self._fail(handle, why)

        failed = sum(await asyncio.gather(*map(fail, held)))
        ended = [call.attempted for call in held]
        await self._heart.ask(lambda beats: beats.release(worker, ended))
        _log.info("calls of a late worker failed", extra={"worker": worker, "calls": failed})

    async def _fail_unbegun(self, worker: str, why: ApplicationError) -> None:
        """Fail what Temporal says the worker has, but the journal may not know of, by id."""
        for handle in await self._given.of(worker):
            await self._fail(handle, why)

    async def _fail(self, handle: AsyncActivityHandle, why: ApplicationError) -> bool:
        """Fail one attempt; False if it is over already."""
        try:
            async with asyncio.timeout(ANSWER_S):
                await handle.fail(why, rpc_timeout=RPC_TIMEOUT)
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return False
            raise
        return True


def _log_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()):
        _log.error("a takeover has failed; Temporal's time-outs remain", exc_info=error)
