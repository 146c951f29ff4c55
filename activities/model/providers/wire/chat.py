"""Chat completions (OpenAI's older protocol, and everybody's) as servers really stream them.

Each chunk is cleaned for the library, which sees one choice, whole code points and plain fields;
finish reason, usage and tool calls are taken from the wire.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from relayline.activities.model.providers.wire.details import add_details
from relayline.activities.model.providers.wire.failures import WireError
from relayline.activities.model.providers.wire.halves import Halves
from relayline.activities.model.providers.wire.heard import Heard
from relayline.activities.model.providers.wire.pieces import CallPieces

MAX_CALLS = 256
"""Limit for the tool calls of one answer."""
_TAKEN = ("prompt_tokens", "input_tokens", "prompt_n", "inputTokenCount")
_MADE = ("completion_tokens", "output_tokens", "predicted_n", "outputTokenCount")
_REASONING = ("reasoning_content", "reasoning", "reasoning_text", "thinking", "thought")
"""Fields of a delta with reasoning; the library knows the first two."""
_KNOWN = ("reasoning_content", "reasoning")


class Chat:
    """Hears one streamed chat completion."""

    def __init__(self, heard: Heard) -> None:
        self._heard = heard
        self._calls = CallPieces()
        self._halves = Halves()
        self._said: list[str] = []
        """The text so far; only to know what a whole message adds to it."""
        heard.calls = self._calls.calls

    def hear(self, name: str, told: Any) -> Iterator[tuple[str, Any]]:  # noqa: ARG002  as the port
        """The cleaned chunks of one event."""
        for chunk in told if isinstance(told, list) else [told]:
            if isinstance(chunk, dict):
                yield from self._chunk(chunk)

    def close(self) -> Iterator[tuple[str, Any]]:
        """The last chunk, once the answer has ended: the library wants a reason, whatever it is."""
        for field, half in self._halves.rest():
            yield "", self._with({str(field): half})
        yield "", self._with({}, finish="stop")

    def _chunk(self, chunk: dict[str, Any]) -> Iterator[tuple[str, Any]]:
        groq = chunk.get("x_groq")
        for usage in (chunk.get("usage"), chunk.get("timings"), _get(groq, "usage")):
            self._heard.count(usage, _TAKEN, _MADE)
        choice = _first(chunk.get("choices"))
        if choice is None:
            if chunk.get("type") != "ping" and not {*chunk} & {"choices", "usage", "timings"}:
                self._heard.stray = json.dumps(chunk, ensure_ascii=False)[:200]
            return
        self._heard.count(choice.get("usage"), _TAKEN, _MADE)
        self._heard.finish(choice.get("finish_reason"))
        if choice.get("finish_reason"):
            self._heard.finish(choice.get("native_finish_reason"))  # OpenRouter's own may be milder
        if delta := self._delta(self._told(choice)):
            yield "", self._with(delta)

    def _told(self, choice: Mapping[str, Any]) -> Mapping[str, Any]:
        """What the choice adds to the answer."""
        if delta := choice.get("delta"):
            return delta if isinstance(delta, dict) else {"content": delta}
        message = choice.get("message")
        if not isinstance(message, dict):
            return {"content": choice.get("text")}
        if not (self._said or self._calls.calls):
            return message
        text, said = _parts(message.get("content"))[0], "".join(self._said)  # the whole text again
        more = text.removeprefix(said) if text.startswith(said) else ""
        calls = None if self._calls.calls else message.get("tool_calls")
        return {"content": more, "tool_calls": calls}

    def _delta(self, told: Mapping[str, Any]) -> dict[str, Any]:
        """The delta with the fields that count, in their usual form."""
        text, reasoning = _parts(told.get("content"))
        if refusal := _refusal(told):
            text += refusal
            self._heard.finish("content_filter")
        add_details(self._heard.details, told.get("reasoning_details"))
        field, said = _reasoning(told)
        if reasoning or (said and not isinstance(told.get(field), str)):
            self._heard.reasoning_converted = True
        texts = {field: self._halves.joined(field, said + reasoning)}
        texts["content"] = self._halves.joined("content", text)
        self._said += [text] if text else []
        delta: dict[str, Any] = {key: value for key, value in texts.items() if value}
        if calls := self._tool_calls(told):
            delta["tool_calls"] = calls
        return delta

    def _tool_calls(self, told: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The pieces of calls, each with the number of its call as index.

        The library only learns that they come; `Heard.calls` has the calls.
        """
        pieces = told.get("tool_calls") or told.get("function_call") or []
        heard = []
        for piece in pieces if isinstance(pieces, list) else [pieces]:
            if added := self._calls.add(piece):
                number, call = added
                args = call.pieces[-1] if call.pieces else ""
                function = {"name": call.name, "arguments": args}
                heard.append({"index": number, "id": f"heard_{number}", "function": function})
        if len(self._calls.calls) > MAX_CALLS:
            raise WireError(f"the answer has more than {MAX_CALLS} tool calls")
        return heard

    def _with(self, delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
        """A chunk for the library."""
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return {"id": "", "object": "chat.completion.chunk", "choices": [choice]}


def _first(choices: Any) -> dict[str, Any] | None:
    """The choice that counts: other than one was not asked for."""
    if isinstance(choices, dict):
        choices = [choices]
    for choice in choices if isinstance(choices, list) else ():
        if isinstance(choice, dict) and choice.get("index") in (None, 0, "0"):
            return choice
    return None


def _parts(content: Any) -> tuple[str, str]:
    """Text and reasoning in a content, which may be a list of parts (Mistral)."""
    if isinstance(content, str):
        return content, ""
    text = reasoning = ""
    if isinstance(content, dict):
        content = [content]
    for part in content if isinstance(content, list) else ():
        if isinstance(part, str):
            text += part
        elif isinstance(part, dict) and part.get("type") in ("thinking", "reasoning"):
            inner = part.get("thinking") or part.get("text") or part.get("reasoning")
            reasoning += "".join(_parts(inner))
        elif isinstance(part, dict) and isinstance(part.get("text"), str):
            text += part["text"]
    return text, reasoning


def _refusal(told: Mapping[str, Any]) -> str:
    """The refusal's text: a field of its own, or a part of the content."""
    parts = told.get("content")
    several = [told, *(parts if isinstance(parts, list) else ())]
    texts = (it.get("refusal") for it in several if isinstance(it, dict))
    return "".join(text for text in texts if isinstance(text, str))


def _reasoning(told: Mapping[str, Any]) -> tuple[str, str]:
    """The field with reasoning, and what it says; some servers send the same in two fields."""
    for field in _REASONING:
        value = told.get(field)
        if isinstance(value, dict):
            value = value.get("content") or value.get("text")
        if isinstance(value, str) and value:
            return field if field in _KNOWN else _KNOWN[0], value
    return _KNOWN[0], ""


def _get(told: Any, key: str) -> Any:
    return told.get(key) if isinstance(told, dict) else None
