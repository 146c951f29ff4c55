"""Housekeeping: ends runs that Temporal has closed, notes stuck ones, sweeps old ones."""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from temporalio import activity
from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from relayline.activities.presence import heartbeats
from relayline.contracts.errors import ErrorType
from relayline.contracts.housekeeping import RUN_WORKFLOW, HousekeepingRequest, HousekeepingResult
from relayline.contracts.runs import RUN_ID_PATTERN, TASK_QUEUE, RunStatus
from relayline.journal.port import JournalUnavailable, OpenRun
from relayline.journal.table import Storage
from relayline.journal.terminal import end_run
from relayline.projections.terminal import Closing
from relayline.runtime.temporal import closing_of

LOOK_BACK = timedelta(days=1)
"""How far back the first round of a process looks for closed runs."""
OVERLAP = timedelta(minutes=1)
"""Each round checks the end of the previous one again: visibility lags and clocks differ."""
QUIET = timedelta(minutes=1)
"""Open runs without an event for so long are looked up in Temporal from time to time."""
FORGOTTEN_AFTER = timedelta(hours=1)
"""Open runs that Temporal does not know end after so long without an event."""
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
    """

    def __init__(
        self,
        storage: Storage,
        client: Client,
        note: Callable[[int], Awaitable[int]],
        retention: timedelta | None,
        sweep_for: timedelta = SWEEP_FOR,
    ) -> None:
        self._storage = storage
        self._client = client
        self._note = note
        self._retention = retention
        self._sweep_for = sweep_for
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
        terminated after `FORGOTTEN_AFTER` without an event. If this Temporal knows no run at all,
        it is probably the wrong server, and no run ends.

        Then it notes in the runs table which of the next open runs make no progress, and why.

        Raises:
            ApplicationError: `journal-unavailable`, which Temporal retries.
            RPCError: Temporal did not answer; it retries this, too.
        """
        async with heartbeats():
            with _translated():
                ended = await self._end_closed() + await self._end_quiet(request.batch)
                noted = await self._note(request.batch)
        return HousekeepingResult(ended=ended, noted=noted)

    @activity.defn
    async def sweep_expired_runs(self, request: HousekeepingRequest) -> HousekeepingResult:
        """Delete the events of runs that ended longer ago than the retention.

        Works batch by batch until no run is left or `sweep_for` is over; the next round continues.

        Raises:
            ApplicationError: `journal-unavailable`, which Temporal retries.
        """
        if self._retention is None:
            return HousekeepingResult()
        swept, before = 0, _now() - self._retention
        deadline = time.monotonic() + self._sweep_for.total_seconds()
        async with heartbeats():
            with _translated():
                while batch := await self._storage.sweep(before, request.batch):
                    swept += batch
                    if batch < request.batch or time.monotonic() >= deadline:
                        break
        return HousekeepingResult(swept=swept)

    async def _end_closed(self) -> int:
        """End the closed runs in visibility; asks the journal first, which is cheaper."""
        now, ended = _now(), 0
        since = (self._looked_at or now - LOOK_BACK) - OVERLAP
        query = f"{_CLOSED} AND CloseTime >= '{since.isoformat()}'"
        async for execution in self._client.list_workflows(query, rpc_timeout=RPC_TIMEOUT):
            if not re.fullmatch(RUN_ID_PATTERN, execution.id):
                continue  # not a run of ours
            head = await self._storage.head(execution.id)
            if not (head and head.ended):
                ended += await self._end(execution.id)
        self._looked_at = now
        return ended

    async def _end_quiet(self, batch: int) -> int:
        """End closed ones among the journal's next quiet open runs; starts over after the last."""
        ended = 0
        quiet = await self._storage.open_runs(_now() - QUIET, self._after, batch)
        for run in quiet:
            ended += await self._end(run.run_id, run)
        self._after = quiet[-1].run_id if len(quiet) == batch else ""
        return ended

    async def _end(self, run_id: str, quiet: OpenRun | None = None) -> bool:
        """End the run if its newest execution is closed or gone; True if this call has done so."""
        try:
            closing = await closing_of(self._client, run_id)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            closing = await self._closing_of_unknown(quiet) if quiet else None
        return closing is not None and await end_run(self._storage, run_id, closing)

    async def _closing_of_unknown(self, run: OpenRun) -> Closing | None:
        """How to end a run that Temporal does not know; None while it is too early."""
        if run.quiet_since > _now() - FORGOTTEN_AFTER:
            return None
        known = await self._client.count_workflows(_RUNS, rpc_timeout=RPC_TIMEOUT)
        if not known.count:
            activity.logger.warning("this Temporal knows no run: is it the right one?")
            return None
        return Closing(RunStatus.TERMINATED, FORGOTTEN)


def _now() -> datetime:
    return datetime.now(UTC)


@contextmanager
def _translated() -> Iterator[None]:
    """Converts `JournalUnavailable` to Temporal's error."""
    try:
        yield
    except JournalUnavailable as error:
        raise ApplicationError(str(error), type=ErrorType.JOURNAL_UNAVAILABLE) from error
