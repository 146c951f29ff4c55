"""The workflow of one time of a schedule: it submits the run, and waits for its end if it must."""

from __future__ import annotations

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

with workflow.unsafe.imports_passed_through():
    from relayline.activities.submissions import LOOK_AGAIN, SubmissionActivities
    from relayline.contracts.submissions.schedules import (
        EndRequest,
        SubmitCall,
        SubmitRequest,
        SubmitResult,
    )
    from relayline.workflows import policy

_UNTIL_END = RetryPolicy(
    initial_interval=LOOK_AGAIN, backoff_coefficient=1.5, maximum_interval=timedelta(seconds=10)
)
"""A retry costs no event of history."""


@workflow.defn
class Submit:
    """Temporal starts one at each time of a schedule, under an id that has both."""

    @workflow.run
    async def run(self, request: SubmitRequest) -> SubmitResult:
        """Submit the run; what became of it."""
        result = await workflow.execute_activity_method(
            SubmissionActivities.submit_run,
            SubmitCall(
                action_id=workflow.info().workflow_id,
                run=request.run,
                tenant=request.tenant,
                by=request.by,
            ),
            summary=f"schedule {request.schedule_id}",
            start_to_close_timeout=policy.RECORD_TIMEOUT,
            retry_policy=policy.RECORD_RETRY,
        )
        if request.waits and result.problem is None:
            await workflow.execute_activity_method(
                SubmissionActivities.see_end,
                EndRequest(run_id=result.run_id),
                summary="until the run has ended",
                start_to_close_timeout=policy.RECORD_TIMEOUT,
                retry_policy=_UNTIL_END,
            )
        return result
