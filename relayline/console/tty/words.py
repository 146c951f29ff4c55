"""How values are written for people: on one line, and bounded."""

from __future__ import annotations

from datetime import UTC, datetime

from pydantic import JsonValue

from relayline.contracts.steps import preview

BY_CHARS = 100
_ARGUMENTS_CHARS = 120


def one_line(value: object, limit: int) -> str:
    """The value's text with single spaces, at most `limit` characters; nothing for None."""
    return "" if value is None else preview(" ".join(str(value)[: 4 * limit].split()), limit)


def arguments(given: JsonValue, limit: int = _ARGUMENTS_CHARS) -> str:
    """`path=README.md, n=1`, at most `limit` characters."""
    known = given if isinstance(given, dict) else {}
    return one_line(", ".join(f"{key}={value}" for key, value in known.items()), limit)


def call(name: JsonValue, given: JsonValue, limit: int = _ARGUMENTS_CHARS) -> str:
    """`read_file(path=README.md)`, at most `limit` characters between the parentheses."""
    return f"{name}({arguments(given, limit)})"


def by(who: JsonValue) -> str:
    """` by ann`; nothing where nobody is named."""
    return f" by {one_line(who, BY_CHARS)}" if who else ""


def until(at: datetime | None) -> str:
    """` until 2026-11-23 10:00:00 UTC`; nothing where there is no end."""
    return f" until {at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if at else ""


def duration(seconds: float) -> str:
    """`5.0 s`, `61 min 06 s`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest:02d} s"
