"""The activities of a schedule: submit the run of one time, and wait for its end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta

from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from relayline.contracts.submissions.schedules import EndRequest, SubmitCall, SubmitResult
from relayline.journal.port import Journal
from relayline.journal.table import EVERY

LOOK_AGAIN = timedelta(seconds=1)
"""After that time, and then ever less often, a run is looked at that has not ended."""


class SubmissionActivities:
    """What a schedule does at each of its times; any worker may repeat it."""

    def __init__(
        self, journal: Journal, submit: Callable[[SubmitCall], Awaitable[SubmitResult]]
    ) -> None:
        """Create the activities.

        Args:
            journal: Of the runs.
            submit: Submits the run once, whoever repeats it.
        """
        self._journal = journal
        self._submit = submit

    @activity.defn
    async def submit_run(self, call: SubmitCall) -> SubmitResult:
        """Submit the run, or say why it was refused.

        Raises:
            JournalUnavailable, TemporalUnavailable: Temporal retries the activity.
        """
        return await self._submit(call)

    @activity.defn
    async def see_end(self, request: EndRequest) -> None:
        """Return if the run has ended; the retries are the wait.

        Raises:
            ApplicationError: it has not.
            JournalUnavailable: the journal does not answer.
        """
        head = await self._journal.head(EVERY, request.run_id)
        if head is None or not head.ended:
            raise ApplicationError(
                "the run has not ended", type="run-open", category=ApplicationErrorCategory.BENIGN
            )
