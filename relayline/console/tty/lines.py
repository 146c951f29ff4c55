"""What a run asks of people, and the outcome of their commands, as lines."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from pydantic import JsonValue

from relayline.client.events import LOST
from relayline.console.printable import visible
from relayline.contracts.calls import preview
from relayline.contracts.envelope import Envelope
from relayline.contracts.events import ApprovalRequested, InputRequested, RunWaiting, ToolsListed
from relayline.projections.words import outcome, refused

BY_CHARS = 100
_ARGUMENTS_CHARS = 120


def one_line(value: object, limit: int) -> str:
    """The value's text with single spaces, at most `limit` characters; empty for None."""
    return "" if value is None else preview(" ".join(str(value)[: 4 * limit].split()), limit)


def arguments(given: JsonValue, limit: int = _ARGUMENTS_CHARS) -> str:
    """`path=README.md, n=1`, at most `limit` characters."""
    known = given if isinstance(given, dict) else {}
    return one_line(", ".join(f"{key}={value}" for key, value in known.items()), limit)


def call(name: JsonValue, given: JsonValue, limit: int = _ARGUMENTS_CHARS) -> str:
    """`read_file(path=README.md)`, at most `limit` characters between the parentheses."""
    return f"{name}({arguments(given, limit)})"


def by(who: JsonValue) -> str:
    """` by ann`; empty if nobody is named."""
    return f" by {one_line(who, BY_CHARS)}" if who else ""


def amount(number: JsonValue) -> str:
    """`2,000`, also for 2000.0: events have some whole numbers as fractions."""
    return f"{number:,.12g}" if isinstance(number, int | float) else f"{number}"


def until(at: datetime | None) -> str:
    """` until 2026-11-23 10:00:00 UTC`; empty if there is no end."""
    return f" until {at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if at else ""


