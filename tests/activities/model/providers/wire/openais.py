"""What OpenAI says in its Responses."""

from __future__ import annotations

from typing import Any

from tests.activities.model.providers.wire.claudes import CUT
from tests.activities.model.providers.wire.odd import SUM
from tests.activities.model.providers.wire.said import Said
from tests.activities.model.providers.wire.test_kept import ITEM, OPENAI, RESPONSE, USED, named


def openai(name: str, *events: dict[str, Any], **more: Any) -> Said:
    begun = {
        "type": "response.created",
        "response": {**RESPONSE, "output": [], "status": "in_progress"},
    }
    numbered = [{**it, "sequence_number": n} for n, it in enumerate((begun, *events))]
    return Said(name, OPENAI, named(*numbered), **more)


def ended(status: str = "completed", **more: Any) -> dict[str, Any]:
    whole = {**RESPONSE, "output": [], "status": status, "usage": USED, **more}
    return {"type": f"response.{status}", "response": whole}


ITEM_0 = {"type": "message", "id": "m", "role": "assistant", "status": "in_progress", "content": []}
PLACE = {"output_index": 0, "content_index": 0, "item_id": "m"}
BEGUN = {"type": "response.output_item.added", "output_index": 0, "item": ITEM_0}


def words(*pieces: str, kind: str = "output_text") -> list[dict[str, Any]]:
    told = [
        {"type": f"response.{kind}.delta", **PLACE, "delta": it, "logprobs": []} for it in pieces
    ]
    return [BEGUN, *told]


CALLED = [
    {"type": "response.output_item.added", "output_index": 1, "item": {**ITEM, "arguments": ""}},
    {
        "type": "response.function_call_arguments.delta",
        "output_index": 1,
        "item_id": "fc_1",
        "delta": SUM,
    },
]
OPENAIS = [
    openai(
        "refusal",
        *words("I can", "not.", kind="refusal"),
        ended(),
        text="I cannot.",
        reason="content_filter",
    ),
    openai(
        "incomplete",
        *CALLED,
        ended("incomplete", incomplete_details=None),
        reason="length",
        calls=CUT,
    ),
    openai(
        "filtered",
        *words("a"),
        ended("incomplete", incomplete_details={"reason": "content_filter"}),
        text="a",
        reason="content_filter",
    ),
    openai("cancelled", *words("a"), ended("cancelled"), error="'cancelled'"),
    openai(
        "failed",
        ended("failed", error={"code": "rate_limit_exceeded", "message": "W"}),
        error="W (rate_limit_exceeded)",
    ),
    openai("failed, no word", ended("failed", error=None), error="has failed"),
    openai(
        "error",
        *words("a"),
        {"type": "error", "code": "invalid_prompt", "message": "W"},
        error="W",
        final=True,
    ),
    openai("no usage", *words("a"), ended(usage=None), text="a"),
    openai(
        "unknown event",
        {"type": "response.mystery"},
        {"type": "keepalive"},
        *words("a"),
        ended(),
        text="a",
    ),
    openai("half a pair each", *words("a\ud83d", "\ude00"), ended(), text="a😀"),
    openai("no end", *words("a"), error="broke off"),
]
