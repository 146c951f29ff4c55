"""Starts a run of a batch before its turn, when somebody sends it a command."""

from __future__ import annotations

from contextlib import suppress

from temporalio.exceptions import WorkflowAlreadyStartedError

from relayline.api.temporal.gateway import Gateway
from relayline.journal.batches import Batches
from relayline.journal.table import Tenant


class PendingStarts:
    """The runs that are accepted and that Temporal does not know yet."""

    def __init__(self, batches: Batches, gateway: Gateway) -> None:
        self._batches = batches
        self._gateway = gateway

    async def start(self, tenant: Tenant, run_id: str) -> bool:
        """Start the tenant's run if it still must be; False if it need not.

        Raises:
            TemporalUnavailable: it may not have started; its batch starts it.
            JournalUnavailable: the journal does not answer.
        """
        pending = await self._batches.pending_start(tenant, run_id)
        if pending is None:
            return False
        with suppress(WorkflowAlreadyStartedError):
            await self._gateway.start(pending.run, pending.submitted_at)
        await self._batches.forget_starts([run_id])
        return True
