"""Housekeeping: its names, and what one round is asked to do and has done."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field

from relayline.contracts.frozen import Frozen

SCHEDULE_ID = "relayline-housekeeping"
"""The Temporal Schedule, and the prefix of the ids of the workflows that it starts."""
HOUSEKEEPING_QUEUE = "relayline-housekeeping"
"""A task queue of its own: rounds are on time however busy the workers are with runs."""
RUN_WORKFLOW = "AgentRun"
"""The workflow type of runs, as visibility knows it."""
EVERY = timedelta(seconds=10)
"""Between two rounds."""
CATCH_UP = timedelta(seconds=10)
"""How late a round may begin; what was missed before is not made up for."""
ROUND_BOUND = timedelta(minutes=10)
"""The longest round; then the next may begin."""


class HousekeepingRequest(Frozen):
    """One round."""

    batch: int = Field(default=200, ge=1)
    """Open runs that are looked at in this round, and ended ones that are swept at a time."""


class HousekeepingResult(Frozen):
    """What a round, or one part of it, has done."""

    ended: int = 0
    """Runs that were given their terminal fact."""
    swept: int = 0
    """Runs past retention whose events were removed."""
