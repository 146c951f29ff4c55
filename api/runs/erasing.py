"""Erases ended runs: at once from the journal, durably from everywhere else."""

from __future__ import annotations

import logging

from relayline.api.errors import StillOpen
from relayline.api.runs.views import Views
from relayline.contracts.runs import RunStatus
from relayline.journal.port import RunOpen
from relayline.journal.table import RunFilter, Storage, Tenant

PAGE = 100
"""Runs that are read at a time."""
_audit = logging.getLogger("relayline.audit")


class Erasing:
    """Erases runs on request."""

    def __init__(self, storage: Storage, views: Views) -> None:
        self._storage = storage
        self._views = views

    async def erase(self, tenant: Tenant, run_id: str, address: str) -> None:
        """Erase the run and all runs below it; that of an erased one changes nothing.

        When this returns, nobody can read the run any more: the journal has nothing of it but its
        tombstone. Housekeeping deletes what Temporal has, whoever dies meanwhile.

        Args:
            tenant: Whose run it must be.
            run_id: The run.
            address: Who asks, for the audit line.

        Raises:
            UnknownRun: that tenant has no such run, and had none.
            StillOpen: it has not ended, or one below it; then all those that it names stay.
            TemporalUnavailable: the journal does not know whether it has ended, and Temporal can't
                be asked.
            JournalUnavailable: perhaps it is erased in part; ask again.
        """
        listed = await self._storage.listed(tenant, run_id)
        if listed is None or listed.row.status.ended:
            await self._erase_below(tenant, run_id, address)
        of = await self._erased(tenant, run_id)
        if of is None:
            view = await self._views.find(tenant, run_id)  # ends a run that Temporal has closed
            of = await self._erased(tenant, run_id) if view.status.ended else None
            if of is None:
                raise _open(run_id, view.status)
        erased = {"run_id": run_id, "tenant": of, "address": address}
        _audit.info("run erased", extra=erased)

    async def _erase_below(self, tenant: Tenant, run_id: str, address: str) -> None:
        """Erase the runs that it has started: whoever asks again finds those that are left."""
        while page := await self._storage.list_runs(tenant, RunFilter(parent=run_id), PAGE):
            for listed in page:
                await self.erase(tenant, listed.row.run_id, address)

    async def _erased(self, tenant: Tenant, run_id: str) -> str | None:
        """The run's tenant; None if it can't be erased as it is."""
        try:
            return await self._storage.erase(tenant, run_id)
        except RunOpen:
            return None


def _open(run_id: str, status: RunStatus) -> StillOpen:
    return StillOpen(
        f"{run_id} is {status.value}: only an ended run can be erased; cancel it first",
        run_id=run_id,
        run_status=status.value,
    )
