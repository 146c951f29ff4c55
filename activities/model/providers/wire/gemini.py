"""Gemini's `streamGenerateContent`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from relayline.activities.model.providers.wire.halves import Halves
from relayline.activities.model.providers.wire.heard import Heard, as_object

_PARTS = ("text", "functionCall", "inlineData", "executableCode", "codeExecutionResult")
"""What a part may be for the library; it stumbles over others."""
_SIGNATURE = "thoughtSignature"


class Gemini:
    """Hears one streamed answer; the library sees its first candidate alone."""

    def __init__(self, heard: Heard) -> None:
        self._heard = heard
        self._halves = Halves()

    def hear(self, name: str, told: Any) -> Iterator[tuple[str, Any]]:  # noqa: ARG002  as the port
        """The chunks, with whole characters."""
        for chunk in told if isinstance(told, list) else [told]:
            if isinstance(chunk, dict):
                yield "", self._chunk(chunk)

    def close(self) -> Iterator[tuple[str, Any]]:
        """Nothing more."""
        yield from ()

    def _chunk(self, chunk: dict[str, Any]) -> dict[str, Any]:
        candidates = chunk.get("candidates")
        several = candidates if isinstance(candidates, list) else ()
        first = next((it for it in several if _counts(it)), None)
        if first is not None:
            self._heard.finish(first.get("finishReason"), first.get("finishMessage"))
            first = self._whole(first)
        feedback = as_object(chunk.get("promptFeedback"))
        if reason := feedback.get("blockReason"):
            self._heard.finish("content_filter", feedback.get("blockReasonMessage") or reason)
        usage = dict(as_object(chunk.get("usageMetadata")))
        counts = ("candidatesTokenCount", "thoughtsTokenCount")
        made = [it for key in counts if isinstance(it := usage.get(key), int)]
        usage["made"] = sum(made) if made else None
        self._heard.count(usage, ("promptTokenCount",), ("made",))
        return {**chunk, "candidates": [] if first is None else [first]}

    def _whole(self, candidate: dict[str, Any]) -> dict[str, Any]:
        content = as_object(candidate.get("content"))
        parts = content.get("parts")
        several = parts if isinstance(parts, list) else ()
        known = [self._part(it) for it in several if isinstance(it, dict) and _known(it)]
        return {**candidate, "content": {**content, "parts": known}} if content else candidate

    def _part(self, part: dict[str, Any]) -> dict[str, Any]:
        if not any(kind in part for kind in _PARTS):
            part = {**part, "text": ""}
        if isinstance(text := part.get("text"), str):
            return {**part, "text": self._halves.joined(bool(part.get("thought")), text)}
        return part


def _counts(candidate: Any) -> bool:
    return isinstance(candidate, dict) and candidate.get("index") in (None, 0)


def _known(part: dict[str, Any]) -> bool:
    """True for a part that the library knows, and for a signature alone."""
    return any(part.get(kind) is not None for kind in (*_PARTS, _SIGNATURE))
