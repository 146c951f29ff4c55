"""What Claude, or a server that imitates it, says."""

from __future__ import annotations

from typing import Any

from tests.activities.model.providers.wire.odd import CALC, SUM
from tests.activities.model.providers.wire.said import Said
from tests.activities.model.providers.wire.test_kept import CLAUDE, MESSAGE, block, named


def claude(name: str, *events: dict[str, Any], start: bool = True, **more: Any) -> Said:
    usage = {"input_tokens": 9, "output_tokens": 1}
    first = {"type": "message_start", "message": {**MESSAGE, "usage": usage}}
    return Said(name, CLAUDE, named(*([first] if start else []), *events), **more)


def over(reason: Any, **delta: Any) -> list[dict[str, Any]]:
    told = {"stop_reason": reason, **delta}
    end = {"type": "message_delta", "delta": told, "usage": {"output_tokens": 5}}
    return [end, {"type": "message_stop"}]


def text(*pieces: str) -> list[dict[str, Any]]:
    deltas = [{"type": "text_delta", "text": it} for it in pieces]
    return block(0, {"type": "text", "text": ""}, *deltas)


def tool(*pieces: str) -> list[dict[str, Any]]:
    deltas = [{"type": "input_json_delta", "partial_json": it} for it in pieces]
    return block(1, {"type": "tool_use", "id": "t", "name": CALC, "input": {}}, *deltas)


BARE = {"type": "message_start", "message": MESSAGE}
THINKING = {"type": "thinking", "thinking": "", "signature": ""}
MYSTERY = block(0, {"type": "mystery", "x": 1}, {"type": "mystery_delta", "text": "no"})
SIGNED = (
    {"type": "thinking_delta", "thinking": "a\ud83d"},
    {"type": "thinking_delta", "thinking": "\ude00"},
)
SIGNATURE = {"type": "signature_delta", "signature": "S"}
WITHHELD = {"stop_details": {"type": "refusal", "explanation": "THEIR WORDS"}}
CUT, HALF = [{"cut_off_json": SUM}], [{"cut_off_json": SUM[:9]}]
CLAUDES = [
    claude("pause_turn", *text("a"), *over("pause_turn"), text="a"),
    claude("refusal", *text("no"), *over("refusal"), text="no", reason="content_filter"),
    claude(
        "refusal, its words",
        *over("refusal", **WITHHELD),
        error="withheld its answer: THEIR WORDS",
        final=True,
    ),
    claude(
        "no room", *text("a"), *over("model_context_window_exceeded"), text="a", reason="length"
    ),
    claude("whole, but cut", *tool(SUM), *over("max_tokens"), reason="length", calls=CUT),
    claude(
        "half, no reason", *tool(SUM[:9]), {"type": "message_stop"}, reason="tool_calls", calls=HALF
    ),
    claude("no reason", *text("a"), {"type": "message_stop"}, text="a", reason="unknown"),
    claude("no end", *text("a"), error="broke off"),
    claude("an unknown block", *MYSTERY, *text("a"), *over("end_turn"), text="a"),
    claude(
        "an unknown delta",
        *block(
            0,
            {"type": "text", "text": ""},
            {"type": "mystery", "text": "x"},
            {"type": "text_delta", "text": "a"},
        ),
        *over("end_turn"),
        text="a",
    ),
    claude(
        "a delta that is none",
        {"type": "content_block_delta", "index": 0, "delta": "x"},
        *text("a"),
        *over("end_turn"),
        text="a",
    ),
    claude("no start", *text("a"), *over("end_turn"), start=False, text="a"),
    claude("start without usage", BARE, *text("a"), *over("end_turn"), start=False, text="a"),
    claude(
        "start is a word",
        {"type": "message_start", "message": "x"},
        *text("a"),
        *over("end_turn"),
        start=False,
        text="a",
    ),
    claude(
        "usage null",
        *text("a"),
        {"type": "message_delta", "delta": None, "usage": None},
        *over("end_turn"),
        text="a",
    ),
    claude("half a pair each", *text("a\ud83d", "\ude00"), *over("end_turn"), text="a😀"),
    claude("half a pair", *text("a\ud83db"), *over("end_turn"), text="a?b"),
    claude(
        "signed, half a pair each",
        *block(0, THINKING, *SIGNED, SIGNATURE),
        *over("end_turn"),
        thoughts="a😀",
    ),
    claude(
        "arguments, half a pair each",
        *tool('{"a": "\ud83d', '\ude00"}'),
        *over("tool_use"),
        reason="tool_calls",
        calls=[{"a": "😀"}],
    ),
    claude(
        "overloaded",
        *text("a"),
        {"type": "error", "error": {"type": "overloaded_error", "message": "W"}},
        error="W (overloaded_error)",
    ),
    claude(
        "invalid",
        {"type": "error", "error": {"type": "invalid_request_error", "message": "W"}},
        error="W",
        final=True,
    ),
]
