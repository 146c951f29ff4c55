"""Four eyes: who has submitted a run does not approve in it, where its tenant wants that."""

from __future__ import annotations

from collections.abc import Set

from relayline.api.auth.port import Forbidden
from relayline.contracts.events.run import RunQueued
from relayline.contracts.keys import QUEUED_KEY
from relayline.contracts.principals import Principal
from relayline.journal.port import Journal

ALL = "all"
"""In place of the names of tenants."""


class SubmitterMayNotApprove(Forbidden):
    """The sender has submitted the run, and its tenant wants another person to approve."""

    slug = "submitter-may-not-approve"
    title = "Who has submitted the run may not approve in it"


class FourEyes:
    """Knows whose submitters may not approve."""

    def __init__(self, tenants: Set[str], journal: Journal) -> None:
        """Create the check.

        Args:
            tenants: Their names; `ALL` means every tenant.
            journal: Has the submitter of each run.
        """
        self._tenants = tenants
        self._journal = journal

    async def check(self, run_id: str, sender: Principal) -> None:
        """Return if the sender may approve in the run.

        Nobody has submitted a run of the time before authentication was on.

        Raises:
            SubmitterMayNotApprove: they have submitted it.
            JournalUnavailable: it can't be said who has.
        """
        if sender.tenant is None or not self._tenants & {ALL, sender.tenant}:
            return
        fact = await self._journal.get(sender.tenant, run_id, QUEUED_KEY)
        queued = fact.body() if fact else None
        if isinstance(queued, RunQueued) and queued.by == sender.subject:
            said = f"{sender.subject} has submitted {run_id}: somebody else must approve"
            raise SubmitterMayNotApprove(said, run_id=run_id)
