"""How Temporal closed a run, and the terminal fact for one that could not write its own. Pure."""

from __future__ import annotations

from typing import NamedTuple

from relayline.contracts.calls import preview
from relayline.contracts.envelope import NewEvent
from relayline.contracts.errors import ErrorType
from relayline.contracts.events import (
    EventBody,
    RunCancelled,
    RunCompleted,
    RunFailed,
    RunQueued,
    RunTerminated,
    RunTimedOut,
)
from relayline.contracts.keys import ended_key
from relayline.contracts.runs import RunError, RunStatus
from relayline.projections.row import RunRow

_TEXT_CHARS = 2000


class Closing(NamedTuple):
    """How Temporal closed a run's execution."""

    status: RunStatus
    """One of the five that a run never leaves."""
    text: str = ""
    """The reason given, the failure's message, or the preview of the output."""
    error_type: str = ""
    """The failure's type, where it has one."""
    queued: RunQueued | None = None
    """What was submitted, as Temporal knows it: for a journal that has nothing of the run."""


def terminal_fact(closing: Closing, reached: RunRow) -> NewEvent:
    """The terminal fact of a run that Temporal closed without the workflow's word.

    Args:
        closing: How Temporal closed it.
        reached: What the run's facts tell so far.
    """
    step = reached.step or None
    return NewEvent(key=ended_key(reached.epoch), body=_body(closing, reached, step), step=step)


def _body(closing: Closing, reached: RunRow, step: int | None) -> EventBody:
    text, usage = preview(closing.text, _TEXT_CHARS), reached.usage
    match closing.status:
        case RunStatus.TERMINATED:
            return RunTerminated(reason=text, usage=usage)
        case RunStatus.TIMED_OUT:
            return RunTimedOut(reason=text, usage=usage)
        case RunStatus.CANCELLED:
            return RunCancelled(reason=text, usage=usage)
        case RunStatus.COMPLETED:
            return RunCompleted(output=text, usage=usage)
        case _:
            kind = closing.error_type or ErrorType.WORKFLOW_FAILED
            error = RunError(type=kind, message=text, step=step)
            return RunFailed(error=error, usage=usage)
