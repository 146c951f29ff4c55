"""Which JSON Schemas an answer can be asked for by; nothing that one refers to is ever fetched."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from pydantic import BaseModel, JsonValue
from pydantic.errors import PydanticUserError

from relayline.catalog.schemas.patterns import problem, subschemas
from relayline.contracts.runs.output import schema_of

MAX_SCHEMA_BYTES = 32 * 1024
"""Limit for a schema, as JSON in UTF-8."""
MAX_SCHEMA_DEPTH = 32
"""Objects and lists in each other."""
_REFUSED = ("$id", "$anchor", "$dynamicRef", "$dynamicAnchor")
_KEPT = 64
"""Schemas whose check is remembered: the runs of a batch often share one."""

Schema = dict[str, JsonValue]


class UnusableSchema(ValueError):
    """No answer can be asked for by this schema; the message says why."""

    def __init__(self, why: str, limit: int | None = None) -> None:
        super().__init__(why)
        self.limit = limit
        """The limit that it exceeds; None: it exceeds none."""


def output_schema_of(output: type[BaseModel] | Mapping[str, JsonValue]) -> Schema:
    """The schema of an answer that fits the model, or the one that is given.

    Raises:
        UnusableSchema: pydantic can make none of the model, or `check_output_schema` refuses it.
    """
    if isinstance(output, Mapping):
        schema = dict(output)
    else:
        try:
            schema = schema_of(output)
        except (PydanticUserError, AttributeError) as error:
            raise UnusableSchema(f"{output!r} has no JSON Schema: {error}"[:500]) from error
    check_output_schema(schema)
    return schema


def check_output_schema(schema: Mapping[str, JsonValue]) -> None:
    """Return if answers can be asked for, and checked, by this schema.

    Raises:
        UnusableSchema: it is too large or too deep, no JSON Schema, not of an object at its top,
            refers to something outside itself, or has a pattern that can't be matched in linear
            time.
    """
    if any(depth > MAX_SCHEMA_DEPTH for depth in _depths(schema)):
        why = f"nested too deeply, at most {MAX_SCHEMA_DEPTH} levels are allowed"
        raise UnusableSchema(why, MAX_SCHEMA_DEPTH)
    text = json.dumps(schema, sort_keys=True)
    size = len(text.encode())
    if size > MAX_SCHEMA_BYTES:
        why = f"{size} bytes as JSON, at most {MAX_SCHEMA_BYTES} are allowed"
        raise UnusableSchema(why, MAX_SCHEMA_BYTES)
    if found := _problem(text):
        raise UnusableSchema(found)


@lru_cache(_KEPT)
def _problem(text: str) -> str | None:
    """Why no answer can be asked for by this schema, small as it is; None if one can."""
    schema: dict[str, Any] = json.loads(text)
    if schema.get("type") != "object":
        return 'the answer must be an object: `"type": "object"` at the top'
    try:
        Draft202012Validator.check_schema(schema)
    except (SchemaError, RecursionError) as error:
        where = error.json_path if isinstance(error, SchemaError) else "$"
        return f"{where} is no JSON Schema: {getattr(error, 'message', error)}"[:500]
    return problem(schema) or next(_bad_references(schema), None)


def _bad_references(schema: Mapping[str, Any]) -> Iterator[str]:
    known: set[str] = set()
    for each in subschemas(schema):
        if refused := next((keyword for keyword in _REFUSED if keyword in each), None):
            yield f"{refused} is not supported"
        seen: list[str] = []
        while isinstance(reference := each.get("$ref"), str) and reference not in known:
            target = _target(schema, reference)
            if target is None:
                yield f"$ref {reference[:200]!r} leads nowhere in this schema: nothing is fetched"
                return
            if reference in seen:
                yield f"$ref {reference[:200]!r} leads to itself"
                return
            seen.append(reference)
            each = target  # noqa: PLW2901  the chain of references from here
        known.update(seen)


def _target(schema: Mapping[str, Any], reference: str) -> Mapping[str, Any] | None:
    """The schema that a JSON pointer leads to; None if there is none."""
    head, *tokens = reference.split("/")
    if head != "#":
        return None
    place: Any = schema
    for token in tokens:
        name = token.replace("~1", "/").replace("~0", "~")
        place = place.get(name) if isinstance(place, Mapping) else None
    return place if isinstance(place, Mapping) else None


def _depths(value: object) -> Iterator[int]:
    """How deep each object and list is, the outermost first."""
    waiting: list[tuple[object, int]] = [(value, 1)]
    while waiting:
        found, depth = waiting.pop()
        if not isinstance(found, Mapping | list | tuple):
            continue
        yield depth
        below = found.values() if isinstance(found, Mapping) else found
        waiting += [(it, depth + 1) for it in below]
