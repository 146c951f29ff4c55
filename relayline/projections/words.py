"""How people are told of calls, and of approvals, questions and commands that are closed. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal

from pydantic import JsonValue

from relayline.contracts.calls import preview
from relayline.contracts.messages import ToolCall

CALL_PREVIEW_CHARS = 120
How = Literal["approve", "deny", "answered", "expired", "withdrawn"]
"""How an approval or a question can end."""
_ENDED = {"approve": "approved", "deny": "denied"}
_NOBODY = {"approval": "nobody decided", "input": "nobody answered"}


def shown_calls(calls: Sequence[ToolCall]) -> str:
    """`read_file(path=README.md) and 2 more`; empty without a call."""
    if not calls:
        return ""
    more = f" and {len(calls) - 1} more" if len(calls) > 1 else ""
    return f"{calls[0].name}({call_preview(calls[0].arguments)}){more}"


def call_preview(arguments: dict[str, JsonValue]) -> str:
    """`path=README.md, limit=5`: one line for people, at most 120 characters."""
    shown = (f"{name}={_shown(value)}" for name, value in arguments.items())
    line = preview(" ".join(", ".join(shown).split()), CALL_PREVIEW_CHARS)
    return "".join(char if char.isprintable() else "?" for char in line)


def _shown(value: JsonValue) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text[: CALL_PREVIEW_CHARS + 1]


def outcome(kind: Literal["approval", "input"], how: str) -> str:
    """`approved`, `withdrawn`, `expired, nobody answered`; an unknown `how` stays as it is."""
    return f"{_ended(how)}, {_NOBODY[kind]}" if how == "expired" else _ended(how)


def closed(id_: str, how: How, by: str, at: datetime) -> str:
    """`approval_1_0 was denied by ann at 2026-03-01T12:00:00Z`; nobody is named if `by` is empty.

    Args:
        id_: The approval or the question.
        how: How it ended.
        by: Who ended it.
        at: When; any time zone.
    """
    verb = "has" if how == "expired" else "was"
    who = f" by {by}" if by else ""
    return f"{id_} {verb} {_ended(how)}{who} at {stamp(at)}"


def stamp(at: datetime) -> str:
    """RFC 3339, UTC; with a fraction only where there is one."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def refused(command: str, reason: object) -> str:
    """`pause was refused: already paused`."""
    return f"{command} was refused: {reason}"


def _ended(how: str) -> str:
    return _ENDED.get(how, how)
