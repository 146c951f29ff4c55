"""JSON Schema: where a value does not match, and which calls need approval. Pure."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from contextvars import ContextVar
from itertools import islice
from typing import Any, NamedTuple

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend
from pydantic import JsonValue
from referencing import Registry
from referencing.exceptions import Unresolvable

from relayline.catalog.schemas.patterns import found, problem
from relayline.contracts.runs import ToolSpec

_NOWHERE: Registry[Any] = Registry()
"""Resolves no reference outside the schema: nothing is ever fetched."""
MAX_CHECKS = 500_000
"""A value is given up after so many keywords of its schema, a small one earlier."""
_CHECKS, _CHECKS_EACH = 20_000, 20
"""How many keywords may be looked at for any value, and for each value in it."""
_LEFT: ContextVar[list[int]] = ContextVar("checks_left")
"""How many of them are left, as the only item."""
_SHOWN = 3
_MESSAGE_CHARS = 200


class Mismatch(NamedTuple):
    """A place where a value does not match."""

    place: str
    """`.city[0]`; empty for the value itself."""
    message: str
    """`5 is not of type 'string'`, at most 200 characters."""

    def __str__(self) -> str:
        place = self.place.removeprefix(".")
        return f"{place}: {self.message}" if place else self.message


def mismatches(schema: Mapping[str, JsonValue], value: JsonValue) -> list[Mismatch]:
    """The first three places where the value does not match the schema (draft 2020-12).

    Patterns are those of `patterns.py`; one that can't be compiled is left out.
    In the order of the schema. Only three, because a value may mismatch in very many places; a
    value that matches is checked to its end, at about 10 µs for each value in it. A value that
    can't be checked (see `_found`) does not match; this raises nothing.
    """
    try:
        return _found(schema, value)
    except Exception as error:  # noqa: BLE001  of the schema's making: see _found
        return [Mismatch("", f"it can't be checked: {_why(error)}"[:_MESSAGE_CHARS])]


def mismatch(schema: Mapping[str, JsonValue], value: JsonValue) -> str | None:
    """`mismatches` in one line; None if the value matches."""
    return "; ".join(map(str, mismatches(schema, value))) or None


def needs_approval(tool: ToolSpec, arguments: Mapping[str, JsonValue]) -> bool:
    """True if a person must approve a call with these arguments.

    A rule that can't be evaluated, because a reference in it is unresolvable or circular, a
    pattern can't be compiled, or it would take too long, applies.
    """
    if isinstance(tool.approval, str):
        return tool.approval == "always"
    try:
        when = tool.approval.when
        return bool(problem(when)) or not _found(when, dict(arguments))
    except Exception:  # noqa: BLE001  see _found
        return True


class TooMuch(Exception):
    """Checking a value takes too many steps."""


def _found(schema: Mapping[str, JsonValue], value: JsonValue) -> list[Mismatch]:
    """As `mismatches`.

    Raises:
        TooMuch: `MAX_CHECKS` are not enough: `anyOf` in a recursive schema may be exponential.
        RecursionError: a reference is circular, or the value is nested too deeply.
        Unresolvable: a reference leads nowhere.
        Exception: the schema is none, or a number is too large for it.
    """
    # with its $schema, a schema that refers to itself would be given to another validator
    own = {keyword: of for keyword, of in schema.items() if keyword != "$schema"}
    token = _LEFT.set([min(MAX_CHECKS, _CHECKS + _CHECKS_EACH * _size(value))])
    try:
        errors = _VALIDATOR(own, registry=_NOWHERE).iter_errors(value)
        return [_mismatch(error) for error in islice(errors, _SHOWN)]
    finally:
        _LEFT.reset(token)


def _size(value: JsonValue) -> int:
    """How many values there are in it; more than enough are not counted."""
    seen, waiting = 0, [value]
    while waiting and seen < MAX_CHECKS:
        seen += 1
        match waiting.pop():
            case list() as several:
                waiting += several
            case dict() as named:
                waiting += named.values()
            case _:
                pass
    return seen


def _why(error: Exception) -> str:
    match error:
        case TooMuch():
            return "it takes too many steps"
        case RecursionError():
            return "it is nested too deeply, or the schema is circular"
        case Unresolvable():
            return f"the schema has a reference that leads nowhere: {error}"
        case _:
            return f"the schema does not allow it: {error}"


def _mismatch(error: ValidationError) -> Mismatch:
    message = error.message
    if len(message) > _MESSAGE_CHARS:
        message = f"…{message[1 - _MESSAGE_CHARS :]}"
    return Mismatch(error.json_path.removeprefix("$"), message)


def _any_of(
    validator: Any, branches: Iterable[Any], value: JsonValue, _: object
) -> Iterator[ValidationError]:
    """Replaces the library's, which collects all mismatches of all branches: 1 s for 40,000."""
    if not any(validator.evolve(schema=branch).is_valid(value) for branch in branches):
        yield ValidationError(f"{value!r} is not valid under any of the given schemas")


