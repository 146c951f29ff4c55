"""A person sees all of what they are asked, page by page, and decides about what they see."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayline.console.printable import visible
from relayline.console.tty.keys import Keys, Remark
from relayline.console.tty.pager import Pager, approval_pager, question_pager
from relayline.contracts.commands import Decide
from relayline.contracts.events import ApprovalRequested, InputRequested
from relayline.projections.rendered import Rendered
from relayline.projections.waits import Waits
from tests.console.tty.test_keys import APPROVALS, IDLE, QUESTIONS, WAITING

TEN = "\n".join(map(str, range(10)))


def approval(**arguments: object) -> ApprovalRequested:
    return ApprovalRequested(
        approval_id="a1",
        call_id="c1",
        tool="write_file",
        arguments=arguments,
        expires_at=datetime(2026, 11, 23, tzinfo=UTC),
    )


def shown(pager: Pager, height: int = 6) -> list[str]:
    """The part of the text that is on the screen."""
    return [row for row in pager.page(60, height)[1:-1] if row]


@pytest.mark.parametrize(
    ("strokes", "rows"),
    [
        ([], "0123"),
        ([" "], "4567"),
        ([" ", " ", " "], "6789"),
        (["G", "b"], "2345"),
        (["j", "j", "k"], "1234"),
        (["k"], "0123"),
        (["\x1b[B", "\x1b[6~"], "5678"),
        (["G", "g"], "0123"),
        (["z"], "0123"),
    ],
)
def test_keys_move_through_the_text(strokes: list[str], rows: str) -> None:
    pager = Pager("title", TEN)
    shown(pager)
    for stroke in strokes:
        pager.type(stroke)
        shown(pager)
    assert "".join(shown(pager)) == rows


def test_the_page_has_a_title_and_says_where_it_is() -> None:
    title, *_, last = Pager("title", TEN, "a approve").page(100, 6)
    assert title == "title"
    assert last == "1-4 of 10 · a approve · space next · b back · g start · G end · q close"


def test_all_arguments_are_there_with_their_newlines() -> None:
    pager = approval_pager(approval(path="a.py", content="if x:\n    y()\n", n={"k": [1]}))
    assert shown(pager, 20) == [
        *("path: a.py", "content:", "if x:", "    y()"),
        *("n:", "{", '  "k": [', "    1", "  ]", "}"),
    ]
    assert shown(approval_pager(approval())) == ["(no arguments)"]


@given(st.text(), st.integers(2, 30), st.integers(3, 10))
def test_nothing_is_hidden_however_small_the_screen(text: str, width: int, height: int) -> None:
    pager = Pager("", text)
    seen = ""
    while True:
        rows = pager.page(width, height)
        assert len(rows) == height
        seen += rows[1]
        before = rows
        pager.type("j")
        if pager.page(width, height) == before:
            break
    seen += "".join(before[2:-1])
    assert "".join(seen.split()) == "".join(visible(text).split())


def test_what_can_not_be_seen_is_an_escape() -> None:
    assert visible("rm \u202etxt.\x1b[8m\x9b\u2028\U000e0041") == (
        "rm \\u202etxt.\\u001b[8m\\u009b\\u2028\\U000e0041"
    )


def test_a_question_is_there_with_all_its_choices() -> None:
    asked = InputRequested(request_id="q1", question="One\ntwo?", schema={"enum": ["yes", "no"]})
    assert shown(question_pager(asked), 10) == ["One", "two?", "- yes", "- no"]


def test_a_decision_in_the_pager_is_about_what_is_in_it() -> None:
    keys = Keys("ann")
    assert keys.type("v", WAITING) is None
    assert keys.pager
    assert keys.type("aq", WAITING) is None, "pasted"
    swapped = dict(reversed(APPROVALS.items()))
    later = Rendered(waits=Waits(begun=True, open=swapped))
    assert keys.type("a", later) == Decide(approval_id="a2", decision="approve", by="ann")
    assert keys.pager is None
    keys.type("v", WAITING)
    assert keys.type("a", IDLE) == Remark("a2 no longer waits for approval")
    keys.type("v", WAITING)
    assert keys.type("d", WAITING) is None
    assert keys.prompt
    assert keys.prompt.label.startswith("deny a2")


def test_the_pager_closes_and_opens_for_a_question_too() -> None:
    keys = Keys()
    asked = Rendered(waits=Waits(begun=True, open={**QUESTIONS}))
    for close in ("q", "v", "\x1b"):
        assert keys.type("v", asked) is None
        assert keys.pager
        assert keys.type("a", asked) is None
        assert keys.type(close, asked) is None
        assert keys.pager is None
    assert keys.type("v", IDLE) == Remark("nothing waits for a person")
    assert "v view" in keys.hint(asked)
    assert "v view" not in keys.hint(IDLE)
