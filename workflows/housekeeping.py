"""The workflow of a shift of housekeeping; a Temporal Schedule starts one after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from relayline.activities.erasing.finishing import ErasingActivities
    from relayline.activities.housekeeping import HousekeepingActivities
    from relayline.contracts.housekeeping import HousekeepingRequest, HousekeepingResult
    from relayline.workflows import policy

Part = Callable[[Any, HousekeepingRequest], Awaitable[HousekeepingResult]]
"""An activity that does one part of a round."""


@workflow.defn
class Housekeeping:
    """One shift: rounds with pauses between them, so that Temporal's list has few of them.

    The number of rounds is in the request: older shifts, of one round, replay as they were. So do
    those that were begun before there were erasures: they end without that part.
    """

    @workflow.run
    async def run(self, request: HousekeepingRequest) -> HousekeepingResult:
        """Run the rounds of one shift.

        Raises:
            ActivityError: a part of a round failed for `policy.HOUSEKEEPING_BOUND`; the next shift
                retries it.
        """
        done = HousekeepingResult()
        parts: list[Part] = [
            HousekeepingActivities.end_closed_runs,
            HousekeepingActivities.sweep_expired_runs,
        ]
        if workflow.patched("erasures"):
            parts.append(ErasingActivities.finish_erasures)
        for number in range(request.rounds):
            begun = workflow.now()
            done = _sum(done, await _round(request, parts))
            if number + 1 < request.rounds:
                rest = begun + timedelta(seconds=request.every_s) - workflow.now()
                await workflow.sleep(max(rest, timedelta()), summary="until the next round")
        return done


async def _round(request: HousekeepingRequest, parts: Sequence[Part]) -> HousekeepingResult:
    """Run all parts concurrently, so that a problem in one does not delay the others."""
    outcomes = await asyncio.gather(
        *(
            workflow.execute_activity_method(
                part,
                request,
                start_to_close_timeout=policy.HOUSEKEEPING_TIMEOUT,
                schedule_to_close_timeout=policy.HOUSEKEEPING_BOUND,
                heartbeat_timeout=policy.HOUSEKEEPING_HEARTBEAT,
                retry_policy=policy.RECORD_RETRY,
            )
            for part in parts
        ),
        return_exceptions=True,
    )
    done = HousekeepingResult()
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome
        done = _sum(done, outcome)
    return done


def _sum(one: HousekeepingResult, other: HousekeepingResult) -> HousekeepingResult:
    return HousekeepingResult(
        ended=one.ended + other.ended,
        swept=one.swept + other.swept,
        withdrawn=one.withdrawn + other.withdrawn,
        noted=one.noted + other.noted,
        erased=one.erased + other.erased,
    )
