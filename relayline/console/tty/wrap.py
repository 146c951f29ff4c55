"""Breaks text into rows of a terminal so that no word and no space between words is lost. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rich.cells import cell_len, split_graphemes

_TAB = 8
_PIECE = re.compile(r" +|\t|[^ \t]+")
_ELLIPSIS = "…"


def wrapped(text: str, width: int) -> list[str]:
    """The rows of the text; the last one is open: more text may follow.

    A row is at most `width` cells wide but for spaces at its end. Words that are wider are broken.
    Wrapping the last row and what follows it gives the same rows as wrapping everything at once.
    """
    return [row for line in text.split("\n") for row in _rows(line, max(width, 2))]


def cut(text: str, width: int) -> str:
    """The text on one row, with an ellipsis at its end if it is wider than `width` cells."""
    text = text.rstrip(" ")
    if cell_len(text) <= width:
        return text
    return next(_chopped(text, max(width - 1, 1))) + _ELLIPSIS


def _rows(line: str, width: int) -> Iterator[str]:
    row, cells = "", 0
    for piece in _PIECE.findall(line):
        if piece == "\t":
            piece = " " * (_TAB - cells % _TAB)  # noqa: PLW2901
        if piece[0] != " " and cells + cell_len(piece) > width:
            if row.strip(" "):
                yield row
            *full, piece = _chopped(piece, width)  # noqa: PLW2901
            yield from full
            row, cells = "", 0
        row += piece
        cells += cell_len(piece)
    yield row


def _chopped(word: str, width: int) -> Iterator[str]:
    """The word in parts of at most `width` cells; at least one character each."""
    begin, cells = 0, 0
    for start, _, size in split_graphemes(word)[0]:
        if start > begin and cells + size > width:
            yield word[begin:start]
            begin, cells = start, 0
        cells += size
    yield word[begin:]
