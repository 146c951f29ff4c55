"""What a provider has said of its answer: how it ended, its usage, its calls. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

MAX_TOKENS = 10**9
"""A count above this is a mistake of the provider."""

_REASONS = {
    "stop": "stop end_turn eos eos_token stop_sequence stop_token complete completed finished"
    " finish end done pause_turn",
    "tool_calls": "tool_calls tool_call function_call tool_use tool",
    "length": "length max_tokens model_length max_output_tokens max_length token_limit"
    " model_context_window_exceeded context_length too_long",
    "content_filter": "content_filter content_filtered safety sensitive guardrail_intervened"
    " refusal recitation blocklist prohibited_content spii image_safety moderation blocked"
    " language",
    "error": "error network_error insufficient_system_resource abort aborted cancelled canceled"
    " timeout failed engine_error malformed_function_call unexpected_tool_call server_error"
    " too_many_tool_calls internal_error",
}
_MEANING = {word: reason for reason, words in _REASONS.items() for word in words.split()}


@dataclass
class HeardCall:
    """A tool call, as its pieces came."""

    name: str = ""
    pieces: list[str] = field(default_factory=list)
    extra: dict[str, Any] = field(default_factory=dict)
    """What the provider needs back with the call (Gemini's thought signature)."""

    @property
    def whole(self) -> bool:
        """True if the arguments so far are a JSON object."""
        ends = bool(self.pieces) and self.pieces[-1].rstrip().endswith("}")
        return ends and is_object("".join(self.pieces))

    @property
    def text(self) -> str:
        """The arguments: what was said twice, or again and again from the start, counts once."""
        text = "".join(self.pieces)
        if is_object(text) or len(self.pieces) < 2:
            return text
        told = [piece for piece in self.pieces if piece.strip()]
        last = told[-1] if told else ""
        rest = "".join(told[:-1])
        cumulative = all(b.startswith(a) for a, b in pairwise(told))
        return last if is_object(last) and (cumulative or rest == last) else text


@dataclass
class Heard:
    """The answer so far, by the wire alone."""

    listening: bool = False
    """True once an answer of a known protocol has begun."""
    word: str = ""
    """The provider's own finish reason."""
    done: bool = False
    """True after `[DONE]`, or what takes its place."""
    input_tokens: int | None = None
    output_tokens: int | None = None
    calls: list[HeardCall] | None = None
    """None: the protocol's calls are read by the library."""
    reasoning_converted: bool = False
    """True if reasoning came in a field that the provider would not take back."""
    stray: str = ""
    """The newest words that are neither JSON nor an error."""

    @property
    def ended(self) -> bool:
        """True if the provider has said that the answer is over."""
        return bool(self.word) or self.done

    @property
    def reason(self) -> str:
        """`stop`, `tool_calls`, `length`, `content_filter`, `error`, `other` or `unknown`.

        `unknown`: it gave no reason; `other`: one that we do not know.
        """
        if not self.word:
            return "unknown"
        return _MEANING.get(self.word.lower().replace("-", "_"), "other")

    def finish(self, word: object) -> None:
        """Take in a finish reason; the first one stays, but an error is an error."""
        if not isinstance(word, str) or word.lower() in ("", "null", "none"):
            return
        if not self.word or _MEANING.get(word) == "error":
            self.word = word

    def count(self, usage: object, taken: Sequence[str], made: Sequence[str]) -> None:
        """Take in a usage: a running total, or the only one. Totals never sink.

        Args:
            usage: The provider's object.
            taken: Names of the field for the input, best first.
            made: Names of the field for the output.
        """
        if isinstance(usage, Mapping):
            self.input_tokens = _more(self.input_tokens, usage, taken)
            self.output_tokens = _more(self.output_tokens, usage, made)


def _more(before: int | None, usage: Mapping[str, Any], names: Sequence[str]) -> int | None:
    """The larger of the count so far and the one in the usage."""
    counts = [it for name in names if (it := _count(usage.get(name))) is not None]
    return max([*counts[:1], *(() if before is None else (before,))], default=None)


def _count(value: object) -> int | None:
    """A count of tokens; None if it can't be one."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,10}", value.strip()):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if 0 <= value <= MAX_TOKENS else None


def is_object(text: str) -> bool:
    """True if the text is one whole JSON object."""
    try:
        return isinstance(json.loads(text, strict=False), dict)
    except (ValueError, RecursionError):
        return False


def documents(data: str) -> Iterator[Any]:
    """The JSON values in an event's data, one after the other; at last any text that is none."""
    rest = data.strip().removeprefix("\ufeff")
    decoder = json.JSONDecoder(strict=False)
    while rest:
        try:
            value, end = decoder.raw_decode(rest)
        except (ValueError, RecursionError):
            yield rest
            return
        yield value
        rest = rest[end:].lstrip()
