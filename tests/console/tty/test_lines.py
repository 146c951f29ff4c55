"""What a run asks of people says how to do it, and what became of it is told in words."""

from __future__ import annotations

import io
from typing import Any

import pytest

from relayline.console.tty.narrator import Narrator
from relayline.console.tty.screen import PlainScreen
from relayline.contracts.envelope import Envelope
from tests.client.stand_in import RUN, envelope

UNTIL = "2026-11-24T12:00:00+02:00"
APPROVAL = {"call_id": "call_1_0", "expires_at": UNTIL}


def told(*events: tuple[str, dict[str, Any]]) -> list[str]:
    """The lines that stand for these events."""
    out = io.StringIO()
    narrator = Narrator()
    with PlainScreen(out, out) as screen:
        narrator.open(screen)
        for seq, (kind, data) in enumerate(events, 1):
            narrator.tell(Envelope.model_validate(envelope(seq, kind, data, 1)))
    return out.getvalue().splitlines()


def test_an_approval_says_what_for_until_when_and_how_to_give_it() -> None:
    asked = {"approval_id": "approval_1_0", "tool": "write_file", "arguments": {"path": "a\nb"}}
    assert told(("approval.requested", {**APPROVAL, **asked})) == [
        "? approval_1_0: may write_file(path=a b) run? Waits until 2026-11-24 10:00:00 UTC",
        f"  `relayline approve {RUN} approval_1_0`, or `deny`",
    ]


def test_an_approval_of_more_than_is_shown_says_so() -> None:
    arguments = {"command": "x" * 600}
    asked = {"approval_id": "a", "tool": "run_command", "arguments": arguments}
    first, more, _ = told(("approval.requested", {**APPROVAL, **asked}))
    assert len(first) < 600
    assert more == "  cut off here; in full it has 600 characters"


def test_an_approval_of_a_higher_limit_is_a_question_about_it() -> None:
    arguments = {"limit": "max_steps", "used": 3, "allowed": 2, "raise_to": 4}
    asked = {"approval_id": "approval_budget_1", "tool": "raise_limit", "arguments": arguments}
    line, _ = told(("approval.requested", {**APPROVAL, **asked}))
    assert line.startswith(
        "? approval_budget_1: max_steps is 2 and 3 would be used: raise it to 4? Waits until"
    )


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"decision": "approve", "by": "ann"}, "approved by ann"),
        (
            {"decision": "approve", "by": "ann", "arguments": {"path": "b"}},
            "approved by ann, with path=b",
        ),
        ({"decision": "deny", "by": "bob", "note": "too\nrisky"}, "denied by bob: too risky"),
        ({"decision": "expired"}, "expired, nobody decided"),
        ({"decision": "withdrawn", "by": "ann"}, "withdrawn by ann"),
        ({"decision": "shelved"}, "shelved"),
    ],
)
def test_how_an_approval_ended_is_told(data: dict[str, Any], words: str) -> None:
    assert told(("approval.resolved", {"approval_id": "a1", **data})) == [f"? a1 {words}"]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({}, "Which one? Waits for an answer"),
        (
            {"schema": {"enum": ["red", "blue"]}, "expires_at": UNTIL},
            "Which one? (red · blue) Waits until 2026-11-24 10:00:00 UTC",
        ),
        ({"schema": {"pattern": "^x"}}, "Which one? Waits for an answer"),
    ],
)
def test_a_question_has_its_choices_and_says_how_to_answer(
    more: dict[str, Any], words: str
) -> None:
    asked = {"request_id": "input_1_0", "question": "Which one?", **more}
    assert told(("input.requested", asked)) == [
        f"? input_1_0: {words}",
        f"  `relayline answer {RUN} input_1_0 TEXT`",
    ]


@pytest.mark.parametrize(
    ("kind", "data", "line"),
    [
        ("input.received", {"text": "red", "by": "ann"}, "? q1 answered by ann: red"),
        ("input.closed", {"reason": "expired"}, "? q1 expired, nobody answered"),
        ("input.closed", {"reason": "withdrawn", "by": "bob"}, "? q1 withdrawn by bob"),
    ],
)
def test_how_a_question_ended_is_told(kind: str, data: dict[str, Any], line: str) -> None:
    assert told((kind, {"request_id": "q1", **data})) == [line]


def test_commands_pauses_and_waits_are_told_once() -> None:
    waits = {"waiting_for": [{"kind": "approval", "id": "a1", "what": "write_file"}]}
    assert told(
        ("run.waiting", waits),
        ("run.paused", {"by": "ann"}),
        ("command.accepted", {"command_id": "c", "kind": "pause"}),
        ("command.refused", {"command_id": "c", "kind": "pause", "reason": "already paused"}),
        ("run.resumed", {}),
        ("command.applied", {"command_id": "d", "kind": "redirect", "applied": "x" * 500}),
    ) == [
        f"‖ paused by ann: `relayline resume {RUN}` continues it",
        "✗ pause was refused: already paused",
        "▶ resumed",
        f"· redirect: {'x' * 159}…",
    ]


def test_the_status_line_says_what_is_waited_for() -> None:
    narrator = Narrator()
    asked = {"approval_id": "a1", "tool": "write_file", **APPROVAL}
    for seq, (kind, data) in enumerate([("run.started", {}), ("approval.requested", asked)], 1):
        narrator.tell(Envelope.model_validate(envelope(seq, kind, data)))
    assert narrator.status_line().startswith("waiting · step 0 · a1 · 0 tokens")


def test_an_approval_shows_what_would_reorder_or_hide_its_words() -> None:
    asked = {
        **APPROVAL,
        "approval_id": "a",
        "tool": "rm",
        "arguments": {"path": "\u202etxt.\u200b"},
    }
    [line, *_] = told(("approval.requested", asked))
    assert "rm(path=\\u202etxt.\\u200b)" in line
