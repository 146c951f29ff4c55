"""Housekeeping: ends runs that Temporal has closed, notes stuck ones, sweeps old ones."""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Literal

from temporalio import activity
from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from relayline.activities.presence import heartbeats
from relayline.contracts.errors import ErrorType
from relayline.contracts.housekeeping import RUN_WORKFLOW, HousekeepingRequest, HousekeepingResult
from relayline.contracts.runs import RUN_ID_PATTERN, TASK_QUEUE, RunStatus
from relayline.journal.port import JournalUnavailable, OpenRun, RunErased, Unreadable
from relayline.journal.table import EVERY, Storage
from relayline.journal.terminal import end_run
from relayline.projections.terminal import Closing
from relayline.runtime.payloads.ring import PayloadUnreadable
from relayline.runtime.temporal import closing_of

LOOK_BACK = timedelta(days=1)
"""How far back the first round of a process looks for closed runs."""
OVERLAP = timedelta(minutes=1)
"""Each round checks the end of the previous one again: visibility lags and clocks differ."""
QUIET = timedelta(minutes=1)
"""Open runs without an event for so long are looked up in Temporal from time to time."""
FORGOTTEN_AFTER = timedelta(hours=1)
"""Open runs that Temporal does not know end after so long without an event."""
BATCH_AFTER = timedelta(seconds=10)
"""A batch that still has runs to start after so long is begun again, if it is not at work."""
MAX_BATCHES = 20
"""Batches that one round begins again."""
FORGOTTEN = "Temporal does not know this run any more"
SWEEP_FOR = timedelta(seconds=8)
"""No batch starts after this time; shorter than the pause between rounds, so none is late."""
RPC_TIMEOUT = timedelta(seconds=5)
_RUNS = f"WorkflowType = '{RUN_WORKFLOW}' AND TaskQueue = '{TASK_QUEUE}'"
_CLOSED = f"{_RUNS} AND ExecutionStatus IN ('Terminated', 'TimedOut', 'Canceled', 'Failed')"


