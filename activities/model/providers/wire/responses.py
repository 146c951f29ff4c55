"""OpenAI's Responses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from relayline.activities.model.providers.wire.failures import WireError, failure_in
from relayline.activities.model.providers.wire.halves import Halves
from relayline.activities.model.providers.wire.heard import Heard, as_object

_ENDS = ("response.completed", "response.incomplete", "response.cancelled")
_REFUSAL = "response.refusal.delta"


class Responses:
    """Hears one streamed response; a refusal becomes text."""

    def __init__(self, heard: Heard) -> None:
        self._heard = heard
        self._halves = Halves()

    def hear(self, name: str, told: Any) -> Iterator[tuple[str, Any]]:
        """The event, with whole characters.

        Raises:
            WireError: the response has failed.
        """
        if not isinstance(told, dict):
            return
        kind = str(told.get("type") or name)
        response = as_object(told.get("response"))
        if kind == "response.failed":
            error = response.get("error") or {"message": "the response has failed"}
            raise failure_in("error", error) or WireError("the response has failed")
        if kind in _ENDS:
            why = as_object(response.get("incomplete_details")).get("reason")
            self._heard.finish(why or kind.partition(".")[2])
            self._heard.done = True
            self._heard.count(response.get("usage"), ("input_tokens",), ("output_tokens",))
        if kind == _REFUSAL:
            self._heard.finish("refusal")
            kind = "response.output_text.delta"
            told = {**told, "type": kind, "logprobs": []}
        if isinstance(text := told.get("delta"), str):
            of = (kind, told.get("item_id"), told.get("content_index"), told.get("summary_index"))
            told = {**told, "delta": self._halves.joined(str(of), text)}
        if kind:
            yield kind, told

    def close(self) -> Iterator[tuple[str, Any]]:
        """Nothing more."""
        yield from ()
