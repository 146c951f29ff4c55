"""The protocols that are listened to: chat completions, and those of Claude, OpenAI and Gemini."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

from relayline.activities.model.providers.wire.chat import Chat
from relayline.activities.model.providers.wire.failures import WireError, failure_in
from relayline.activities.model.providers.wire.heard import Heard

Said = Iterator[tuple[str, Any]]
"""Events for the library: name and JSON."""


class Dialect(Protocol):
    """Hears one answer; passes on what the library reads."""

    def hear(self, name: str, told: Any) -> Said:
        """The events for the library that replace one of the provider's.

        Raises:
            WireError: the event is an error.
        """
        ...

    def close(self) -> Said:
        """The last events, once the answer has ended."""
        ...


class Messages:
    """Claude's Messages."""

    def __init__(self, heard: Heard) -> None:
        self._heard = heard

    def hear(self, name: str, told: Any) -> Said:
        """The event as it is."""
        if not isinstance(told, dict):
            return
        kind = told.get("type") or name
        if kind == "message_start":
            self._count((told.get("message") or {}).get("usage"))
        elif kind == "message_delta":
            self._heard.finish((told.get("delta") or {}).get("stop_reason"))
            self._count(told.get("usage"))
        elif kind == "message_stop":
            self._heard.done = True
        if kind:
            yield name or str(kind), told

    def close(self) -> Said:
        """Nothing more."""
        yield from ()

    def _count(self, usage: Any) -> None:
        if isinstance(usage, dict):
            cached = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
            taken = sum(it for key in cached if isinstance(it := usage.get(key), int))
            total = {**usage, "input_tokens": taken or None}
            self._heard.count(total, ("input_tokens",), ("output_tokens",))


class Responses:
    """OpenAI's Responses."""

    def __init__(self, heard: Heard) -> None:
        self._heard = heard

    def hear(self, name: str, told: Any) -> Said:
        """The event as it is.

        Raises:
            WireError: the response has failed.
        """
        if not isinstance(told, dict):
            return
        kind = str(told.get("type") or name)
        response = told.get("response")
        response = response if isinstance(response, dict) else {}
        if kind == "response.failed":
            error = response.get("error") or {"message": "the response has failed"}
            raise failure_in("error", error) or WireError("the response has failed")
        if kind in ("response.completed", "response.incomplete", "response.cancelled"):
            why = (response.get("incomplete_details") or {}).get("reason")
            self._heard.finish(why or kind.partition(".")[2])
            self._heard.done = True
            self._heard.count(response.get("usage"), ("input_tokens",), ("output_tokens",))
        if kind:
            yield kind, told

    def close(self) -> Said:
        """Nothing more."""
        yield from ()


class Gemini:
    """Gemini's `streamGenerateContent`."""

    def __init__(self, heard: Heard) -> None:
        self._heard = heard

    def hear(self, name: str, told: Any) -> Said:  # noqa: ARG002  as the port
        """The chunks as they are."""
        for chunk in told if isinstance(told, list) else [told]:
            if not isinstance(chunk, dict):
                continue
            candidates = chunk.get("candidates")
            for candidate in candidates[:1] if isinstance(candidates, list) else ():
                self._heard.finish(candidate.get("finishReason"))
            if (chunk.get("promptFeedback") or {}).get("blockReason"):
                self._heard.finish("content_filter")
            usage = dict(chunk.get("usageMetadata") or {})
            counts = ("candidatesTokenCount", "thoughtsTokenCount")
            made = [it for key in counts if isinstance(it := usage.get(key), int)]
            usage["made"] = sum(made) if made else None
            self._heard.count(usage, ("promptTokenCount",), ("made",))
            yield "", chunk

    def close(self) -> Said:
        """Nothing more."""
        yield from ()


_DIALECTS: tuple[tuple[str, Callable[[Heard], Dialect]], ...] = (
    ("/chat/completions", Chat),
    ("/messages", Messages),
    ("/responses", Responses),
    (":streamGenerateContent", Gemini),
)


def dialect_of(path: str, heard: Heard) -> Dialect | None:
    """The dialect spoken at this path of a URL; None if it is none of ours."""
    return next((make(heard) for end, make in _DIALECTS if path.endswith(end)), None)
