"""Adds the terminal fact of runs that Temporal closed without one."""

from __future__ import annotations

from relayline.api.temporal.gateway import Gateway
from relayline.journal.table import Storage
from relayline.journal.terminal import end_run


class TerminalFacts:
    """Does on demand for one run what housekeeping does periodically for all."""

    def __init__(self, storage: Storage, gateway: Gateway) -> None:
        self._storage = storage
        self._gateway = gateway

    async def ensure(self, run_id: str) -> bool:
        """Append the terminal fact if Temporal has closed the run; True if it was appended.

        A run that has one keeps it. A run that Temporal does not know stays as it is.

        Raises:
            TemporalUnavailable: Temporal did not answer in time.
            JournalUnavailable: the journal did not answer.
        """
        closing = await self._gateway.closing(run_id)
        return closing is not None and await end_run(self._storage, run_id, closing)
