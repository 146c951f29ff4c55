"""Keeps `attention` in the runs table: asks Temporal, in turns, which open runs can't continue."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from temporalio.service import RPCError

from relayline.api.errors import TemporalUnavailable
from relayline.api.temporal.gateway import Gateway
from relayline.api.temporal.stuck import WAITED_S, StuckRuns, WorkerProbe
from relayline.contracts.runs import RunStatus
from relayline.journal.port import JournalUnavailable
from relayline.journal.table import EVERY, Listed, Position, RunFilter, RunTable

AT_ONCE = 8
"""Runs that Temporal is asked about at a time."""
ASK_FOR_S = 5.0
"""As long as Temporal is asked in a round; the runs that are left have their next turn."""
LOOK_EVERY_S = 10.0
"""The least time between two looks of a process at whether any worker is there."""
WITNESSES = 10
"""Open runs that may have to be asked until one shows whether a worker is there."""
LOOKED_AT = 50
"""Runs of each kind that such a look asks about."""
QUIET = timedelta(seconds=WAITED_S)
"""A run whose row has changed since makes progress: Temporal is not asked about it."""
LONGEST_S = 60.0
"""The longest that a run which makes progress as far as is known is not asked about."""
_AT_WORK = RunFilter(statuses=frozenset({RunStatus.QUEUED, RunStatus.RUNNING}))
_WAITING = RunFilter(statuses=frozenset({RunStatus.WAITING, RunStatus.PAUSED}))
_NOTED = RunFilter(attention=True, open=True)
_log = logging.getLogger(__name__)


class Turn:
    """Goes through all runs that match, some at a time, and begins again."""

    def __init__(self, table: RunTable, wanted: RunFilter) -> None:
        self._table = table
        self._wanted = wanted
        self._before: Position | None = None

    async def next(self, count: int) -> Mapping[str, Listed]:
        """The next `count` runs, by id; fewer at the end."""
        found = await self._table.list_runs(EVERY, self._wanted, count, self._before)
        self._before = found[-1].position if len(found) == count else None
        return {listed.row.run_id: listed for listed in found}


class Attention:
    """Notes which open runs make no progress, and why, and which do again."""

    def __init__(
        self, table: RunTable, gateway: Gateway, probe: WorkerProbe, stuck_runs: StuckRuns
    ) -> None:
        self._table = table
        self._gateway = gateway
        self._probe = probe
        self._stuck_runs = stuck_runs
        self._turns = [Turn(table, wanted) for wanted in (_NOTED, _AT_WORK, _WAITING)]
        self._permits = asyncio.Semaphore(AT_ONCE)
        self._asked: dict[str, float] = {}
        """When runs were asked about that made progress, on the monotonic clock."""
        self._looked_at = -LOOK_EVERY_S
        self._look: asyncio.Task[None] | None = None

    async def note(self, batch: int) -> int:
        """Ask about the next runs of each kind, at most `batch`; returns how many have changed.

        The kinds are those with a known problem, those at work, and those that wait for a person.

        Raises:
            JournalUnavailable: the storage did not answer.
        """
        runs: dict[str, Listed] = {}
        for turn in self._turns:
            runs |= await turn.next(batch)
        self._forget_asked()
        changed: dict[str, str | None] = {}
        until = time.monotonic() + ASK_FOR_S
        for told in await asyncio.gather(*(self._ask(listed, until) for listed in runs.values())):
            changed |= told
        if changed:
            await self._table.note_attention(changed)
        return len(changed)

    def _forget_asked(self) -> None:
        """Forget what says nothing any more about when to ask again."""
        since = time.monotonic() - LONGEST_S
        self._asked = {run_id: at for run_id, at in self._asked.items() if at > since}

    def _is_due(self, listed: Listed, quiet: timedelta) -> bool:
        """True if Temporal must be asked about a run that has been quiet for so long.

        A run with a known problem is asked about each time. One that makes progress as far as is
        known is asked about ever less often while nothing happens to it: after as long as it had
        been quiet before, and at least every `LONGEST_S`.
        """
        asked_at = self._asked.get(listed.row.run_id)
        if listed.attention or asked_at is None:
            return True
        return 2 * (time.monotonic() - asked_at) >= quiet.total_seconds()

    def look(self) -> None:
        """Somebody looks: note what no worker can, because none is there; in the background.

        Workers note it all in their housekeeping. At most every `LOOK_EVERY_S` the newest open run
        is asked whether any worker answers.
        """
        idle = self._look is None or self._look.done()
        if idle and time.monotonic() - self._looked_at >= LOOK_EVERY_S:
            self._looked_at = time.monotonic()
            self._look = asyncio.create_task(self._note_without_workers(), name="look for workers")

    async def close(self) -> None:
        """Stop looking."""
        if self._look is not None:
            self._look.cancel()
            await asyncio.gather(self._look, return_exceptions=True)

    async def _note_without_workers(self) -> None:
        try:
            for listed in await self._table.list_runs(EVERY, RunFilter(open=True), WITNESSES):
                if (silent := await self._is_silent(listed.row.run_id)) is None:
                    continue
                if silent:
                    await self.note(LOOKED_AT)
                return
        except (JournalUnavailable, TemporalUnavailable, RPCError) as error:
            _log.info("not known whether runs are stuck", extra={"reason": str(error)})

    async def _is_silent(self, run_id: str) -> bool | None:
        """True when no worker answers for the run; None if it can't show that."""
        execution = await self._gateway.execution(run_id)
        if execution is None or execution.status.ended:
            return None
        silent_s = await self._probe.silent_s(run_id)
        return None if silent_s is None else silent_s > 0

    async def _ask(self, listed: Listed, until: float) -> Mapping[str, str | None]:
        """What has changed: the run's id and why it makes no progress; empty if nothing has.

        Temporal is asked until that time on the monotonic clock.
        """
        run_id, updated_at = listed.row.run_id, listed.row.updated_at
        reason: str | None = None
        quiet = datetime.now(UTC) - updated_at if updated_at else timedelta.max
        if quiet > QUIET:
            if not self._is_due(listed, quiet):
                return {}
            async with self._permits:
                if time.monotonic() > until:
                    return {}
                try:
                    execution = await self._gateway.execution(run_id)
                except (TemporalUnavailable, RPCError):
                    return {}
                if execution is None:
                    return {}
                reason = await self._stuck_runs.reason(execution)
            if reason is None:
                self._asked[run_id] = time.monotonic()
        return {} if reason == listed.attention else {run_id: reason}
