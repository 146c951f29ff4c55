"""What a rehearsed run is to say, worked out from its script alone. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

CALLS = ("call", "calls")


class Oracle:
    """Tells the text of each next answer of one run."""

    def __init__(self, said: str) -> None:
        self._items: Sequence[dict[str, Any]] | None = _items(said)
        self._answered = 0

    @property
    def knows(self) -> bool:
        """True for a script; nobody foretells what the demo planner says."""
        return self._items is not None

    def redirected(self, message: str) -> None:
        """A person has said something else."""
        self._items = _items(message) or [{"say": f"Understood: {message}"}]
        self._answered = 0

    @property
    def text(self) -> str:
        """What the next whole answer is."""
        segments: list[list[dict[str, Any]]] = [[]]
        for item in self._items or ():
            segments[-1].append(item)
            if any(kind in item for kind in CALLS):
                segments.append([])
        if self._answered >= len(segments):
            return ""
        return "".join(map(_text, segments[self._answered]))

    def answered(self) -> None:
        """The next answer has been given as a whole."""
        self._answered += 1


def _items(said: str) -> list[dict[str, Any]] | None:
    if not said.startswith("{"):
        return None
    items: list[dict[str, Any]] | None = json.loads(said).get("rehearse")
    return items


def _text(item: dict[str, Any]) -> str:
    if "tokens" in item:
        return " ".join(f"w{number}" for number in range(1, item["tokens"] + 1))
    return str(item.get("say", ""))
