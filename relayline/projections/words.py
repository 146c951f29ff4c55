"""How people are told of approvals, questions and commands that are closed. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

How = Literal["approve", "deny", "answered", "expired", "withdrawn"]
"""How an approval or a question can end."""
_ENDED = {"approve": "approved", "deny": "denied"}
_NOBODY = {"approval": "nobody decided", "input": "nobody answered"}


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