class HousekeepingActivities:
    """The two parts of a round; any worker may repeat each of them.

    Args:
        storage: The journal of the runs, and their rows.
        client: A client of the Temporal server that has the runs.
        note: Notes in the runs table which runs make no progress, about so many at a time; returns
            how many have changed.
        retention: How long to keep the events of an ended run; None: without a limit.
        sweep_for: How long one round sweeps.
        restart: Has the runs of a batch started, whose workflow may never have begun; None: there
            are no batches.
        keep_audit: Seals and sweeps the audit log; None: there is none.
        sweep_files: Erases files that no run names; None: there are none.
        sweep_receivers: Removes receivers of webhooks that no run names any more; None: there are
            none.
        move_idle: Has idle runs of older builds move to the current one; None: there are no builds.
    """

    def __init__(  # noqa: PLR0913  what each part needs
        self,
        storage: Storage,
        client: Client,
        note: Callable[[int], Awaitable[int]],
        retention: timedelta | None,
        sweep_for: timedelta = SWEEP_FOR,
        *,
        restart: Callable[[str], Awaitable[None]] | None = None,
        keep_audit: Callable[[], Awaitable[None]] | None = None,
        sweep_files: Callable[[], Awaitable[None]] | None = None,
        sweep_receivers: Callable[[], Awaitable[None]] | None = None,
        move_idle: Callable[[], Awaitable[int]] | None = None,
    ) -> None:
        self._storage = storage
        self._client = client
        self._note = note
        self._retention = retention
        self._sweep_for = sweep_for
        self._restart = restart
        self._beside = [keep for keep in (keep_audit, sweep_files, sweep_receivers) if keep]
        self._move_idle = move_idle
        self._looked_at: datetime | None = None
        self._after = ""

    @activity.defn
    async def end_closed_runs(self, request: HousekeepingRequest) -> HousekeepingResult:
        """Append the terminal fact of runs that Temporal closed before their workflow could.

        There are two sources: Temporal's visibility lists executions closed since the last round
        of this process (a day, in its first round), and the journal lists open runs without recent
        events, one batch per round, which also finds runs closed while no worker was up. Other
        workflows in the namespace are ignored, whatever their ids.

        A run that Temporal does not know (deleted, or past Temporal's own retention) ends as
        terminated after `FORGOTTEN_AFTER` without an event. One that was never started, because an
        API process died in between, is withdrawn. If this Temporal knows no run at all, it is
        probably the wrong server, and neither happens.

        Batches whose runs have not all started continue if nobody continues them: the API may have
        died, or Temporal may have been away, when they were accepted.

        Then it notes in the runs table which of the next open runs make no progress, and why, and
        has idle runs of older builds move to the current one.

        Raises:
            ApplicationError: `journal-unavailable`, which Temporal retries.
            RPCError: Temporal did not answer; it retries this, too.
        """
        async with heartbeats():
            with translated():
                await self._continue_batches()
                ended = await self._end_closed()
                quiet = await self._end_quiet(request.batch)
                noted = await self._note(request.batch)
                if self._move_idle:
                    await self._move_idle()
        return HousekeepingResult(ended=ended + quiet.ended, withdrawn=quiet.withdrawn, noted=noted)

    @activity.defn
    async def sweep_expired_runs(self, request: HousekeepingRequest) -> HousekeepingResult:
        """Delete the events of runs that ended longer ago than the retention.

        Works batch by batch until no run is left or `sweep_for` is over; the next round continues.
        It also seals rows of the audit log that nobody has sealed, and deletes those past theirs;
        it erases files that no run names, and removes receivers of webhooks that no run names any
        more.

        Raises:
            ApplicationError: `journal-unavailable`, which Temporal retries.
        """
        swept = 0 if self._retention is None else await self._sweep(self._retention, request.batch)
        for keep in self._beside:  # last: what fails here must not keep runs longer than allowed
            async with heartbeats():
                with translated():
                    await keep()
        return HousekeepingResult(swept=swept)

    async def _sweep(self, retention: timedelta, most: int) -> int:
        """Sweep batches of at most so many runs; returns the number of runs."""
        swept, before = 0, _now() - retention
        deadline = time.monotonic() + self._sweep_for.total_seconds()
        async with heartbeats():
            with translated():
                while batch := await self._storage.sweep(before, most):
                    swept += batch
                    if batch < most or time.monotonic() >= deadline:
                        break
        return swept

    async def _continue_batches(self) -> None:
        if self._restart:
            for batch_id in await self._storage.batches_to_start(_now() - BATCH_AFTER, MAX_BATCHES):
                await self._restart(batch_id)

    async def _end_closed(self) -> int:
        """End the closed runs in visibility; asks the journal first, which is cheaper."""
        now, ended = _now(), 0
        since = (self._looked_at or now - LOOK_BACK) - OVERLAP
        query = f"{_CLOSED} AND CloseTime >= '{since.isoformat()}'"
        async for execution in self._client.list_workflows(query, rpc_timeout=RPC_TIMEOUT):
            if not re.fullmatch(RUN_ID_PATTERN, execution.id):
                continue  # not a run of ours
            try:
                head = await self._storage.head(EVERY, execution.id)
            except RunErased:  # not deleted yet, or restored from a backup
                await self._storage.erase(EVERY, execution.id)
                continue
            if not (head and head.ended):
                ended += bool(await self._end(execution.id))
        self._looked_at = now
        return ended

    async def _end_quiet(self, batch: int) -> HousekeepingResult:
        """End closed ones among the journal's next quiet open runs; starts over after the last."""
        done = {"ended": 0, "withdrawn": 0}
        quiet = await self._storage.open_runs(_now() - QUIET, self._after, batch)
        unknown: list[OpenRun] = []
        for run in quiet:
            if (ended := await self._end(run.run_id)) is None:
                unknown.append(run)
            done["ended"] += bool(ended)
        if unknown and await self._is_right():
            for run in unknown:
                if outcome := await self._close_unknown(run):
                    done[outcome] += 1
        self._after = quiet[-1].run_id if len(quiet) == batch else ""
        return HousekeepingResult(**done)

    async def _end(self, run_id: str) -> bool | None:
        """End the run if its newest execution is closed; True if this call has done so.

        None if Temporal does not know it. One whose result needs a key that this process lacks has
        its turn again when the key is there.
        """
        try:
            closing = await closing_of(self._client, run_id)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            return None
        except PayloadUnreadable as error:
            activity.logger.warning("%s can't be ended: %s", run_id, error)
            return False
        try:
            return closing is not None and await end_run(self._storage, run_id, closing)
        except Unreadable as error:
            activity.logger.warning("%s can't be ended: %s", run_id, error)
            return False

    async def _is_right(self) -> bool:
        """False if this Temporal knows no run at all."""
        known = await self._client.count_workflows(_RUNS, rpc_timeout=RPC_TIMEOUT)
        if not known.count:
            activity.logger.warning("this Temporal knows no run: is it the right one?")
        return known.count > 0

    async def _close_unknown(self, run: OpenRun) -> Literal["ended", "withdrawn"] | None:
        """End or withdraw a run that Temporal does not know; None while it is too early.

        A run with no event but `run.queued` was never started, unless it is one of a batch.
        """
        if await self._storage.pending_start(EVERY, run.run_id):
            return None  # its batch starts it
        listed = await self._storage.listed(EVERY, run.run_id)
        if listed and listed.row.queued and listed.last_seq == 1 and not listed.row.batch:
            return "withdrawn" if await self._storage.withdraw(run.run_id) else None
        if run.quiet_since > _now() - FORGOTTEN_AFTER:
            return None
        closing = Closing(RunStatus.TERMINATED, FORGOTTEN)
        return "ended" if await end_run(self._storage, run.run_id, closing) else None


def _now() -> datetime:
    return datetime.now(UTC)


@contextmanager
def translated() -> Iterator[None]:
    """Converts `JournalUnavailable` to Temporal's error."""
    try:
        yield
    except JournalUnavailable as error:
        raise ApplicationError(str(error), type=ErrorType.JOURNAL_UNAVAILABLE) from error
