"""Adds the terminal fact of runs that Temporal closed without one."""

from __future__ import annotations

from relayline.api.temporal.gateway import Gateway
from relayline.journal.port import Journal
from relayline.journal.terminal import end_run


class TerminalFacts:
    """Does on demand for one run what housekeeping does periodically for all."""

    def __init__(self, journal: Journal, gateway: Gateway) -> None:
        self._journal = journal
        self._gateway = gateway

    async def ensure(self, run_id: str) -> bool:
        """Append the terminal fact if Temporal has closed the run; True if it was appended.

        A run that has one keeps it. A run that Temporal does not know stays as it is.

        Raises:
            TemporalUnavailable: Temporal did not answer in time.
            JournalUnavailable: the journal did not answer.
        """
        closing = await self._gateway.closing(run_id)
        return closing is not None and await end_run(self._journal, run_id, closing)
