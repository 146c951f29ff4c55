"""The status of a run, what it waits for, and why it failed."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import Field

from relayline.contracts.frozen import Frozen


class RunStatus(StrEnum):
    """The status of a run, as clients see it."""

    SCHEDULED = "scheduled"
    """Accepted; it starts later."""
    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    IDLE = "idle"
    """Open: it waits for the next message, and needs nobody."""
    PAUSED = "paused"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TIMED_OUT = "timed_out"
    TERMINATED = "terminated"

    @property
    def ended(self) -> bool:
        """True for the five final states."""
        return self in TERMINAL


TERMINAL = frozenset(
    {
        RunStatus.COMPLETED,
        RunStatus.FAILED,
        RunStatus.CANCELLED,
        RunStatus.TIMED_OUT,
        RunStatus.TERMINATED,
    }
)


class Phase(StrEnum):
    """What the workflow is doing."""

    STARTING = "starting"
    MODEL = "model"
    TOOLS = "tools"
    WAITING = "waiting"
    """Nothing runs; the run waits for a decision or an answer."""
    PAUSED = "paused"
    IDLE = "idle"
    """Between two turns of an open run."""
    ENDING = "ending"
    ENDED = "ended"


class Waiting(Frozen):
    """Something that a person must do before the run continues."""

    kind: Literal["resume", "approval", "input"]
    """What it takes: the command `resume`, a decision or an answer."""
    id: str | None = None
    """The approval or request to answer."""
    what: str = ""
    """One line for people."""
    run_id: str | None = Field(default=None, exclude_if=lambda value: value is None)
    """The run below this one that waits, and `id` is then `{run_id}.{id}`; left out: it is this
    run."""


TurnStatus = Literal["completed", "failed", "cancelled"]
"""How a turn ended."""


class RunError(Frozen):
    """Why a run, or the newest attempt of one of its calls, failed."""

    type: str
    """An error type, such as `model-refused`."""
    message: str
    """One line for people."""
    step: int | None = None
    """The step in which it happened."""
