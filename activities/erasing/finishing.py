"""The activity `finish_erasures`: erases what expired, and what other stores have of erased runs.

The journal erases its own part first and keeps the id until all the others have nothing left. Each
store that has something of a run is one `Eraser` in the list of the composition root.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from temporalio import activity
from temporalio.service import RPCError

from relayline.activities.erasing.executions import Eraser
from relayline.activities.erasing.tenants import SETTLED, TenantErasing
from relayline.activities.housekeeping import SWEEP_FOR, translated
from relayline.activities.presence import heartbeats
from relayline.contracts.housekeeping import HousekeepingRequest, HousekeepingResult
from relayline.journal.erasures import Erasure
from relayline.journal.port import RunOpen
from relayline.journal.table import EVERY, Storage

AT_ONCE = 8
"""Erasures that are finished concurrently."""
IN_A_ROUND = 2000
"""Erasures that one round looks at, at most."""


class ErasingActivities:
    """A part of a round of housekeeping; any worker may repeat it.

    Args:
        storage: Which runs were erased, and which have expired.
        erasers: One for each store beside the journal that has something of a run.
        tenant_erasers: One for each such store that has something of a tenant.
        work_for: How long one round works.
        settled: How old an erasure must be to be finished.
    """

    def __init__(
        self,
        storage: Storage,
        erasers: Sequence[Eraser],
        tenant_erasers: Sequence[Eraser] = (),
        work_for: timedelta = SWEEP_FOR,
        settled: timedelta = SETTLED,
    ) -> None:
        self._storage = storage
        self._tenants = TenantErasing(storage, tenant_erasers, settled)
        self._erasers = erasers
        self._work_for = work_for
        self._settled = settled

    @activity.defn
    async def finish_erasures(self, request: HousekeepingRequest) -> HousekeepingResult:
        """Erase runs whose own retention is over, then finish what erasures have left.

        First it erases what tenants have whose keys are being erased. What erasures have left is
        events of one that was interrupted, and what each eraser has. An eraser that fails is asked
        again in the next round; the others continue.

        Raises:
            ApplicationError: `journal-unavailable`, which Temporal retries.
        """
        deadline = time.monotonic() + self._work_for.total_seconds()
        async with heartbeats():
            with translated():
                empty = await self._tenants.work(deadline)
                for run_id in await self._storage.expired(request.batch):
                    if time.monotonic() < deadline:
                        await self._expire(run_id)
                erased = await self._finish(deadline)
                await self._tenants.finish(empty)
                return HousekeepingResult(erased=erased)

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
