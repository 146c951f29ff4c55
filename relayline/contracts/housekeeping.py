"""Housekeeping: its names and times, and the request and result of one round."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field

from relayline.contracts.frozen import Frozen

SCHEDULE_ID = "relayline-housekeeping"
"""Id of the Temporal Schedule, and prefix of the ids of the workflows that it starts."""
HOUSEKEEPING_QUEUE = "relayline-housekeeping"
"""A separate task queue keeps rounds on time however busy the workers are with runs."""
RUN_WORKFLOW = "AgentRun"
"""The workflow type of runs in Temporal's visibility."""
EVERY = timedelta(seconds=10)
"""Time between the starts of two rounds."""
CATCH_UP = timedelta(seconds=10)
"""How late a round may begin; rounds missed for longer are skipped."""
ROUND_BOUND = timedelta(minutes=10)
"""Temporal ends a round that takes longer, so that the next can begin."""


class HousekeepingRequest(Frozen):
    """The request for one round."""

    batch: int = Field(default=200, ge=1)
    """Open runs to check in this round, and ended runs to sweep at a time."""


class HousekeepingResult(Frozen):
    """What a round, or a part of it, has done."""

    ended: int = 0
    """Runs that got their terminal fact."""
    swept: int = 0
    """Runs past retention whose events were deleted."""
