"""How Temporal closed a run, and the terminal fact for one that could not write its own. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from relayline.contracts.calls import preview
from relayline.contracts.envelope import NewEvent, StoredEvent
from relayline.contracts.errors import ErrorType
from relayline.contracts.events import (
    EventBody,
    MessageCompleted,
    MessageInterrupted,
    RunCancelled,
    RunCompleted,
    RunFailed,
    RunRewound,
    RunStarted,
    RunTerminated,
    RunTimedOut,
)
from relayline.contracts.keys import ended_key
from relayline.contracts.messages import Usage
from relayline.contracts.runs import RunError, RunStatus
from relayline.projections.valid import counting

_TELLING = frozenset({"run.started", "run.rewound", "message.completed", "message.interrupted"})
"""The types of facts whose bodies say something about the whole run."""


_TEXT_CHARS = 2000


class Closing(NamedTuple):
    """How Temporal closed a run's execution."""

    status: RunStatus
    """One of the five that a run never leaves."""
    text: str = ""
    """The reason given, the failure's message, or the preview of the output."""
    error_type: str = ""
    """The failure's type, where it has one."""


class Reached(NamedTuple):
    """How far a run came."""

    epoch: int = 0
    step: int | None = None
    """The step of the newest fact that has one."""
    usage: Usage = Usage()
    """Of all the messages."""


def reached_by(facts: Iterable[StoredEvent]) -> Reached:
    """How far a run came by these facts, all that it has, in order."""
    reached = Reached()
    for fact in counting(facts):
        if fact.step is not None:
            reached = reached._replace(step=fact.step)
        body = fact.body() if fact.type in _TELLING else None
        if isinstance(body, RunStarted | RunRewound):
            reached = reached._replace(epoch=body.epoch)
        elif isinstance(body, MessageCompleted | MessageInterrupted):
            reached = reached._replace(usage=reached.usage + body.usage)
    return reached


def terminal_fact(closing: Closing, reached: Reached) -> NewEvent:
    """The terminal fact of a run that Temporal closed without the workflow's word."""
    return NewEvent(key=ended_key(reached.epoch), body=_body(closing, reached), step=reached.step)


def _body(closing: Closing, reached: Reached) -> EventBody:
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
            error = RunError(type=kind, message=text, step=reached.step)
            return RunFailed(error=error, usage=usage)
