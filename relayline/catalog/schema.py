"""JSON Schema: where a value does not fit, and which calls need approval. Pure."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, NamedTuple

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend
from pydantic import JsonValue
from referencing import Registry
from referencing.exceptions import Unresolvable

from relayline.contracts.runs import ToolSpec

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
    """The first three places where the value does not fit the schema (draft 2020-12).

    In the order of the schema, and no more, because a value may misfit in very many. One that fits
    is looked at to its end, which takes about 10 µs for each value in it.
    """
    errors = _VALIDATOR(schema, registry=_NOWHERE).iter_errors(value)
    return [_mismatch(error) for error in islice(errors, _SHOWN)]


def mismatch(schema: Mapping[str, JsonValue], value: JsonValue) -> str | None:
    """The same in one line; None if the value fits."""
    return "; ".join(map(str, mismatches(schema, value))) or None


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


def _any_of(
    validator: Any, branches: Iterable[Any], value: JsonValue, _: object
) -> Iterator[ValidationError]:
    """As the library's own, which gathers every misfit in every branch: a second for 40,000."""
    if not any(validator.evolve(schema=branch).is_valid(value) for branch in branches):
        yield ValidationError(f"{value!r} is not valid under any of the given schemas")


def _one_of(
    validator: Any, branches: Iterable[Any], value: JsonValue, _: object
) -> Iterator[ValidationError]:
    """Likewise."""
    fitting = sum(validator.evolve(schema=branch).is_valid(value) for branch in branches)
    if fitting != 1:
        said = f"is valid under {fitting}" if fitting else "is not valid under any"
        yield ValidationError(f"{value!r} {said} of the given schemas")


def _unique_items(
    _validator: Any, unique: bool, value: JsonValue, _: object
) -> Iterator[ValidationError]:
    """As the library's own, which compares each with each where it can't sort: for minutes."""
    if unique and isinstance(value, list) and len(set(map(_frozen, value))) < len(value):
        yield ValidationError(f"{value!r} has non-unique elements")


def _frozen(value: JsonValue) -> Hashable:
    """Equal for values that are equal in JSON, where 1 is 1.0 but not true."""
    match value:
        case bool():
            return bool, value
        case list():
            return tuple(map(_frozen, value))
        case dict():
            return frozenset((name, _frozen(of)) for name, of in value.items())
        case _:
            return value


_VALIDATOR = extend(  # type: ignore[no-untyped-call]
    Draft202012Validator, {"anyOf": _any_of, "oneOf": _one_of, "uniqueItems": _unique_items}
)
