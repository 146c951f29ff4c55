"""The activities of a batch: start some of its runs, or cancel some."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Coroutine, Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from temporalio import activity
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from relayline.activities.presence import heartbeats
from relayline.contracts.access.proofs import CommandProofs
from relayline.contracts.commands import AnyCommand, Cancel
from relayline.contracts.envelope import NewEvent
from relayline.contracts.errors import ErrorType
from relayline.contracts.events import RunFailed
from relayline.contracts.events.run import run_queued
from relayline.contracts.keys import QUEUED_KEY, ended_key
from relayline.contracts.runs import RunError, RunInput
from relayline.contracts.submissions.batches import (
    CHUNK,
    START_PAGE,
    BatchRequested,
    ChunkCancel,
    ChunkCancelled,
    ChunkStarted,
)
from relayline.journal.batches import PendingStart
from relayline.journal.port import RunEnded
from relayline.journal.table import EVERY, Position, RunFilter, Storage

AT_ONCE = 100
"""Runs that one worker starts at a time. Runs that have started make demands on Temporal, too: the
more starts wait beside them, the sooner it comes to all of these."""
START_S = 2.0
"""Seconds for which one activity keeps starting runs: a cancel of the batch waits for its end."""


class Starter(Protocol):
    """Starts and signals runs in Temporal; each call is bounded in time."""

    async def start(
        self,
        run: RunInput,
        submitted_at: datetime,
        cancel: Cancel | None = None,
        proof: str = "",
    ) -> None:
        """Start the run; with a command and the proof of its sender, it has that at once.

        Raises:
            WorkflowAlreadyStartedError: it was started before; with a command: and has ended.
        """
        ...

    async def signal(self, run_id: str, command: AnyCommand, proof: str = "") -> bool:
        """Send the command with the proof of its sender; False for an unknown or ended run."""
        ...


class _ProvenCancel(NamedTuple):
    """A cancel for the runs of a batch."""

    command: Cancel
    proofs: CommandProofs

    def proof(self, run_id: str) -> str:
        """That of this run; empty without any."""
        return self.proofs.sign(run_id, self.command)


class BatchActivities:
    """What a batch does; each part may be repeated, by any worker."""

    def __init__(
        self,
        storage: Storage,
        starter: Starter,
        start_s: float = START_S,
        proofs: CommandProofs | None = None,
    ) -> None:
        """Create the activities.

        Args:
            storage: The journal of the runs.
            starter: Starts and signals them.
            start_s: Seconds for which one activity keeps starting runs.
            proofs: Proves the cancels of a batch whose own cancel was proved; None: never.
        """
        self._storage = storage
        self._starter = starter
        self._start_s = start_s
        self._proofs = proofs or CommandProofs()
        self._slots = asyncio.Semaphore(AT_ONCE)

    @activity.defn
    async def start_chunk(self, request: BatchRequested) -> ChunkStarted:
        """Start the next runs of the batch, each once: as many as `START_S` allows.

        A run that Temporal can't start, for example because it is too large, fails; the others
        start.

        Raises:
            JournalUnavailable, TemporalUnavailable: Temporal retries the activity.
        """
        until = asyncio.get_running_loop().time() + self._start_s
        async with heartbeats():
            while pending := await self._storage.pending_starts(
                EVERY, request.batch_id, START_PAGE
            ):
                if not await self._start_all(pending, until=until):
                    return ChunkStarted(left=True)
        return ChunkStarted(left=False)

    @activity.defn
    async def cancel_chunk(self, request: ChunkCancel) -> ChunkCancelled:
        """Send the cancel to the next open runs of the batch; a run takes a repeated one once.

        A run that has not started yet starts with it, so that it ends before its first step.

        Raises:
            JournalUnavailable, TemporalUnavailable: Temporal retries the activity.
        """
        before, cancel = request.before, self._cancel(request)
        async with heartbeats():
            if pending := await self._storage.pending_starts(EVERY, request.batch_id, START_PAGE):
                await self._start_all(pending, cancel)
                return ChunkCancelled(left=True, before=before)
            wanted = RunFilter(batch=request.batch_id, open=True)
            place = Position(*before) if before else None
            found = await self._storage.list_runs(EVERY, wanted, CHUNK, place)
            await _all(self._signal(listed.row.run_id, cancel) for listed in found)
        left = len(found) == CHUNK
        return ChunkCancelled(left=left, before=tuple(found[-1].position) if left else None)

    def _cancel(self, request: ChunkCancel) -> _ProvenCancel:
        """The command to each run, which is proved if that to the batch was."""
        given = request.cancel
        proved = self._proofs.holds(request.batch_id, given.digest(), given.proof)
        return _ProvenCancel(
            Cancel.model_validate(given.model_dump(exclude={"proof"})),
            self._proofs if proved else CommandProofs(),
        )

    async def _start_all(
        self,
        pending: Sequence[PendingStart],
        cancel: _ProvenCancel | None = None,
        until: float = math.inf,
    ) -> bool:
        """Start these runs; False if it was `until`, by the loop's clock, before all had begun."""
        clock, started = asyncio.get_running_loop().time, list[str]()

        async def start(run: PendingStart) -> None:
            async with self._slots:
                if started and clock() >= until:  # however late it is, the batch gets on
                    return
                await self._start(run, cancel)
                started.append(run.run.run_id)

        try:
            await _all(start(run) for run in pending)
        finally:
            await self._storage.forget_starts(started)
        return len(started) == len(pending)

    async def _start(self, start: PendingStart, cancel: _ProvenCancel | None = None) -> None:
        run = start.run
        queued = NewEvent(key=QUEUED_KEY, body=run_queued(run, start.submitted_at))
        head = await self._storage.head(EVERY, run.run_id)
        if head is None:  # the API died before it could tell
            await self._storage.append(run.run_id, [queued])
        if head and head.ended:
            return
        try:
            with suppress(WorkflowAlreadyStartedError):
                await self._start_with(run, start.submitted_at, cancel)
        except RPCError as error:
            if error.status is not RPCStatusCode.INVALID_ARGUMENT:
                raise
            await self._fail(run, error)

    async def _start_with(
        self, run: RunInput, submitted_at: datetime, cancel: _ProvenCancel | None
    ) -> None:
        if cancel is None:
            await self._starter.start(run, submitted_at)
        else:
            proof = cancel.proof(run.run_id)
            await self._starter.start(run, submitted_at, cancel.command, proof)

    async def _fail(self, run: RunInput, error: RPCError) -> None:
        """End a run that can never start."""
        why = RunError(type=ErrorType.UNSTORABLE, message=f"Temporal refuses it: {error.message}")
        fact = NewEvent(key=ended_key(0), body=RunFailed(error=why))
        with suppress(RunEnded):
            await self._storage.append(run.run_id, [fact])

    async def _signal(self, run_id: str, cancel: _ProvenCancel) -> None:
        async with self._slots:
            await self._starter.signal(run_id, cancel.command, cancel.proof(run_id))


async def _all(work: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Do all of it; then raise the first error, if there is any."""
    for outcome in await asyncio.gather(*work, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome
