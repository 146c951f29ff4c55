"""The workflow of a shift of housekeeping; a Temporal Schedule starts one after the other."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from relayline.activities.housekeeping import HousekeepingActivities
    from relayline.contracts.housekeeping import HousekeepingRequest, HousekeepingResult
    from relayline.workflows import policy


@workflow.defn
class Housekeeping:
    """One shift: rounds with pauses between them, so that Temporal's list has few of them.

    The number of rounds is in the request: older shifts, of one round, replay as they were.
    """

    @workflow.run
    async def run(self, request: HousekeepingRequest) -> HousekeepingResult:
        """Run the rounds of one shift.

        Raises:
            ActivityError: a part of a round failed for `policy.HOUSEKEEPING_BOUND`; the next shift
                retries it.
        """
        done = HousekeepingResult()
        for number in range(request.rounds):
            begun = workflow.now()
            done = _sum(done, await _round(request))
            if number + 1 < request.rounds:
                rest = begun + timedelta(seconds=request.every_s) - workflow.now()
                await workflow.sleep(max(rest, timedelta()), summary="until the next round")
        return done


async def _round(request: HousekeepingRequest) -> HousekeepingResult:
    """Run both parts concurrently, so that a problem in one does not delay the other."""
    parts = await asyncio.gather(
        *(
            workflow.execute_activity_method(
                part,
                request,
                start_to_close_timeout=policy.HOUSEKEEPING_TIMEOUT,
                schedule_to_close_timeout=policy.HOUSEKEEPING_BOUND,
                heartbeat_timeout=policy.HOUSEKEEPING_HEARTBEAT,
                retry_policy=policy.RECORD_RETRY,
            )
            for part in (
                HousekeepingActivities.end_closed_runs,
                HousekeepingActivities.sweep_expired_runs,
            )
        ),
        return_exceptions=True,
    )
    done = HousekeepingResult()
    for part in parts:
        if isinstance(part, BaseException):
            raise part
        done = _sum(done, part)
    return done


def _sum(one: HousekeepingResult, other: HousekeepingResult) -> HousekeepingResult:
    return HousekeepingResult(
        ended=one.ended + other.ended,
        swept=one.swept + other.swept,
        noted=one.noted + other.noted,
    )
