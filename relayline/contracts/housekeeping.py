"""Housekeeping: its names and times, and the request and result of a shift."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field

from relayline.contracts.frozen import Frozen

SCHEDULE_ID = "relayline-housekeeping"
"""Id of the Temporal Schedule, and prefix of the ids of the shifts that it starts."""
HOUSEKEEPING_QUEUE = "relayline-housekeeping"
"""A separate task queue keeps rounds on time however busy the workers are with runs."""
RUN_WORKFLOW = "AgentRun"
"""The workflow type of runs in Temporal's visibility."""
EVERY = timedelta(seconds=10)
"""Time between the starts of two rounds, and between two tries of the Schedule to start a shift."""
ROUNDS = 170
"""Rounds of one workflow, a shift: 28 minutes, and less than 4,000 events of history."""
CATCH_UP = timedelta(seconds=10)
"""How late a shift may begin; those missed for longer are skipped."""
SHIFT_BOUND = EVERY * ROUNDS + timedelta(minutes=10)
"""Temporal ends a shift that takes longer, so that the next can begin."""


class HousekeepingRequest(Frozen):
    """The request for a shift, and for each of its rounds."""

    batch: int = Field(default=200, ge=1)
    """Open runs to check in a round, also of each kind for progress; ended runs to sweep at a
    time."""
    rounds: int = Field(default=1, ge=1)
    """Rounds of the shift."""
    every_s: float = Field(default=EVERY.total_seconds(), gt=0)
    """Seconds between the starts of two rounds; a round that takes longer delays the next."""


class HousekeepingResult(Frozen):
    """What a shift, a round, or a part of one has done."""

    ended: int = 0
    """Runs that got their terminal fact."""
    swept: int = 0
    """Runs past retention whose events were deleted."""
    withdrawn: int = 0
    """Runs that were submitted and never started, and are in the journal no more."""
    noted: int = 0
    """Open runs that have stopped to make progress, or make it again."""
    erased: int = 0
    """Erased runs of which nothing is left anywhere."""
