"""What a provider has said of its answer: how it ended, its usage, its calls. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from relayline.activities.model.providers.wire.reasons import meaning, outweighs

MAX_TOKENS = 10**9
"""A count above this is a mistake of the provider."""

_BLANK = " \t\r\n\0\ufeff"
"""What may stand around JSON: some servers fill up with NUL, or mark each event."""
_MOST_WHY = 1000
_MOST_BYTES = 256 * 1024
"""Longer arguments of a call are not looked at piece by piece."""


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
        small = ends and sum(map(len, self.pieces)) <= _MOST_BYTES
        return small and is_object("".join(self.pieces))

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
    details: list[dict[str, Any]] = field(default_factory=list)
    """OpenRouter's details of the reasoning."""
    stray: str = ""
    """The newest words that are no part of an answer and no error that we know."""
    why: str = ""
    """What the provider says of a reason that is no good."""

    @property
    def ended(self) -> bool:
        """True if the provider has said that the answer is over."""
        return bool(self.word) or self.done

    @property
    def reason(self) -> str:
        """What the finish reason means; see `reasons.meaning`."""
        return meaning(self.word)

    def finish(self, word: object, why: object = None) -> None:
        """Take in a finish reason; the first one stays until there is a worse one.

        Args:
            word: The reason; anything but a text that says something is ignored.
            why: What the provider says of it.
        """
        if isinstance(word, str) and outweighs(word, self.word):
            self.word = word.strip()
        if isinstance(why, str) and why.strip():
            self.why = why.strip()[:_MOST_WHY]

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


def as_object(told: Any) -> dict[str, Any]:
    """The JSON object; an empty one in place of anything else."""
    return told if isinstance(told, dict) else {}


def documents(data: str) -> Iterator[Any]:
    """The JSON values in an event's data, one after the other; at last any text that is none."""
    rest = data.strip(_BLANK)
    decoder = json.JSONDecoder(strict=False)
    at = 0
    while at < len(rest):
        try:
            value, at = decoder.raw_decode(rest, at)
        except (ValueError, RecursionError):
            yield rest[at:]
            return
        yield value
        while at < len(rest) and rest[at] in _BLANK:
            at += 1
