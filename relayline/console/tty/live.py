"""The screen for a terminal: finished rows for good, the open row and a status line below them."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self, TextIO

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from relayline.console.printable import printable
from relayline.console.tty.screen import PlainScreen, Prompt, Screen
from relayline.console.tty.wrap import cut, wrapped

_REFRESH_S = 0.25
_CURSOR = "▏"
_HIDE_CURSOR, _SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"
_COVER, _UNCOVER, _CLEAR_ALL = "\x1b[?1049h", "\x1b[?1049l", "\x1b[H\x1b[2J"
_CLEAR_BELOW = "\x1b[J"


def can_be_live(file: TextIO) -> bool:
    """True for a terminal that can show a live line."""
    return file.isatty() and Console(file=file).is_interactive


def live_screen(
    file: TextIO,
    status: Callable[[], str],
    prompt: Callable[[], Prompt | None],
    page: Callable[[int, int], Sequence[str] | None],
) -> LiveScreen:
    """A screen for a terminal at which a person types."""
    return LiveScreen(Console(file=file, highlight=False), status, prompt, page)


def screen_for(file: TextIO, asides: TextIO, status: Callable[[], str]) -> Screen:
    """A screen with the live line `status()` if `file` can show one, otherwise a plain one."""
    console = Console(file=file, highlight=False)
    if console.is_interactive:
        return LiveScreen(console, status)
    return PlainScreen(file, asides)


def reflows(env: Mapping[str, str]) -> bool:
    """False for terminals that cut off rows, when they become narrower, and don't wrap them."""
    term = env.get("TERM", "")
    cuts = term.startswith(("linux", "vt")) or (term.startswith("screen") and "TMUX" not in env)
    return not (cuts or "XTERM_VERSION" in env)


class LiveScreen:
    """Writes finished rows for good, with the open row and a status line below them.

    A line that is being typed takes the place of the status line. A page covers everything; what
    comes meanwhile is written when it goes.
    """

    def __init__(
        self,
        console: Console,
        status: Callable[[], str],
        prompt: Callable[[], Prompt | None] = lambda: None,
        page: Callable[[int, int], Sequence[str] | None] = lambda _width, _height: None,
    ) -> None:
        self._console = console
        self._status = status
        self._prompt = prompt
        self._page = page
        self._row = ""
        """The open row, with its spaces at the end."""
        self._style = ""
        self._drawn: list[int] = []
        """Cells of each row that is drawn below the finished ones."""
        self._drawn_width = 0
        self._reflows = reflows(os.environ)
        self._covered = False
        self._held: list[str] = []
        """Finished rows that wait for the page to go."""
        self._lock = threading.RLock()
        self._ended = threading.Event()
        self._refresher = threading.Thread(target=self._keep_fresh, daemon=True)

    def __enter__(self) -> Self:
        self._write(_HIDE_CURSOR)
        self._draw()
        self._refresher.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._refresher.join()
        self._page = lambda _width, _height: None
        self.end_text()
        self._write(self._uncovered() + self._erased(self._console.width) + _SHOW_CURSOR)

    def text(self, piece: str, style: str = "") -> None:
        """As in `Screen`."""
        with self._lock:
            if style != self._style:
                self.end_text()
                self._style = style
            self._row += printable(piece)
            self._draw()

    def end_text(self) -> None:
        """As in `Screen`."""
        with self._lock:
            if self._row:
                rows = wrapped(self._row, self._console.width)
                self._row = ""
                self._draw(*(self._styled(row, self._style) for row in rows))

    def line(self, words: str, style: str = "") -> None:
        """As in `Screen`."""
        with self._lock:
            self.end_text()
            rows = wrapped(printable(words), self._console.width)
            self._draw(*(self._styled(row, style) for row in rows))

    def aside(self, words: str) -> None:  # noqa: ARG002
        """As in `Screen`: the status line says it."""
        self.refresh()

    def refresh(self) -> None:
        """As in `Screen`."""
        self._draw()

    def _keep_fresh(self) -> None:
        with suppress(OSError):  # the terminal is gone: whoever writes next is told
            while not self._ended.wait(_REFRESH_S):
                self.refresh()

    def _draw(self, *finished: str) -> None:
        """Write finished rows, those of the open text, too, and what stands below them."""
        with self._lock:
            width, height = self._console.size
            *full, self._row = wrapped(self._row, width)
            self._held += finished
            self._held += [self._styled(row, self._style) for row in full]
            page = self._page(width, height)
            if page is not None:
                cover = "" if self._covered else _COVER
                self._covered = True
                self._write(cover + _CLEAR_ALL + "\n".join(page))
                return
            before = self._uncovered() + self._erased(width)
            rows, self._held = self._held, []
            self._write(before + "".join(f"{row}\n" for row in rows) + self._below(width, height))

    def _uncovered(self) -> str:
        """Take the page away, if there is one."""
        covered, self._covered = self._covered, False
        return _UNCOVER if covered else ""

    def _erased(self, width: int) -> str:
        """Take away what stands below the finished rows.

        A terminal that has become narrower has wrapped these rows, so that they are more.
        """
        if not self._drawn:
            return ""
        wraps = self._reflows and width < self._drawn_width
        up = sum(max(-(-cells // max(width, 1)), 1) if wraps else 1 for cells in self._drawn) - 1
        self._drawn = []
        return "\r" + (f"\x1b[{up}A" if up else "") + _CLEAR_BELOW

    def _below(self, width: int, height: int) -> str:
        """What stands below the finished rows: the open row, then the prompt or the status."""
        rows = [(self._row.rstrip(" "), self._style)] if self._row.strip(" ") else []
        if prompt := self._prompt():
            rows.append((_fitted(prompt, width), ""))
        else:
            status = printable(self._status()).split("\n")
            rows += [(cut(row, width), "dim") for row in status]
        rows = rows[-max(height - 1, 1) :]
        self._drawn = [cell_len(row) for row, _ in rows]
        self._drawn_width = width
        return "\n".join(self._styled(row, style) for row, style in rows)

    def _styled(self, row: str, style: str) -> str:
        with self._console.capture() as captured:
            self._console.print(Text(row.rstrip(" "), style), end="", soft_wrap=True)
        return captured.get()

    def _write(self, characters: str) -> None:
        with self._lock:
            self._console.file.write(characters)
            self._console.file.flush()


def _fitted(prompt: Prompt, width: int) -> str:
    """The prompt on one row, cut to the part of the line around the cursor."""
    label, before, after = (printable(part.replace("\n", "⏎")) for part in prompt)
    room = max(width - cell_len(label) - 1, width // 2, 1)
    before = before[-room:]
    while cell_len(before) > room - 1:
        before = before[1:]
    return label[: width - room] + before + _CURSOR + after[:width]
