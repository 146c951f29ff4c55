"""Screens that a run is written to, append-only; the one for a pipe. `live` has the terminal's."""

from __future__ import annotations

from types import TracebackType
from typing import NamedTuple, Protocol, Self, TextIO

from relayline.console.printable import printable


class Prompt(NamedTuple):
    """A line that is being typed."""

    label: str
    before: str
    """Up to the cursor."""
    after: str


class Screen(Protocol):
    """Takes text as it comes, and lines; never takes back what was written."""

    def text(self, piece: str, style: str = "") -> None:
        """Append to the open text; another style begins a new line."""
        ...

    def end_text(self) -> None:
        """End the last line of the text, if it is open."""
        ...

    def line(self, words: str, style: str = "") -> None:
        """Write a line below the text."""
        ...

    def aside(self, words: str) -> None:
        """Write a line beside the output, unless the live line says the same."""
        ...

    def refresh(self) -> None:
        """Redraw the live line."""
        ...

    def __enter__(self) -> Self:
        """Take the terminal."""
        ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Write everything and restore the terminal."""
        ...


class PlainScreen:
    """Writes all but control characters exactly as they come; for pipes and files."""

    def __init__(self, file: TextIO, asides: TextIO) -> None:
        self._file = file
        self._asides = asides
        self._open = False
        self._style = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end_text()

    def text(self, piece: str, style: str = "") -> None:
        """As in `Screen`."""
        if style != self._style:
            self.end_text()
            self._style = style
        piece = printable(piece)
        if piece:
            self._open = not piece.endswith("\n")
            self._write(piece)

    def end_text(self) -> None:
        """As in `Screen`."""
        if self._open:
            self._open = False
            self._write("\n")

    def line(self, words: str, style: str = "") -> None:  # noqa: ARG002  a pipe has no styles
        """As in `Screen`."""
        self.end_text()
        self._write(printable(words) + "\n")

    def aside(self, words: str) -> None:
        """As in `Screen`."""
        self._asides.write(printable(words) + "\n")
        self._asides.flush()

    def refresh(self) -> None:
        """As in `Screen`: a pipe has no live line."""

    def _write(self, characters: str) -> None:
        self._file.write(characters)
        self._file.flush()
