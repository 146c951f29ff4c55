"""A value that fits a JSON Schema, made by simple rules: what the rehearsal model answers. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import inf
from typing import Any

from pydantic import JsonValue

_WORD = "rehearsal"
_FORMATS = {
    "date": "2026-01-31",
    "date-time": "2026-01-31T12:00:00Z",
    "time": "12:00:00Z",
    "duration": "PT1H",
    "email": "somebody@example.org",
    "uri": "https://example.org/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}
_MAX_DEPTH = 32
_MAX_ITEMS = 100

Schema = Mapping[str, Any]


def example(schema: Schema) -> JsonValue:
    """A small value that fits: required fields only, the first choice, the lowest number.

    Patterns, `not` and other conditions are not regarded, so that it may not fit.
    """
    return _value(schema, schema, 0)


def _value(schema: object, root: Schema, depth: int) -> JsonValue:
    if not isinstance(schema, Mapping) or depth > _MAX_DEPTH:
        return None
    if isinstance(reference := schema.get("$ref"), str):
        return _value(_target(root, reference), root, depth + 1)
    for given in _given(schema):
        return given
    for keyword in ("anyOf", "oneOf", "allOf"):
        if branches := schema.get(keyword):
            return _value(branches[0], root, depth + 1)
    return _of_type(schema, root, depth)


def _given(schema: Schema) -> Iterator[JsonValue]:
    """The values that the schema itself names, the best first."""
    if "const" in schema:
        yield schema["const"]
    yield from schema.get("enum", ())
    yield from schema.get("examples", ())
    if "default" in schema:
        yield schema["default"]


def _of_type(schema: Schema, root: Schema, depth: int) -> JsonValue:
    kind = schema.get("type", "object" if "properties" in schema else "string")
    match kind[0] if isinstance(kind, list) and kind else kind:
        case "object":
            fields, required = schema.get("properties", {}), schema.get("required", ())
            return {name: _value(fields.get(name, {}), root, depth + 1) for name in required}
        case "array":
            count = min(schema.get("minItems", 0), _MAX_ITEMS)
            return [_value(schema.get("items", {}), root, depth + 1)] * count
        case "integer" | "number":
            return _number(schema)
        case "boolean":
            return True
        case "null":
            return None
        case _:
            return _text(schema)


def _number(schema: Schema) -> int | float:
    step: float = schema.get("multipleOf", 1 if schema.get("type") == "integer" else 0)
    most: float = schema.get("maximum", schema.get("exclusiveMaximum", inf) - (step or 0.5))
    if "exclusiveMinimum" in schema:
        above: float = schema["exclusiveMinimum"]
        number = above // step * step + step if step else min(above + 1, (above + most) / 2)
    else:
        least: float = schema.get("minimum", 0)
        number = -(-least // step) * step if step else least
    return min(number, most)


def _text(schema: Schema) -> str:
    if named := _FORMATS.get(str(schema.get("format"))):
        return named
    least: int = schema.get("minLength", 0)
    most: int = schema.get("maxLength", len(_WORD))
    return (_WORD * (least // len(_WORD) + 1))[: max(least, min(most, len(_WORD)))]


def _target(root: Schema, reference: str) -> object:
    place: Any = root
    for token in reference.split("/")[1:]:
        name = token.replace("~1", "/").replace("~0", "~")
        place = place.get(name) if isinstance(place, Mapping) else None
    return place
