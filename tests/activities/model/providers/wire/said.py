"""A row of the tables of other protocols: the bytes of one answer, and what they mean."""

from __future__ import annotations

from typing import Any, NamedTuple


class Said(NamedTuple):
    """One answer, and what it means."""

    name: str
    model: str
    body: bytes
    text: str = ""
    reason: str = "stop"
    calls: list[dict[str, Any]] = []  # noqa: RUF012
    thoughts: str = ""
    error: str = ""
    final: bool = False
    status: str = "200 OK"
