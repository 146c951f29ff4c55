"""Shows a text that is longer than the screen, page by page. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from pydantic import JsonValue

from relayline.console.printable import visible
from relayline.console.tty.lines import choices
from relayline.console.tty.wrap import cut, wrapped
from relayline.contracts.events import ApprovalRequested, InputRequested

_KEYS = "space next · b back · g start · G end · q close"


class Pager:
    """A text and the place in it that is shown."""

    def __init__(self, title: str, text: str, keys: str = "") -> None:
        """Begin at the start.

        Args:
            title: One line about the text.
            text: Any; characters that can't be seen are shown as escapes.
            keys: Further keys, which someone else takes.
        """
        self._title = visible(title.replace("\n", " "))
        self._text = visible(text)
        self._keys = f"{keys} · {_KEYS}" if keys else _KEYS
        self._top = 0
        self._rows, self._height = 0, 1
        """As drawn last."""
        self._moves: Mapping[str, Callable[[], int]] = {
            **dict.fromkeys((" ", "f", "\x1b[6~"), lambda: self._top + self._height),
            **dict.fromkeys(("b", "\x1b[5~"), lambda: self._top - self._height),
            **dict.fromkeys(("j", "\n", "\r", "\x1b[B", "\x1bOB"), lambda: self._top + 1),
            **dict.fromkeys(("k", "\x1b[A", "\x1bOA"), lambda: self._top - 1),
            **dict.fromkeys(("g", "\x1b[H", "\x1bOH"), lambda: 0),
            **dict.fromkeys(("G", "\x1b[F", "\x1bOF"), lambda: self._rows),
        }

    def type(self, stroke: str) -> None:
        """Move by a key; other keys change nothing."""
        if move := self._moves.get(stroke):
            self._top = move()

    def page(self, width: int, height: int) -> list[str]:
        """The rows to show: the title, a part of the text, and the keys."""
        rows = [row.rstrip(" ") for row in wrapped(self._text, width)]
        self._rows, self._height = len(rows), max(height - 2, 1)
        self._top = max(min(self._top, self._rows - self._height), 0)
        shown = rows[self._top : self._top + self._height]
        shown += [""] * (self._height - len(shown))
        end = min(self._top + self._height, self._rows)
        where = f"{self._top + 1}-{end} of {self._rows}"
        return [cut(self._title, width), *shown, cut(f"{where} · {self._keys}", width - 1)]


def approval_pager(asked: ApprovalRequested) -> Pager:
    """All of the arguments that a person is asked to approve."""
    title = f"{asked.approval_id}: may {asked.tool} run with this?"
    return Pager(title, _arguments(asked.arguments), "a approve · d deny")


def question_pager(asked: InputRequested) -> Pager:
    """All of a question, and the answers that it accepts."""
    offered = "".join(f"\n- {choice}" for choice in choices(asked))
    return Pager(f"{asked.request_id} asks:", asked.question + offered)


def _arguments(given: Mapping[str, JsonValue]) -> str:
    """Each argument below its name; strings as they are, with their newlines."""
    parts = []
    for name, value in given.items():
        plain = isinstance(value, str)
        text = value if plain else json.dumps(value, indent=2, ensure_ascii=False)
        parts.append(f"{name}:\n{text}" if "\n" in str(text) else f"{name}: {text}")
    return "\n\n".join(parts) or "(no arguments)"
