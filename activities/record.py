"""Appends facts that the workflow decided, where no other activity is about to start."""

from __future__ import annotations

from temporalio import activity

from activities.attempt import Attempt
from contracts.steps import RecordRequest
from journal.port import Journal


class RecordActivities:
    """The activity `record_facts`."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    @activity.defn
    async def record_facts(self, request: RecordRequest) -> None:
        """Append the outbox; each fact once, however often this is tried.

        Raises:
            ApplicationError: `journal-unavailable`, which Temporal tries again.
        """
        scope = f"{request.epoch}/record"
        attempt = Attempt(self._journal, request.run_id, request.epoch, scope)
        await attempt.record(request.outbox)
