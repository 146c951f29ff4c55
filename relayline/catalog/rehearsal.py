"""Rehearsal scripts: what the model `rehearsal` plays, as data; parsing and validation."""

from __future__ import annotations

import json
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

MAX_ITEMS = 1000
MAX_TOKENS = 1_000_000
MAX_EVERY_MS = 60_000

_Name = Annotated[str, Field(min_length=1, max_length=64)]


class _Item(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class _Streamed(_Item):
    """Something that is streamed in deltas."""

    every_ms: float = Field(default=0, ge=0, le=MAX_EVERY_MS)
    """Milliseconds from one delta to the next."""
    words_per_delta: int = Field(default=1, ge=1, le=10_000)


class Say(_Streamed):
    """Stream this text as the answer."""

    say: str


class Think(_Streamed):
    """Stream this text as reasoning."""

    think: str


class Tokens(_Streamed):
    """Stream this many numbered words as the answer: `w1 w2 w3 …`."""

    tokens: int = Field(ge=0, le=MAX_TOKENS)


class PlannedTool(_Item):
    """One of several calls."""

    name: _Name
    arguments: dict[str, JsonValue] = Field(default_factory=dict)


class OneCall(_Item):
    """Call a tool; ends the step."""

    call: _Name
    arguments: dict[str, JsonValue] = Field(default_factory=dict)


class ManyCalls(_Item):
    """Call several tools at once; ends the step."""

    calls: tuple[PlannedTool, ...] = Field(min_length=1, max_length=100, strict=False)


class Answer(_Streamed):
    """Answer with this JSON, or with this text as it is; ends the step."""

    answer: JsonValue

    @property
    def text(self) -> str:
        """What is streamed."""
        return self.answer if isinstance(self.answer, str) else json.dumps(self.answer)


class Fail(_Item):
    """Fail like a provider with this HTTP status, in the first `times` attempts of the call."""

    fail: int = Field(ge=400, le=599)
    retry_after_s: float | None = Field(default=None, ge=0, le=3600)
    times: int = Field(default=1, ge=1, le=1000)
    model: str | None = Field(default=None, min_length=1, max_length=200)
    """Only where this model is asked, as one of an agent with fallbacks."""


Item = Say | Think | Tokens | OneCall | ManyCalls | Answer | Fail
Script = tuple[Item, ...]

_KINDS: dict[str, TypeAdapter[Item]] = {
    "say": TypeAdapter(Say),
    "think": TypeAdapter(Think),
    "tokens": TypeAdapter(Tokens),
    "call": TypeAdapter(OneCall),
    "calls": TypeAdapter(ManyCalls),
    "answer": TypeAdapter(Answer),
    "fail": TypeAdapter(Fail),
}
_SCRIPT: Literal["rehearse"] = "rehearse"


class MalformedScript(ValueError):
    """A rehearsal script is malformed; the message names the item and the field."""


def parse_script(text: str) -> Script | None:
    """Parse the script in a message; None if the message is plain text.

    A message is a script when it is a JSON object with the field `rehearse`.

    Raises:
        MalformedScript: the message is a script, but not a valid one.
    """
    items = _items(text)
    if items is None:
        return None
    if not isinstance(items, list):
        raise MalformedScript(f"`{_SCRIPT}` must be a list of items, not {_type_of(items)}")
    if len(items) > MAX_ITEMS:
        raise MalformedScript(
            f"`{_SCRIPT}` has {len(items)} items; at most {MAX_ITEMS} are allowed"
        )
    return tuple(_item(index, item) for index, item in enumerate(items))


def validate_script(text: str) -> None:
    """Return if the message is plain text or a valid script.

    Raises:
        MalformedScript: the message is a script, but not a valid one.
    """
    parse_script(text)


def is_script(text: str) -> bool:
    """True if the message is a script, valid or not."""
    return _items(text) is not None


def _items(text: str) -> JsonValue:
    """The value of `rehearse`; None if the text is not an object with that field."""
    if not text.lstrip().startswith("{"):
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict) or _SCRIPT not in value:
        return None
    items: JsonValue = value[_SCRIPT]
    return "" if items is None else items


def _item(index: int, item: JsonValue) -> Item:
    """Parse one item.

    Raises:
        MalformedScript: it is invalid.
    """
    if not isinstance(item, dict):
        raise MalformedScript(f"item {index} must be an object, not {_type_of(item)}")
    kinds = [kind for kind in _KINDS if kind in item]
    if len(kinds) != 1:
        known = ", ".join(f"`{kind}`" for kind in _KINDS)
        raise MalformedScript(f"item {index} must have exactly one of {known}")
    try:
        return _KINDS[kinds[0]].validate_python(item)
    except ValidationError as error:
        raise MalformedScript(f"item {index}, {_complaint(error.errors()[0])}") from error


def _complaint(error: ErrorDetails) -> str:
    field = ".".join(str(part) for part in error["loc"])
    return f"field `{field[:100]}`: {error['msg']}"


def _type_of(value: JsonValue) -> str:
    names = {str: "a string", bool: "a boolean", int: "a number", float: "a number"}
    return names.get(type(value), "an object" if isinstance(value, dict) else "a list")
