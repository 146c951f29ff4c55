"""What each fact changes in a run's row, by the fact's type. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from relayline.contracts.envelope import StoredEvent, moment
from relayline.contracts.events import (
    ChildEnded,
    MessageCompleted,
    RunCancelled,
    RunCompleted,
    RunFailed,
    RunForked,
    RunQueued,
    RunStarted,
    RunTerminated,
    RunTimedOut,
    TurnCompleted,
    UserMessageEvent,
)
from relayline.contracts.events.run import title_of
from relayline.contracts.runs import DEFAULT_TENANT
from relayline.contracts.runs.output import output_text
from relayline.projections.projection import Event, body_of
from relayline.projections.valid import FORKED, QUEUED
from relayline.projections.words import shown_calls

if TYPE_CHECKING:
    from relayline.projections.row import RunRow

_Terminal = RunCompleted | RunFailed | RunCancelled | RunTerminated | RunTimedOut
_TERMINAL: Mapping[str, type[_Terminal]] = {
    "run.completed": RunCompleted,
    "run.failed": RunFailed,
    "run.cancelled": RunCancelled,
    "run.terminated": RunTerminated,
    "run.timed_out": RunTimedOut,
}
_STARTED = "run.started"
_STEP = "step.started"
_ANSWER = "message.completed"
MESSAGE = "message.user"
_TURN_OVER = "turn.completed"
GIVEN = (
    "tenant",
    "user",
    "agent",
    "model",
    "title",
    "metadata",
    "open",
    "batch",
    "parent",
    "root",
    "forked_from",
    "start_at",
    "priority",
    "retention_days",
    "created_at",
    "queued",
)
"""What `run.queued` tells; no reset makes it void."""
_NOTHING_CAME = {"said": "", "turn_failed": ""}
"""Of a turn that runs."""


def at_of(event: Event) -> datetime:
    """When the event was appended."""
    return moment(event.at_us) if isinstance(event, StoredEvent) else event.at


def _queued(_row: RunRow, event: Event) -> dict[str, Any]:
    body = body_of(RunQueued, event)
    given = {name: getattr(body, name) for name in GIVEN if name in RunQueued.model_fields}
    turn = 1 if body.open else None
    return given | {"queued": True, "created_at": body.submitted_at, "turn": turn}


def _started(row: RunRow, event: Event) -> dict[str, Any]:
    body = body_of(RunStarted, event)
    changes: dict[str, Any] = {"epoch": body.epoch, "limits": body.limits}
    if row.queued:
        return changes
    return changes | {
        "tenant": (body.metadata or {}).get("tenant") or DEFAULT_TENANT,
        "agent": body.agent,
        "model": body.model,
        "metadata": body.metadata,
        "created_at": body.submitted_at or at_of(event),
    }


def _told(row: RunRow, event: Event) -> dict[str, Any]:
    """The first message is the input; one to an idle run begins a turn."""
    body = body_of(UserMessageEvent, event)
    title = {} if row.queued or row.title else {"title": title_of(body.text)}
    return title | ({"turn": body.turn, **_NOTHING_CAME} if row.waits.idle else {})


def _turned(_row: RunRow, event: Event) -> dict[str, Any]:
    body = body_of(TurnCompleted, event)
    said = title_of(output_text(body.output)) if body.output else ""
    failed = title_of(body.error.message) if body.error else ""
    return {"turn": body.turn, "in_tools": False, "said": said, "turn_failed": failed}


def _answered(row: RunRow, event: Event) -> dict[str, Any]:
    """The usage includes the tokens of interrupted answers before it."""
    body = body_of(MessageCompleted, event)
    calls = len(body.tool_calls)
    if _inherited(row, event):
        return {"inherited_usage": row.inherited_usage + body.usage, "in_tools": calls > 0}
    return {
        "usage": row.usage + body.usage,
        "tool_calls": row.tool_calls + calls,
        "in_tools": calls > 0,
        "called": shown_calls(body.tool_calls),
    }


def _child_ended(row: RunRow, event: Event) -> dict[str, Any]:
    """What runs below the origin of a fork have used is no usage of the fork."""
    if _inherited(row, event):
        return {}
    return {"child_usage": row.child_usage + body_of(ChildEnded, event).usage}


def _inherited(row: RunRow, event: Event) -> bool:
    """True of a fact of the past that a fork begins with."""
    return row.fork is not None and event.seq <= row.fork.to_seq


def _ended(_row: RunRow, event: Event) -> dict[str, Any]:
    body = body_of(_TERMINAL[event.type], event)
    error = body.error if isinstance(body, RunFailed) else None
    said = title_of(output_text(body.output)) if isinstance(body, RunCompleted) else ""
    return {"usage": body.usage, "error": error, "said": said, "ended_at": at_of(event)}


def _forked(_row: RunRow, event: Event) -> dict[str, Any]:
    body = body_of(RunForked, event)
    return {"fork": body.model_copy(update={"edits": (), "changed": {}})}


CHANGES: Mapping[str, Callable[[RunRow, Event], dict[str, Any]]] = {
    QUEUED: _queued,
    _STARTED: _started,
    MESSAGE: _told,
    _TURN_OVER: _turned,
    FORKED: _forked,
    _STEP: lambda _row, _event: {"in_tools": False},
    _ANSWER: _answered,
    "child.ended": _child_ended,
    **dict.fromkeys(_TERMINAL, _ended),
}
