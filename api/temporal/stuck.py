"""Open runs that can't continue: no worker, a failing workflow, a paused or a deadly call."""

from __future__ import annotations

import asyncio
import time

from temporalio.service import RPCError

from relayline.api.errors import TemporalUnavailable
from relayline.api.temporal.execution import Execution
from relayline.api.temporal.gateway import Gateway
from relayline.api.temporal.workers import Workers
from relayline.journal.port import Journal, JournalError
from relayline.journal.terminal import read_all
from relayline.projections.losses import Losses
from relayline.projections.projection import fold

TASK_FAILING = "workflow task failing"
"""The workflow's own code fails, as after a bad deployment; the run continues once it is fixed."""
NO_WORKER = "no worker"
"""A task of the run waits and no worker answers; the run continues with the first one. `no worker
for …`: workers answer, but none takes that kind of call."""
ACTIVITY_PAUSED = "activity paused"
"""An operator has paused a call in Temporal; the run continues when it is unpaused, or when a
command stops the call."""
WORKER_LOST = "worker lost"
"""A call has taken its worker along more than once; `worker lost: NAME, 2 of 3 times`. It fails as
`worker-lost` the last time."""
FAILING_ATTEMPT = 3
"""A workflow task at this attempt has failed twice in a row; one failure may be a dead worker."""
WAITED_S = 3.0
"""How long a task waits before the workers are checked."""
KNOWN_S = 2.0
"""How long one answer is used for all runs of this process."""
FORGOTTEN_S = 10.0
"""After this long without a question, an earlier silence of the workers no longer counts."""


class WorkerProbe:
    """Whether any worker answers: asked of one run, used for a moment for all.

    Every worker serves every run. Temporal's list of pollers does not help: it shows killed workers
    for minutes.
    """

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._lock = asyncio.Lock()
        self._asked_at = 0.0
        self._silent_since: float | None = None

    async def silent_s(self, run_id: str) -> float | None:
        """For how long no worker has answered, 0 if one does; None if this run can't show it.

        Ask only for an open run and while Temporal answers; takes at most about 2 s.
        """
        async with self._lock:
            if time.monotonic() - self._asked_at > KNOWN_S:
                started = time.monotonic()
                answers = await self._gateway.has_worker(run_id)
                if answers is None:
                    return None
                if answers or started - self._asked_at > FORGOTTEN_S:
                    self._silent_since = None
                if not answers:
                    self._silent_since = self._silent_since or started
                self._asked_at = time.monotonic()
            return 0 if self._silent_since is None else self._asked_at - self._silent_since


class StuckRuns:
    """Finds open runs that are stuck; asks a worker only when Temporal gives a reason."""

    def __init__(
        self, gateway: Gateway, probe: WorkerProbe, workers: Workers, journal: Journal
    ) -> None:
        self._gateway = gateway
        self._journal = journal
        self._probe = probe
        self._workers = workers

    async def reason(self, execution: Execution) -> str | None:
        """`TASK_FAILING`, `NO_WORKER` (with the kind of call), `WORKER_LOST`, `ACTIVITY_PAUSED`.

        None for a run that has ended or can continue.
        """
        if execution.status.ended:
            return None
        run_id, attempt = execution.run_id, execution.task_attempt
        if attempt >= FAILING_ATTEMPT and await self._gateway.progress(run_id) is None:
            return TASK_FAILING
        if attempt > 1 or execution.waited_s >= WAITED_S:
            if await self._probe.silent_s(run_id):
                return NO_WORKER
            if unserved := await self._unserved(execution):
                return unserved
        if execution.lost and (lost := await self._lost(run_id)):
            return lost
        return ACTIVITY_PAUSED if execution.activity_paused else None

    async def _lost(self, run_id: str) -> str | None:
        """`WORKER_LOST` with the call and its count; also None if the journal does not answer."""
        try:
            facts = await read_all(self._journal, run_id, facts=True)
        except JournalError:
            return None
        if (worst := fold(Losses(), facts).worst) is None:
            return None
        what = worst.name or "the model call"
        return f"{WORKER_LOST}: {what}, {worst.counted} of {worst.allowed} times"

    async def unserved(self, run_id: str) -> str | None:
        """The kind of call of an open run that waits and has no worker, None if there is none.

        Raises:
            TemporalUnavailable: Temporal can't be asked.
        """
        execution = await self._gateway.execution(run_id)
        if execution is None or execution.waited_s < WAITED_S:
            return None
        return await self._unserved(execution)

    async def _unserved(self, execution: Execution) -> str | None:
        """`no worker for …` if a call waits that no worker takes; also None if that is unknown."""
        try:
            kind = await self._workers.unserved(execution.queues, execution.build_id)
        except (TemporalUnavailable, RPCError):
            return None
        return f"{NO_WORKER} for {kind}" if kind else None
