"""Claude's Messages, and what servers that imitate them leave out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from relayline.activities.model.providers.wire.halves import Halves
from relayline.activities.model.providers.wire.heard import Heard, as_object

_BLOCKS = frozenset({"text", "thinking", "redacted_thinking", "tool_use", "compaction"})
_BLOCK_ENDS = ("_tool_use", "_tool_result")
"""Kinds of blocks that the library knows: those, and names that end so."""
_TEXTS = {"text_delta": "text", "thinking_delta": "thinking", "input_json_delta": "partial_json"}
"""Kinds of deltas with a text, and its field."""
_DELTAS = frozenset({*_TEXTS, "signature_delta", "citations_delta", "compaction_delta"})
_COUNTS = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
_NO_START = {"id": "", "type": "message", "role": "assistant", "model": "", "content": []}


class Messages:
    """Hears one streamed message; blocks and deltas that the library does not know are left out."""

    def __init__(self, heard: Heard) -> None:
        self._heard = heard
        self._halves = Halves()
        self._started = False
        self._unknown: set[object] = set()
        """Indexes of blocks that are left out."""

    def hear(self, name: str, told: Any) -> Iterator[tuple[str, Any]]:
        """The event, with the fields that the library needs."""
        if not isinstance(told, dict):
            return
        kind = str(told.get("type") or name)
        if kind == "message_start":
            self._started = True
            message = as_object(told.get("message"))
            self._count(message.get("usage"))
            told = {**told, "message": {**_NO_START, **message, "usage": _usage(message)}}
        elif not self._started and kind.startswith(("content_block", "message")):
            start = {"type": "message_start", "message": {}}
            yield from self.hear("", start)
        if kind == "message_delta":
            delta = as_object(told.get("delta"))
            self._ended(delta)
            self._count(told.get("usage"))
            told = {**told, "delta": {"stop_reason": None, **delta}, "usage": _usage(told)}
        elif kind == "message_stop":
            self._heard.done = True
        elif kind.startswith("content_block") and not self._block(kind, told):
            return
        if kind:
            yield kind, {**told, "type": kind}

    def close(self) -> Iterator[tuple[str, Any]]:
        """Nothing more."""
        yield from ()

    def _block(self, kind: str, told: dict[str, Any]) -> bool:
        """Join the halves of its text; False if the library does not know the event."""
        index = str(told.get("index"))
        if kind == "content_block_start":
            of = str(as_object(told.get("content_block")).get("type"))
            self._unknown.discard(index)
            if of not in _BLOCKS and not of.endswith(_BLOCK_ENDS):
                self._unknown.add(index)
        elif kind == "content_block_delta" and index not in self._unknown:
            delta = as_object(told.get("delta"))
            of = str(delta.get("type"))
            field = _TEXTS.get(of)
            if of not in _DELTAS or (field and not isinstance(delta.get(field), str)):
                return False
            if field:
                text = self._halves.joined((index, field), delta[field])
                told["delta"] = {**delta, field: text}
        return index not in self._unknown

    def _ended(self, delta: dict[str, Any]) -> None:
        details = as_object(delta.get("stop_details"))
        self._heard.finish(delta.get("stop_reason"), details.get("explanation"))

    def _count(self, usage: Any) -> None:
        if isinstance(usage, dict):
            taken = sum(it for key in _COUNTS if isinstance(it := usage.get(key), int))
            total = {**usage, "input_tokens": taken or None}
            self._heard.count(total, ("input_tokens",), ("output_tokens",))


def _usage(told: dict[str, Any]) -> dict[str, Any]:
    """A usage that the library can read; what counts was heard before."""
    usage = as_object(told.get("usage"))
    counts = {
        key: it for key in (*_COUNTS, "output_tokens") if isinstance(it := usage.get(key), int)
    }
    return {"input_tokens": 0, "output_tokens": 0, **counts}
