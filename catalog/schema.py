"""JSON Schema: where a value does not fit, and which calls need approval. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from pydantic import JsonValue
from referencing import Registry
from referencing.exceptions import Unresolvable

from contracts.runs import ToolSpec

_NOWHERE: Registry[Any] = Registry()
"""Resolves no reference outside the schema: nothing is ever fetched."""
_SHOWN = 3
_MESSAGE_CHARS = 200


class Mismatch(NamedTuple):
    """A place where a value does not fit."""

    place: str
    """`.city[0]`; empty for the value itself."""
    message: str
    """`5 is not of type 'string'`, at most 200 characters."""

    def __str__(self) -> str:
        place = self.place.removeprefix(".")
        return f"{place}: {self.message}" if place else self.message


def mismatches(schema: Mapping[str, JsonValue], value: JsonValue) -> list[Mismatch]:
    """Where the value does not fit the schema (draft 2020-12), sorted by place."""
    validator = Draft202012Validator(schema, registry=_NOWHERE)
    return sorted(map(_mismatch, validator.iter_errors(value)))


def mismatch(schema: Mapping[str, JsonValue], value: JsonValue) -> str | None:
    """The first three places where the value does not fit, in one line; None if it fits."""
    return "; ".join(map(str, mismatches(schema, value)[:_SHOWN])) or None


def needs_approval(tool: ToolSpec, arguments: Mapping[str, JsonValue]) -> bool:
    """Whether a person has to approve a call with these arguments.

    A rule that can't be told to fit or not, because it refers to nothing or to itself, fits.
    """
    if isinstance(tool.approval, str):
        return tool.approval == "always"
    try:
        return not mismatches(tool.approval.when, dict(arguments))
    except (Unresolvable, RecursionError):
        return True


def _mismatch(error: ValidationError) -> Mismatch:
    message = error.message
    if len(message) > _MESSAGE_CHARS:
        message = f"…{message[1 - _MESSAGE_CHARS :]}"
    return Mismatch(error.json_path.removeprefix("$"), message)
