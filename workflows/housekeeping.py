"""The workflow of one housekeeping round; a Temporal Schedule starts it every few seconds."""

from __future__ import annotations

import asyncio

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from relayline.activities.housekeeping import HousekeepingActivities
    from relayline.contracts.housekeeping import HousekeepingRequest, HousekeepingResult
    from relayline.workflows import policy


@workflow.defn
class Housekeeping:
    """One round: both parts run concurrently, so that a problem in one does not delay the other."""

    @workflow.run
    async def run(self, request: HousekeepingRequest) -> HousekeepingResult:
        """Run one round.

        Raises:
            ActivityError: a part failed for `policy.HOUSEKEEPING_BOUND`; the next round retries
                it.
        """
        parts = await asyncio.gather(
            *(
                workflow.execute_activity_method(
                    part,
                    request,
                    start_to_close_timeout=policy.HOUSEKEEPING_TIMEOUT,
                    schedule_to_close_timeout=policy.HOUSEKEEPING_BOUND,
                    heartbeat_timeout=policy.HEARTBEAT_TIMEOUT,
                    retry_policy=policy.RECORD_RETRY,
                )
                for part in (
                    HousekeepingActivities.end_closed_runs,
                    HousekeepingActivities.sweep_expired_runs,
                )
            ),
            return_exceptions=True,
        )
        done = []
        for part in parts:
            if isinstance(part, BaseException):
                raise part
            done.append(part)
        return HousekeepingResult(
            ended=sum(part.ended for part in done), swept=sum(part.swept for part in done)
        )
