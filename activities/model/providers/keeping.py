"""What a provider needs back with its own answers: reasoning, signatures, ids. Pure.

It is kept beside the message, without text and arguments, which the message has. Only the provider
that sent it gets it back; OpenAI-compatible servers differ so much that there it must be the same
model, too.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from pydantic_ai.messages import (
    ModelResponse,
    ModelResponsePart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
)
from pydantic_core import to_json

from relayline.activities.model.providers.wire.heard import Heard
from relayline.contracts.messages import AssistantMessage, Kept, ToolCall

MAX_KEPT_BYTES = 512 * 1024
"""What is larger is not kept: the provider then sees the answer without it."""
DETAILS = "reasoning_details"
"""Key of OpenRouter's details: kept with the answer as a whole."""
_BACK = ("id", "signature", "provider_name", "provider_details")
_ANY_MODEL = ("openai", "anthropic", "google")


class Restored(NamedTuple):
    """An answer as its provider needs it back."""

    response: ModelResponse
    call_ids: dict[str, str]
    """The provider's id of each call, by ours."""


def kept(response: ModelResponse, heard: Heard, model: str) -> Kept | None:
    """What to keep of an answer; None if the provider needs nothing back.

    A chat completion's reasoning goes back with tool calls only: some servers refuse it elsewhere.
    """
    entries = list(_entries(response, heard))
    details = heard.details if heard.calls else []
    if not details and not any({*it} & {"id", "signature", "provider_details"} for it in entries):
        return None
    if heard.calls is not None and (not heard.calls or heard.reasoning_converted):
        entries = [it for it in entries if it["kind"] == "call" and "provider_details" in it]
        if not entries and not details:
            return None
    head = {"provider_name": response.provider_name, "canonical_system": response.canonical_system}
    told = {DETAILS: details} if details else {}
    data = to_json({**head, **told, "parts": entries}, fallback=str, inf_nan_mode="null")
    if len(data) > MAX_KEPT_BYTES:
        return None
    return Kept(provider=keeper(model), data=data.decode())


def keeper(model: str) -> str:
    """Who gets back what this model's answers keep."""
    provider = model.partition(":")[0]
    return provider if provider in _ANY_MODEL else model


def restored(message: AssistantMessage, model: str) -> Restored | None:
    """The answer with what was kept of it; None if nothing was, or another provider sent it."""
    if message.kept is None or message.kept.provider != keeper(model):
        return None
    data = json.loads(message.kept.data)
    call_ids: dict[str, str] = {}
    parts = list(_parts(data["parts"], message, call_ids))
    response = ModelResponse(parts=parts, provider_name=data["provider_name"])
    response.canonical_system = data["canonical_system"]
    if details := data.get(DETAILS):
        response.provider_details = {DETAILS: details}
    return Restored(response, call_ids)


def _entries(response: ModelResponse, heard: Heard) -> Iterator[dict[str, Any]]:
    number = 0
    for part in response.parts:
        match part:
            case ThinkingPart():
                yield {"kind": "thinking", "content": part.content, **_back(part)}
            case TextPart():
                yield {"kind": "text", "chars": len(part.content), **_back(part)}
            case ToolCallPart():
                entry = {"kind": "call", "number": number, **_back(part)}
                if part.id:
                    entry["call_id"] = part.tool_call_id
                if heard.calls and number < len(heard.calls) and heard.calls[number].extra:
                    entry["provider_details"] = {"extra_content": heard.calls[number].extra}
                    entry["provider_name"] = response.provider_name
                number += 1
                yield entry


def _back(part: ThinkingPart | TextPart | ToolCallPart) -> dict[str, Any]:
    return {name: value for name in _BACK if (value := getattr(part, name, None))}


def _parts(
    entries: Sequence[Mapping[str, Any]], message: AssistantMessage, call_ids: dict[str, str]
) -> Iterator[ModelResponsePart]:
    """The parts; the message's text and calls whatever was kept of them."""
    texts = _texts(entries, message.text)
    left = dict(enumerate(message.tool_calls))
    for entry in entries:
        back = {name: entry[name] for name in _BACK if name in entry}
        if entry["kind"] == "thinking":
            yield ThinkingPart(content=entry["content"], **back)
        elif entry["kind"] == "text":
            if text := next(texts, ""):
                yield TextPart(content=text, **back)
        elif call := left.pop(entry["number"], None):
            call_ids[call.call_id] = entry.get("call_id", call.call_id)
            yield _call(call, call_ids[call.call_id], back)
    if rest := "".join(texts):
        yield TextPart(content=rest)
    for call in left.values():
        yield _call(call, call.call_id, {})


def _call(call: ToolCall, call_id: str, back: dict[str, Any]) -> ToolCallPart:
    args = dict(call.arguments)
    return ToolCallPart(tool_name=call.name, args=args, tool_call_id=call_id, **back)


def _texts(entries: Sequence[Mapping[str, Any]], text: str) -> Iterator[str]:
    """The text of each part, in order; at last what is left."""
    sizes = [entry["chars"] for entry in entries if entry["kind"] == "text"]
    if sum(sizes) != len(text):
        yield text
        return
    for size in sizes:
        yield text[:size]
        text = text[size:]
