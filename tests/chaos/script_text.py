"""What a rehearsed run is to say, worked out from its script alone. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

CALLS = ("call", "calls")
END = "(end of script)"
"""The answer where a script has nothing left to say."""
Item = dict[str, Any]


class Oracle:
    """Tells what is in each next answer of one run."""

    def __init__(self, said: str) -> None:
        items = _items(said)
        self._segments = _segments(items or ())
        self._answered = 0
        self.knows = items is not None
        """True for a script; nobody foretells what the demo planner says."""

    def redirected(self, message: str) -> None:
        """A person has said something else."""
        self._segments = _segments(_items(message) or [{"say": f"Understood: {message}"}])
        self._answered = 0

    def answered(self) -> None:
        """The next answer has been given as a whole."""
        self._answered += 1

    def asked_again(self) -> None:
        """The model is asked once more after its last answer."""
        if not self.left:
            self._segments.append([])

    @property
    def text(self) -> str:
        """What the next whole answer is; empty if there is none to come."""
        return _answer(self._segments[self._answered]) if self.left else ""

    @property
    def thoughts(self) -> str:
        """What is reasoned in the next answer."""
        return "".join(str(item.get("think", "")) for item in self._next)

    @property
    def calls(self) -> list[tuple[str, dict[str, Any]]]:
        """Name and arguments of each call that the next answer asks for."""
        return [
            (str(call.get("name", call.get("call"))), call.get("arguments", {}))
            for item in self._next
            for call in item.get("calls", [item] if "call" in item else [])
        ]

    @property
    def fails(self) -> bool:
        """True if the next answer fails in a way that no retry helps."""
        statuses = [item["fail"] for item in self._next if "fail" in item]
        return any(status < 500 and status != 429 for status in statuses)

    @property
    def left(self) -> int:
        """How many answers are to come."""
        return max(len(self._segments) - self._answered, 0)

    @property
    def last(self) -> str:
        """What the last whole answer of all is."""
        return _answer(self._segments[-1])

    @property
    def _next(self) -> Sequence[Item]:
        return self._segments[self._answered] if self.left else ()


def _items(said: str) -> list[Item] | None:
    if not said.startswith("{"):
        return None
    items: list[Item] | None = json.loads(said).get("rehearse")
    return items


def _segments(items: Sequence[Item]) -> list[list[Item]]:
    """The items of each answer: up to and including the next that calls a tool."""
    segments: list[list[Item]] = [[]]
    for item in items:
        segments[-1].append(item)
        if any(kind in item for kind in CALLS):
            segments.append([])
    return segments


def _answer(items: Sequence[Item]) -> str:
    says = any(kind in item for item in items for kind in ("say", "tokens", *CALLS))
    return "".join(map(_text, items)) if says else END


def _text(item: Item) -> str:
    if "tokens" in item:
        return " ".join(f"w{number}" for number in range(1, item["tokens"] + 1))
    return str(item.get("say", ""))
