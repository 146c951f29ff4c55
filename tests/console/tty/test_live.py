"""What a terminal shows is what is stored, whatever its width, its size and the chunks."""

from __future__ import annotations

import io
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from relayline.console.tty.live import LiveScreen, reflows
from relayline.console.tty.wrap import cut, wrapped
from tests.console.tty.emulator import Emulator

WORDS = st.lists(st.sampled_from(["a", "bcd", "efghi", " ", "  ", "\n", "\n\n"]), max_size=30)
STATUS = "status"


class Shown:
    """A live screen at a terminal of some width, which is written to as soon as it is drawn."""

    def __init__(self, width: int, *, reflowing: bool = True) -> None:
        self.emulator = Emulator(width, reflows=reflowing)
        self._file = io.StringIO()
        self._console = Console(
            file=self._file, force_terminal=True, width=width, height=40, color_system=None
        )
        self.page: Sequence[str] | None = None
        self.screen = LiveScreen(
            self._console, lambda: STATUS, page=lambda _width, _height: self.page
        )

    def look(self) -> list[str]:
        self.emulator.write(self._file.getvalue())
        self._file.seek(0)
        self._file.truncate()
        return self.emulator.rows

    def resize(self, width: int) -> None:
        self.look()
        self.emulator.resize(width)
        self._console.width = width


def words_of(rows: Sequence[str]) -> list[str]:
    return " ".join(rows).split()


@given(st.text(alphabet="ab c\t\n漢é\u0301👍", max_size=60), st.integers(2, 12), st.data())
def test_rows_hold_all_that_can_be_seen_and_do_not_depend_on_the_chunks(
    text: str, width: int, data: st.DataObject
) -> None:
    rows = wrapped(text, width)
    assert "".join("".join(rows).split()) == "".join(text.split())
    assert all(cell_len(row.rstrip()) <= width for row in rows)
    at = data.draw(st.integers(0, len(text)))
    *full, last = wrapped(text[:at], width)
    assert words_of([*full, *wrapped(last + text[at:], width)]) == words_of(rows) or any(
        not character.isascii()
        for character in text  # an accent may join the chunk before
    )
    if all(cell_len(word) <= width for word in text.split()):
        assert words_of(rows) == text.split()


def test_a_word_is_not_glued_to_the_one_before_at_the_edge() -> None:
    shown = Shown(10)
    with shown.screen:
        for number in range(30):
            shown.screen.text(f"w{number} ")
    assert words_of(shown.look()) == [f"w{number}" for number in range(30)]
    assert max(map(len, shown.look())) <= 10


@given(WORDS, st.lists(st.tuples(st.integers(0, 30), st.integers(8, 30)), max_size=3))
def test_everything_is_shown_once_over_any_resizes(
    pieces: list[str], sizes: list[tuple[int, int]]
) -> None:
    for reflowing in (True, False):
        shown = Shown(20, reflowing=reflowing)
        shown.screen._reflows = reflowing  # noqa: SLF001
        with shown.screen:
            for number, piece in enumerate(pieces):
                for _, width in (size for size in sizes if size[0] == number):
                    shown.resize(width)
                shown.screen.text(piece)
            assert shown.look()[-1] == STATUS
        words, rows = "".join(pieces).split(), shown.look()
        if reflowing or all(width >= 20 for _, width in sizes):
            assert "".join("".join(rows).split()) == "".join(words)
        if not sizes and all(len(word) <= 20 for word in words):
            assert words_of(rows) == words
        assert STATUS not in "".join(shown.look())


def test_a_narrower_terminal_repeats_no_row() -> None:
    shown = Shown(40)
    with shown.screen:
        shown.screen.text("one two three four five six seven")
        shown.resize(10)
        shown.screen.refresh()
        assert shown.look() == ["one two", "three four", "five six", "seven", STATUS]


def test_a_terminal_that_cuts_rows_off_keeps_the_ones_above() -> None:
    shown = Shown(40, reflowing=False)
    shown.screen._reflows = False  # noqa: SLF001
    with shown.screen:
        shown.screen.line("above")
        shown.screen.text("one two three four")
        shown.resize(8)
        shown.screen.refresh()
        assert shown.look() == ["above", "one two", "three", "four", STATUS]


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({"TERM": "xterm-256color"}, True),
        ({"TERM": "screen", "TMUX": "/run/tmux"}, True),
        ({"TERM": "screen"}, False),
        ({"TERM": "linux"}, False),
        ({"TERM": "xterm", "XTERM_VERSION": "XTerm(390)"}, False),
    ],
)
def test_known_terminals_wrap_or_cut(env: dict[str, str], expected: bool) -> None:
    assert reflows(env) is expected


def test_a_page_covers_everything_and_what_came_meanwhile_follows() -> None:
    shown = Shown(20)
    with shown.screen:
        shown.screen.text("before ")
        shown.page = ["title", "text"]
        shown.screen.text("during\nand ")
        shown.screen.line("a line")
        assert shown.look() == ["title", "text"]
        shown.page = None
        shown.screen.text("after")
        assert shown.look() == ["before during", "and", "a line", "after", STATUS]
        shown.page = ["title"]
        shown.screen.refresh()
    assert shown.look() == ["before during", "and", "a line", "after"]


def test_a_row_is_cut_with_an_ellipsis() -> None:
    assert [cut("abcdef", width) for width in (6, 5)] == ["abcdef", "abcd…"]
    assert cut("漢字漢", 5) == "漢字…"
