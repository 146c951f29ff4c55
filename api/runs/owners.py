"""Whose a run is: the one place that keeps each tenant to its own runs."""

from __future__ import annotations

from relayline.api.errors import UnknownRun
from relayline.api.temporal.gateway import Gateway
from relayline.contracts.principals import Principal
from relayline.journal.port import RunErased
from relayline.journal.table import EVERY, Storage, Tenant


def seen_by(principal: Principal) -> Tenant:
    """Whose runs the principal may see; every tenant's while authentication is off."""
    return EVERY if principal.tenant is None else principal.tenant


class RunOwners:
    """Knows the tenant of runs that the journal does not have yet, too, and of erased ones."""

    def __init__(self, storage: Storage, gateway: Gateway) -> None:
        self._storage = storage
        self._gateway = gateway

    async def check(self, tenant: Tenant, run_id: str) -> None:
        """Return if the run is of that tenant, or was.

        Raises:
            UnknownRun: it is another's, or nobody knows it: whatever else is wrong with a request,
                both are answered alike.
            TemporalUnavailable: the journal does not know it and Temporal can't be asked.
            JournalUnavailable: the journal can't be asked.
        """
        if tenant is EVERY:
            return
        owner = await self._storage.owner(run_id) or await self._elsewhere(run_id)
        if owner != tenant:
            raise UnknownRun(run_id)

    async def _elsewhere(self, run_id: str) -> str | None:
        """The tenant of a run without a row, or that which it had; None if nobody knows it."""
        try:
            head = await self._storage.head(EVERY, run_id)
        except RunErased as error:
            if error.tenant is None:
                raise UnknownRun(run_id) from error
            return error.tenant
        if head is not None:  # its row is gone with its events, or was never written
            raise UnknownRun(run_id)
        execution = await self._gateway.execution(run_id)
        return execution.tenant if execution else None
