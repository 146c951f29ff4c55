"""What housekeeping does: ends runs that Temporal closed, sweeps those past retention."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from temporalio import activity
from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from relayline.activities.attempt import heartbeats
from relayline.contracts.errors import ErrorType
from relayline.contracts.housekeeping import RUN_WORKFLOW, HousekeepingRequest, HousekeepingResult
from relayline.contracts.runs import RUN_ID_PATTERN, TASK_QUEUE, RunStatus
from relayline.journal.port import Journal, JournalUnavailable, OpenRun
from relayline.journal.terminal import end_run
from relayline.projections.terminal import Closing
from relayline.runtime.temporal import closing_of

LOOK_BACK = timedelta(days=1)
"""How far back the first round of a process looks for closed runs."""
OVERLAP = timedelta(minutes=1)
"""How much of what the last round looked at is looked at again: visibility lags, clocks differ."""
QUIET = timedelta(minutes=1)
"""An open run that has been quiet for so long is looked up in Temporal now and then."""
FORGOTTEN_AFTER = timedelta(hours=1)
"""An open run that Temporal does not know is ended when it has been quiet for so long."""
FORGOTTEN = "Temporal does not know this run any more"
SWEEP_FOR = timedelta(seconds=8)
"""Then no further batch is begun. Less than there is between two rounds, so that none is late."""
RPC_TIMEOUT = timedelta(seconds=5)
_RUNS = f"WorkflowType = '{RUN_WORKFLOW}' AND TaskQueue = '{TASK_QUEUE}'"
_CLOSED = f"{_RUNS} AND ExecutionStatus IN ('Terminated', 'TimedOut', 'Canceled', 'Failed')"


class HousekeepingActivities:
    """The two parts of a round; each may be done any number of times, by any worker.

    Args:
        journal: Of the runs.
        client: Of the Temporal that the runs are in.
        retention: How long the events of an ended run are kept; None for ever.
        sweep_for: How long one round goes on sweeping.
    """

    def __init__(
        self,
        journal: Journal,
        client: Client,
        retention: timedelta | None,
        sweep_for: timedelta = SWEEP_FOR,
    ) -> None:
        self._journal = journal
        self._client = client
        self._retention = retention
        self._sweep_for = sweep_for
        self._looked_at: datetime | None = None
        self._after = ""

    @activity.defn
    async def end_closed_runs(self, request: HousekeepingRequest) -> HousekeepingResult:
        """Give runs that Temporal has closed without the workflow's word their terminal fact.

        Workflows that others have in the namespace are left alone, whatever they are called.

        They are found in two ways: Temporal's visibility tells what was closed since this process
        last looked (a day, the first time), and the journal tells which runs are open and quiet, a
        batch in each round, which finds what was closed while no worker was up.

        A run that Temporal does not know (deleted, or closed and past Temporal's own retention)
        ends as terminated once it has been quiet for `FORGOTTEN_AFTER`; unless this Temporal knows
        no run at all: then it is more likely the wrong one.

        Raises:
            ApplicationError: `journal-unavailable`, which Temporal tries again.
            RPCError: Temporal did not answer; it is tried again, too.
        """
        async with heartbeats():
            with _translated():
                ended = await self._end_closed() + await self._end_quiet(request.batch)
        return HousekeepingResult(ended=ended)

    @activity.defn
    async def sweep_expired_runs(self, request: HousekeepingRequest) -> HousekeepingResult:
        """Remove the events of runs that ended longer ago than the retention.

        A batch after the other, until none are left or `sweep_for` is over; the next round goes
        on from there.

        Raises:
            ApplicationError: `journal-unavailable`, which Temporal tries again.
        """
        if self._retention is None:
            return HousekeepingResult()
        swept, before = 0, _now() - self._retention
        deadline = time.monotonic() + self._sweep_for.total_seconds()
        async with heartbeats():
            with _translated():
                while batch := await self._journal.sweep(before, request.batch):
                    swept += batch
                    if batch < request.batch or time.monotonic() >= deadline:
                        break
        return HousekeepingResult(swept=swept)

    async def _end_closed(self) -> int:
        """Those that visibility tells of; the journal's word is asked for before Temporal's."""
        now, ended = _now(), 0
        since = (self._looked_at or now - LOOK_BACK) - OVERLAP
        query = f"{_CLOSED} AND CloseTime >= '{since.isoformat()}'"
        async for execution in self._client.list_workflows(query, rpc_timeout=RPC_TIMEOUT):
            if not re.fullmatch(RUN_ID_PATTERN, execution.id):
                continue  # somebody else's
            head = await self._journal.head(execution.id)
            if not (head and head.ended):
                ended += await self._end(execution.id)
        self._looked_at = now
        return ended

    async def _end_quiet(self, batch: int) -> int:
        """The next open runs of the journal that are quiet; after the last, the first again."""
        ended = 0
        quiet = await self._journal.open_runs(_now() - QUIET, self._after, batch)
        for run in quiet:
            ended += await self._end(run.run_id, run)
        self._after = quiet[-1].run_id if len(quiet) == batch else ""
        return ended

    async def _end(self, run_id: str, quiet: OpenRun | None = None) -> bool:
        """End the run if its newest execution is closed, or gone; whether this was done here."""
        try:
            closing = await closing_of(self._client, run_id)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            closing = await self._closing_of_unknown(quiet) if quiet else None
        return closing is not None and await end_run(self._journal, run_id, closing)

    async def _closing_of_unknown(self, run: OpenRun) -> Closing | None:
        """How a run ends that Temporal does not know, None while that is too early to say."""
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
    """Turns the journal's trouble into Temporal's error for it."""
    try:
        yield
    except JournalUnavailable as error:
        raise ApplicationError(str(error), type=ErrorType.JOURNAL_UNAVAILABLE) from error
