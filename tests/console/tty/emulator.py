"""A terminal as people have it: rows that wrap at its width, some escape sequences, resizing."""

from __future__ import annotations

import re
from itertools import pairwise

_PART = re.compile(r"\x1b\[\??(\d*)([A-Za-z])|\r|\n|[^\x1b\r\n]", re.DOTALL)


class Emulator:
    """Takes what is written. Each character is one cell; the height has no end."""

    def __init__(self, width: int, *, reflows: bool = True) -> None:
        self.width = width
        self._reflows = reflows
        self._lines = [""]
        """Between newlines; each is as many rows as it needs."""
        self._at, self._column = 0, 0
        """The cursor: a line, and a place in it."""
        self._other: tuple[list[str], int, int] | None = None
        """The screen below a page that covers it."""
        self._printed = False
        """The last thing was a character: behind a full row the cursor waits in this row."""

    def write(self, written: str) -> None:
        """Show that."""
        for part in _PART.finditer(written):
            number, letter = part.groups()
            if letter:
                self._obey(number, letter)
            elif part[0] == "\r":
                self._column -= self._column_in_row()
                self._printed = False
            elif part[0] == "\n":
                self._down()
            else:
                line = self._lines[self._at].ljust(self._column)
                self._lines[self._at] = line[: self._column] + part[0] + line[self._column + 1 :]
                self._column += 1
                self._printed = True

    def resize(self, width: int) -> None:
        """Wrap the rows again, or cut them off."""
        if not self._reflows:
            self._lines = [row[:width] for row in self._all_rows()]
            self._at, self._column = self._row_of_cursor(), min(self._column_in_row(), width)
        self.width = width

    @property
    def rows(self) -> list[str]:
        """The visible rows, without empty ones at the end."""
        return "\n".join(row.rstrip() for row in self._all_rows()).rstrip("\n").split("\n")

    def _obey(self, number: str, letter: str) -> None:
        match letter:
            case "A":
                for _ in range(int(number or 1)):
                    self._up()
            case "J" if number != "2":
                self._lines = self._lines[: self._at + 1]
                self._lines[self._at] = self._lines[self._at][: self._column]
            case "H" | "J":
                self._lines, self._at, self._column = [""], 0, 0
            case "h" if number == "1049":
                self._other = (self._lines, self._at, self._column)
                self._lines, self._at, self._column = [""], 0, 0
            case "l" if number == "1049" and self._other:
                self._lines, self._at, self._column = self._other

    def _column_in_row(self) -> int:
        """The last column, too, when the cursor waits behind a full row."""
        behind = self._printed and self._column and self._column % self.width == 0
        return self.width if behind else self._column % self.width

    def _up(self) -> None:
        inside = self._column_in_row()
        self._printed = False
        if self._column - inside:
            self._column -= self.width
        else:
            self._at -= 1
            assert self._at >= 0, "above the first row"
            rows = max(-(-len(self._lines[self._at]) // self.width), 1)
            self._column = (rows - 1) * self.width + inside

    def _down(self) -> None:
        self._at += 1
        self._column = 0
        self._printed = False
        if self._at == len(self._lines):
            self._lines.append("")

    def _all_rows(self) -> list[str]:
        return [row for line in self._lines for row in _folded(line, self.width)]

    def _row_of_cursor(self) -> int:
        before = sum(len(_folded(line, self.width)) for line in self._lines[: self._at])
        return before + (self._column - self._column_in_row()) // self.width


def _folded(line: str, width: int) -> list[str]:
    edges = [*range(0, max(len(line), 1), width), len(line)]
    return [line[begin:end] for begin, end in pairwise(edges)]