def duration(seconds: float) -> str:
    """`5.0 s`, `61 min 06 s`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest:02d} s"


def broken_off(reason: str) -> str:
    """For people, when a connection broke off."""
    return f"connection lost ({reason}): trying again"


def notice(event: Envelope) -> str:
    """For people, what a notice of the server says: nobody works on the run, or events are lost."""
    reason = event.data.get("reason")
    if event.type == LOST:
        return f"the server has lost events ({reason}): starting over"
    return f"waiting: {reason}"


_TEXT_CHARS = 500
_REASON_CHARS = 160
_ASK, _QUIET = "yellow", "dim"

_Data = Mapping[str, JsonValue]


class Line(NamedTuple):
    """Words, and how they look."""

    words: str
    style: str = _ASK


def choices(question: InputRequested) -> tuple[str, ...]:
    """The only answers that a question accepts; empty: any, or any that fits its pattern."""
    listed = (question.data_schema or {}).get("enum")
    return tuple(map(str, listed)) if isinstance(listed, list) else ()


def _paused(event: Envelope, data: _Data) -> list[Line]:
    how = f"`relayline resume {event.run_id}` continues it"
    return [Line(f"‖ paused{by(data.get('by'))}: {how}")]


def _resumed(_: Envelope, data: _Data) -> list[Line]:
    return [Line(f"▶ resumed{by(data.get('by'))}")]


def _approval(event: Envelope, data: _Data) -> list[Line]:
    asked = ApprovalRequested.model_validate(data)
    if asked.tool == "raise_limit":
        limit, used, allowed, more = map(
            asked.arguments.get, ("limit", "used", "allowed", "raise_to")
        )
        what = f"{limit} is {allowed} and {used} would be used: raise it to {more}?"
    else:
        what = f"may {visible(call(asked.tool, asked.arguments, _TEXT_CHARS))} run?"
    how = f"relayline approve {event.run_id} {asked.approval_id}"
    lines = [
        Line(f"? {asked.approval_id}: {what} Waits{until(asked.expires_at)}"),
        Line(f"  `{how}`, or `deny`", _QUIET),
    ]
    size = sum(len(str(value)) for value in asked.arguments.values())
    if size > _TEXT_CHARS:
        lines.insert(1, Line(f"  cut off here; in full it has {size:,} characters"))
    return lines


def _resolved(_: Envelope, data: _Data) -> list[Line]:
    words = [f"? {data.get('approval_id')} {outcome('approval', str(data.get('decision')))}"]
    words.append(by(data.get("by")))
    if data.get("arguments") is not None:
        words.append(f", with {arguments(data.get('arguments'))}")
    if data.get("note"):
        words.append(f": {one_line(data.get('note'), _TEXT_CHARS)}")
    return [Line("".join(words))]


def _question(event: Envelope, data: _Data) -> list[Line]:
    asked = InputRequested.model_validate(data)
    offered = f" ({' · '.join(choices(asked))})" if choices(asked) else ""
    what = one_line(asked.question + offered, _TEXT_CHARS)
    how = f"relayline answer {event.run_id} {asked.request_id} TEXT"
    return [
        Line(f"? {asked.request_id}: {what} Waits{until(asked.expires_at) or ' for an answer'}"),
        Line(f"  `{how}`", _QUIET),
    ]


def _answered(_: Envelope, data: _Data) -> list[Line]:
    text = one_line(data.get("text"), _TEXT_CHARS)
    what = outcome("input", "answered")
    return [Line(f"? {data.get('request_id')} {what}{by(data.get('by'))}: {text}")]


def _closed(_: Envelope, data: _Data) -> list[Line]:
    what = outcome("input", str(data.get("reason")))
    return [Line(f"? {data.get('request_id')} {what}{by(data.get('by'))}")]


def _applied(_: Envelope, data: _Data) -> list[Line]:
    what = one_line(data.get("applied"), _REASON_CHARS)
    return [Line(f"· {data.get('kind')}: {what}", _QUIET)]


def _refused(_: Envelope, data: _Data) -> list[Line]:
    reason = one_line(data.get("reason"), _REASON_CHARS)
    return [Line(f"✗ {refused(str(data.get('kind')), reason)}")]


def _child_started(_: Envelope, data: _Data) -> list[Line]:
    return [Line(f"↳ {data.get('agent')} works on it: {data.get('run_id')}", "cyan")]


def _child_ended(_: Envelope, data: _Data) -> list[Line]:
    status = str(data.get("status")).replace("_", " ")
    return [Line(f"↲ {data.get('run_id')} is {status}", _QUIET)]


def _waits_below(event: Envelope, data: _Data) -> list[Line]:
    """What runs below wait for; each thing that the run itself waits for has its own event."""
    below = [it for it in RunWaiting.model_validate(data).waiting_for if it.run_id]
    lines = [Line(f"? below, in {it.run_id}: {one_line(it.what, _TEXT_CHARS)}") for it in below]
    how = {"approval": "approve {run} {id}", "input": "answer {run} {id} TEXT"}
    for item in below[:1]:
        told = how.get(item.kind, "resume {below}")
        told = told.format(run=event.run_id, id=item.id, below=item.run_id)
        lines.append(Line(f"  `relayline {told}`", _QUIET))
    return lines


def _without(_: Envelope, data: _Data) -> list[Line]:
    """MCP servers that the run must do without."""
    missing = ToolsListed.model_validate(data).missing
    return [
        Line(f"✗ no tools of MCP server {it.server}: {one_line(it.reason, _TEXT_CHARS)}")
        for it in missing
    ]


STEERING_LINES: Mapping[str, Callable[[Envelope, _Data], list[Line]]] = {
    "run.paused": _paused,
    "run.resumed": _resumed,
    "approval.requested": _approval,
    "approval.resolved": _resolved,
    "input.requested": _question,
    "input.received": _answered,
    "input.closed": _closed,
    "command.applied": _applied,
    "command.refused": _refused,
    "run.waiting": _waits_below,
    "child.started": _child_started,
    "child.ended": _child_ended,
    "tools.listed": _without,
}
"""By the event's type."""