def _one_of(
    validator: Any, branches: Iterable[Any], value: JsonValue, _: object
) -> Iterator[ValidationError]:
    """Replaces the library's, for the same reason."""
    fitting = sum(validator.evolve(schema=branch).is_valid(value) for branch in branches)
    if fitting != 1:
        said = f"is valid under {fitting}" if fitting else "is not valid under any"
        yield ValidationError(f"{value!r} {said} of the given schemas")


def _pattern(
    _validator: Any, pattern: str, value: JsonValue, _: object
) -> Iterator[ValidationError]:
    """Replaces the library's, which uses Python's `re`; so do the next two."""
    if isinstance(value, str) and not found(pattern, value):
        yield ValidationError(f"{value!r} does not match {pattern!r}")


def _pattern_properties(
    validator: Any, patterns: Mapping[str, Any], value: JsonValue, _: object
) -> Iterator[ValidationError]:
    for pattern, schema in patterns.items():
        for name, of in value.items() if isinstance(value, dict) else ():
            if found(pattern, name):
                yield from validator.descend(of, schema, path=name, schema_path=pattern)


def _additional_properties(
    validator: Any, additional: Any, value: JsonValue, schema: Mapping[str, Any]
) -> Iterator[ValidationError]:
    patterns = schema.get("patternProperties", {})
    names = value if isinstance(value, dict) else {}
    matched = [name for name in names if any(found(pattern, name) for pattern in patterns)]
    known = {**schema.get("properties", {}), **dict.fromkeys(matched, True)}
    library = Draft202012Validator.VALIDATORS["additionalProperties"]
    yield from library(validator, additional, value, {"properties": known})


def _unique_items(
    _validator: Any, unique: bool, value: JsonValue, _: object
) -> Iterator[ValidationError]:
    """Replaces the library's, which takes minutes: it compares all pairs of what it can't sort."""
    if unique and isinstance(value, list) and len(set(map(_frozen, value))) < len(value):
        yield ValidationError(f"{value!r} has non-unique elements")


def _frozen(value: JsonValue) -> Hashable:
    """A key that is equal for values that are equal in JSON, where 1 is 1.0 but not true."""
    match value:
        case bool():
            return bool, value
        case list():
            return tuple(map(_frozen, value))
        case dict():
            return frozenset((name, _frozen(of)) for name, of in value.items())
        case _:
            return value


def _enum(
    _validator: Any, choices: Iterable[Any], value: JsonValue, _: object
) -> Iterator[ValidationError]:
    """Replaces the library's, which compares each value with all choices, slowly."""
    own = _frozen(value)
    if value not in choices or not any(_frozen(it) == own for it in choices if it == value):
        yield ValidationError(f"{value!r} is not one of {choices!r}")


def _counted(check: Callable[..., Any]) -> Callable[..., Any]:
    """The check of a keyword, which counts against `MAX_CHECKS`."""

    def counted(validator: Any, of: Any, value: Any, schema: Any) -> Any:
        left = _LEFT.get()
        left[0] -= 1
        if left[0] < 0:
            raise TooMuch
        return check(validator, of, value, schema)

    return counted


_OURS: dict[str, Callable[..., Any]] = {
    "anyOf": _any_of,
    "oneOf": _one_of,
    "enum": _enum,
    "uniqueItems": _unique_items,
    "pattern": _pattern,
    "patternProperties": _pattern_properties,
    "additionalProperties": _additional_properties,
}
_VALIDATOR = extend(  # type: ignore[no-untyped-call]
    Draft202012Validator,
    {
        keyword: _counted(check)
        for keyword, check in {**Draft202012Validator.VALIDATORS, **_OURS}.items()
    },
)
