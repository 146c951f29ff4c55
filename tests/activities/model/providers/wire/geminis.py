"""What Gemini says."""

from __future__ import annotations

from typing import Any

from tests.activities.model.providers.wire.odd import CALC, event
from tests.activities.model.providers.wire.said import Said
from tests.activities.model.providers.wire.test_kept import GEMINI


def gemini(name: str, *chunks: Any, **more: Any) -> Said:
    return Said(name, GEMINI, b"".join(map(event, chunks)), **more)


def part(*parts: Any, reason: str | None = None, **more: Any) -> dict[str, Any]:
    candidate = {"content": {"role": "model", "parts": list(parts)}, "index": 0, **more}
    return {"candidates": [{**candidate, **({"finishReason": reason} if reason else {})}]}


A, CALL = {"text": "a"}, {"functionCall": {"name": CALC, "args": {"expression": "1+1"}}}
SECOND = {"index": 1, "content": {"role": "model", "parts": [{"text": "no"}]}}
BLOCKED = {"blockReason": "PROHIBITED_CONTENT", "blockReasonMessage": "THEIR WORDS"}
GEMINIS = [
    *(
        gemini(word, part(A, reason=word), text="a", reason="content_filter")
        for word in ("SAFETY", "RECITATION", "SPII", "BLOCKLIST")
    ),
    *(gemini(word, part(A, reason=word), text="a", reason="other") for word in ("OTHER", "NEWEST")),
    gemini("cut", part(A, reason="MAX_TOKENS"), text="a", reason="length"),
    gemini(
        "a call, cut",
        part(CALL, reason="MAX_TOKENS"),
        reason="length",
        calls=[{"cut_off_json": "{'expression': '1+1'}"}],
    ),
    *(
        gemini(word, part(A, reason=word, finishMessage="THEIR WORDS"), error="THEIR WORDS")
        for word in ("MALFORMED_FUNCTION_CALL", "MALFORMED_RESPONSE", "MISSING_THOUGHT_SIGNATURE")
    ),
    gemini(
        "blocked",
        {"promptFeedback": {"blockReason": "SAFETY"}},
        error="withheld its answer: SAFETY",
        final=True,
    ),
    gemini("blocked, its words", {"promptFeedback": BLOCKED}, error="THEIR WORDS", final=True),
    gemini("empty parts", part({}), part({"text": ""}), part(A, reason="STOP"), text="a"),
    gemini("unknown parts", part({"mystery": 1}, None), part(A, reason="STOP"), text="a"),
    gemini(
        "no candidate",
        {"candidates": [None]},
        {"candidates": None},
        part(A, reason="STOP"),
        text="a",
    ),
    gemini(
        "second candidate",
        {"candidates": [SECOND, *part(A, reason="STOP")["candidates"]]},
        text="a",
    ),
    gemini(
        "half a pair each",
        part({"text": "a\ud83d"}),
        part({"text": "\ude00"}, reason="STOP"),
        text="a😀",
    ),
    gemini("no end", part(A), error="broke off"),
    gemini(
        "error, final",
        part(A),
        {"error": {"code": 400, "message": "W"}},
        error="W (400)",
        final=True,
    ),
]
