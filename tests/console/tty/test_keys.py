"""Keys and lines become commands; what is pasted or half typed sends nothing."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayline.console.tty.keys import Keys, Remark
from relayline.contracts.commands import Answer, AnyCommand, Cancel, Decide, Pause, Redirect, Resume
from relayline.contracts.events import ApprovalRequested, InputRequested
from relayline.projections.rendered import Rendered
from relayline.projections.waits import Waits

IDLE = Rendered(waits=Waits(begun=True))
ARGUMENTS = '{"path": "ä"}'
APPROVALS = {
    id_: ApprovalRequested(
        approval_id=id_,
        call_id=id_,
        tool="write_file",
        arguments={"path": "ä"},
        expires_at=datetime(2026, 11, 23, tzinfo=UTC),
    )
    for id_ in ("a2", "a1")
}
QUESTIONS = {
    "q1": InputRequested(request_id="q1", schema={"enum": ["yes", "no"]}),
    "q2": InputRequested(request_id="q2"),
}
WAITING = Rendered(waits=Waits(begun=True, open={**APPROVALS, **QUESTIONS}))


def typed(*strokes: str, seen: Rendered = WAITING) -> list[AnyCommand | Remark]:
    """What comes of these strokes, each typed by itself."""
    keys = Keys("ann")
    return [given for stroke in strokes if (given := keys.type(stroke, seen))]


@pytest.mark.parametrize(
    ("strokes", "command"),
    [
        ("a", Decide(approval_id="a2", decision="approve", by="ann")),
        ("d\n", Decide(approval_id="a2", decision="deny", by="ann")),
        ("dno\r", Decide(approval_id="a2", decision="deny", note="no", by="ann")),
        ("iyes\n", Answer(request_id="q1", text="yes", by="ann")),
        ("rgo left\n", Redirect(message="go left", by="ann")),
        ("p", Pause(by="ann")),
        ("c\n", Cancel(by="ann")),
        ("cenough\n", Cancel(reason="enough", by="ann")),
        ("rlefs\x7ft\n", Redirect(message="left", by="ann")),
        ("rleft\x15right\n", Redirect(message="right", by="ann")),
        ("rft\x01le\x05!\n", Redirect(message="left!", by="ann")),
        ("rac\x02b\x06\x06d\n", Redirect(message="abcd", by="ann")),
    ],
)
def test_a_key_or_a_key_and_a_line_is_a_command(strokes: str, command: AnyCommand) -> None:
    assert typed(*strokes) == [command]


def test_a_paused_run_is_resumed() -> None:
    paused = Rendered(waits=Waits(begun=True, paused=True))
    assert typed("p", seen=paused) == [Resume(by="ann")]
    assert "p resume" in Keys().hint(paused)


@pytest.mark.parametrize("strokes", ["d\x1b", "c\x1b", "r\n", "r  \n", "i\n", "rx\x04", "zxq\n"])
def test_esc_an_empty_line_and_keys_without_a_meaning_send_nothing(strokes: str) -> None:
    keys = Keys()
    assert [keys.type(stroke, WAITING) for stroke in strokes] == [None] * len(strokes)
    assert keys.prompt is None


def test_with_nothing_open_the_keys_say_so_and_are_not_offered() -> None:
    no_approval, no_question = "nothing waits for approval", "no question is open"
    said = [*[Remark(no_approval)] * 3, Remark(no_question)]
    assert typed("a", "d", "e", "i", seen=IDLE) == said
    assert Keys().hint(IDLE) == "r redirect · p pause · c cancel · Ctrl-C detaches"
    assert Keys().hint(WAITING).startswith("a approve · d deny · e edit · i answer · r redirect")


def test_arguments_are_edited_in_place_and_checked_before_they_are_sent() -> None:
    keys = Keys("ann")
    keys.type("e", WAITING)
    assert keys.prompt == ("approve a2 with: ", ARGUMENTS, "")
    keys.type("\x7f", WAITING)
    remark = keys.type("\n", WAITING)
    assert isinstance(remark, Remark)
    assert remark.words.startswith('write {"name": value, …}')
    assert keys.prompt
    keys.type("\x1b[D", WAITING)
    keys.type("\x7f", WAITING)
    keys.type("bc", WAITING)
    keys.type("\x1b[F", WAITING)
    keys.type("}", WAITING)
    given = {"path": "bc"}
    assert keys.type("\n", WAITING) == Decide(
        approval_id="a2", decision="approve", arguments=given, by="ann"
    )


def test_a_line_stays_with_the_one_it_was_begun_for() -> None:
    keys = Keys("ann")
    keys.type("i", WAITING)
    assert keys.prompt == ("answer q1 (yes · no): ", "", "")
    keys.type("yes", IDLE)
    assert keys.type("\n", IDLE) == Answer(request_id="q1", text="yes", by="ann")


@pytest.mark.slow
@given(st.text(min_size=2))
def test_what_is_pasted_where_no_line_is_typed_does_nothing(text: str) -> None:
    keys = Keys()
    assert keys.type(text, WAITING) is None
    assert keys.prompt is None


def test_a_pasted_text_of_several_lines_stays_one_text() -> None:
    keys = Keys("ann")
    keys.type("r", WAITING)
    assert keys.type("one\ra\r\ntwo", WAITING) is None
    assert keys.type("\n", WAITING) == Redirect(message="one\na\ntwo", by="ann")


@given(st.text())
def test_a_line_never_holds_what_would_steer_a_terminal(text: str) -> None:
    keys = Keys()
    keys.type("r", IDLE)
    sent = keys.type(text, IDLE)
    held = (
        sent.message if isinstance(sent, Redirect) else "".join((keys.prompt or ("", "", ""))[1:])
    )
    assert all(character.isprintable() or character == "\n" for character in held)
