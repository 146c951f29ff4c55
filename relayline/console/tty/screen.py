"""Screens that a run is written to, append-only: a terminal or a pipe."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import NamedTuple, Protocol, Self, TextIO

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.text import Text

_REFRESHES_PER_S = 4
_CONTROL = dict.fromkeys(
    [code for code in range(0x20) if chr(code) not in "\n\t"] + list(range(0x7F, 0xA0))
)
"""Characters with which a model or a tool could control the terminal."""


_CURSOR = "▏"


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


def can_be_live(file: TextIO) -> bool:
    """True for a terminal that can show a live line."""
    return file.isatty() and Console(file=file).is_interactive


def live_screen(
    file: TextIO, status: Callable[[], str], prompt: Callable[[], Prompt | None]
) -> LiveScreen:
    """A screen for a terminal at which a person types."""
    return LiveScreen(Console(file=file, highlight=False), status, prompt)


def screen_for(file: TextIO, asides: TextIO, status: Callable[[], str]) -> Screen:
    """A screen with the live line `status()` if `file` can show one, otherwise a plain one."""
    console = Console(file=file, highlight=False)
    if console.is_interactive:
        return LiveScreen(console, status)
    return PlainScreen(file, asides)


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
        piece = piece.translate(_CONTROL)
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
        self._write(words.translate(_CONTROL) + "\n")

    def aside(self, words: str) -> None:
        """As in `Screen`."""
        self._asides.write(words.translate(_CONTROL) + "\n")
        self._asides.flush()

    def refresh(self) -> None:
        """As in `Screen`: a pipe has no live line."""

    def _write(self, characters: str) -> None:
        self._file.write(characters)
        self._file.flush()


class LiveScreen:
    """Writes finished rows for good, with the open row and a status line below them.

    A line that is being typed takes the place of the status line.
    """

    def __init__(
        self,
        console: Console,
        status: Callable[[], str],
        prompt: Callable[[], Prompt | None] = lambda: None,
    ) -> None:
        self._console = console
        self._status = status
        self._prompt = prompt
        self._row = Text()
        self._style = ""
        self._live = Live(
            self,
            console=console,
            refresh_per_second=_REFRESHES_PER_S,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end_text()
        self._live.stop()

    def text(self, piece: str, style: str = "") -> None:
        """As in `Screen`."""
        if style != self._style:
            self.end_text()
            self._style = style
        row = Text(self._row.plain + piece.translate(_CONTROL), style)
        *finished, rest = row.split("\n", allow_blank=True) or [Text()]
        for line in finished:
            self._console.print(line)
        *full, self._row = rest.wrap(self._console, self._console.width) or [Text()]
        for line in full:
            self._console.print(line)
        self._live.refresh()

    def end_text(self) -> None:
        """As in `Screen`."""
        if self._row.plain:
            row, self._row = self._row, Text()
            self._console.print(row)

    def line(self, words: str, style: str = "") -> None:
        """As in `Screen`."""
        self.end_text()
        self._console.print(Text(words.translate(_CONTROL), style))

    def aside(self, words: str) -> None:  # noqa: ARG002
        """As in `Screen`: the status line says it."""
        self.refresh()

    def refresh(self) -> None:
        """As in `Screen`."""
        self._live.refresh()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The rows below the finished ones."""
        if self._row.plain:
            yield self._row
        if prompt := self._prompt():
            yield Text(_fitted(prompt, options.max_width), no_wrap=True, overflow="crop")
            return
        for row in self._status().translate(_CONTROL).split("\n"):
            yield Text(row, "dim", no_wrap=True, overflow="ellipsis")


def _fitted(prompt: Prompt, width: int) -> str:
    """The prompt on one row, cut to the part of the line around the cursor."""
    label, before, after = (part.replace("\n", "⏎").translate(_CONTROL) for part in prompt)
    room = max(width - cell_len(label) - 1, width // 2, 1)
    before = before[-room:]
    while cell_len(before) > room - 1:
        before = before[1:]
    return label[: width - room] + before + _CURSOR + after[:width]
