"""Regular expressions in JSON Schemas, matched in linear time. Pure.

Python's `re` may take years for thirty characters, and a model writes the values. So these patterns
are those of Rust, which pydantic uses, too: no look-around, no back-references.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from pydantic_core import SchemaError, SchemaValidator, core_schema

_KEPT = 256
"""Compiled patterns that are kept; each takes at most 10 MB."""
_OF_SCHEMAS = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
"""Keywords whose value maps names to schemas."""
_OF_DATA = ("const", "enum", "default", "example", "examples", "discriminator")
"""Keywords whose value is no schema, whatever it looks like."""

Schema = Mapping[str, Any]


def found(pattern: str, text: str) -> bool:
    """True if the pattern matches somewhere in the text, or can't be compiled."""
    compiled = _compiled(pattern)
    return isinstance(compiled, str) or compiled.isinstance_python(text)


def problem(schema: Schema) -> str | None:
    """Why the patterns of a schema can't be matched in linear time; None if they can."""
    schemas = list(subschemas(schema))
    for pattern in (pattern for each in schemas for pattern in _patterns(each)):
        if isinstance(reason := _compiled(pattern), str):
            return f"pattern {pattern[:200]!r}: {reason}"
    keywords = {keyword for each in schemas for keyword in each}
    if {"patternProperties", "unevaluatedProperties"} <= keywords:
        return "patternProperties beside unevaluatedProperties are not supported"
    if any("$schema" in each for each in schemas[1:]):
        return "only the outermost schema may have a $schema"
    return None


def subschemas(schema: Schema) -> Iterator[Schema]:
    """The schema first, and every schema in it."""
    waiting: list[Any] = [schema]
    while waiting:
        match waiting.pop():
            case Mapping() as found_one:
                yield found_one
                waiting += _below(found_one)
            case list() as several:
                waiting += several
            case _:
                pass


def _below(schema: Schema) -> Iterator[Any]:
    """The values directly in the schema that may be or contain schemas."""
    for keyword, value in schema.items():
        if keyword in _OF_SCHEMAS and isinstance(value, Mapping):
            yield from value.values()
        elif keyword not in _OF_DATA:
            yield value


def _patterns(schema: Schema) -> Iterator[str]:
    if isinstance(pattern := schema.get("pattern"), str):
        yield pattern
    if isinstance(named := schema.get("patternProperties"), Mapping):
        yield from named


@lru_cache(_KEPT)
def _compiled(pattern: str) -> SchemaValidator | str:
    """The compiled pattern, or why it can't be compiled."""
    try:
        return SchemaValidator(core_schema.str_schema(pattern=pattern, strict=True))
    except SchemaError as error:
        return str(error).splitlines()[-1].strip().removeprefix("error: ")
