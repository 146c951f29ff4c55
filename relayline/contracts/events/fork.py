"""The event that parts the past of a run from what it does itself."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, JsonValue

from relayline.contracts.frozen import Frozen
from relayline.contracts.runs import EditedResult


class RunForked(Frozen):
    """The run begins with a past: events after this one, up to `to_seq`, are not its own.

    They are copies of another run's, or were given with the submission, and count neither as usage
    nor against any limit. A reset never makes them void.
    """

    type: Literal["run.forked"] = "run.forked"
    run_id: str | None = None
    """The run of which it is a fork; absent if the past was given as `history`."""
    step: int
    """The first step that the run does itself."""
    seq: int = 0
    """The newest event of that run which belongs to the past."""
    to_seq: int
    """The last event of the past in this run; `seq` of this event if there is none."""
    edits: tuple[EditedResult, ...] = ()
    """Results that are others than in that run."""
    changed: dict[str, JsonValue] = Field(default_factory=dict)
    """What else is: fields of its agent, with their new values."""
