"""Which schemas answers can be asked for by."""

from __future__ import annotations

import sys
import time
from types import ModuleType
from typing import Any

import pytest
from pydantic import BaseModel, JsonValue, RootModel

from relayline.catalog.agents import Agent, CatalogError
from relayline.catalog.load import load_catalog
from relayline.catalog.schemas.output_schema import (
    MAX_SCHEMA_BYTES,
    MAX_SCHEMA_DEPTH,
    UnusableSchema,
    check_output_schema,
    output_schema_of,
)
from relayline.catalog.schemas.schema import mismatch


class Node(BaseModel):
    name: str
    children: list[Node] = []


class Words(RootModel[list[str]]):
    """No object."""


def nested(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "object"}
    for _ in range(levels // 2 - 1):
        schema = {"type": "object", "properties": {"a": schema}}
    return schema


OBJECT: dict[str, JsonValue] = {"type": "object"}


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        ({}, "must be an object"),
        ({"type": "array"}, "must be an object"),
        ({"type": ["object", "null"]}, "must be an object"),
        ({**OBJECT, "properties": 7}, r"\$\.properties is no JSON Schema"),
        ({**OBJECT, "properties": {"a": {"type": "text"}}}, "is no JSON Schema"),
        ({**OBJECT, "properties": {"a": {"$ref": "https://example.org/s.json"}}}, "nothing is fet"),
        ({**OBJECT, "properties": {"a": {"$ref": "#/$defs/none"}}}, "leads nowhere"),
        ({**OBJECT, "$ref": "#"}, "leads to itself"),
        (
            {**OBJECT, "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}},
            "leads to itself",
        ),
        ({**OBJECT, "$id": "https://example.org/"}, r"\$id is not supported"),
        ({**OBJECT, "properties": {"a": {"$dynamicRef": "#x"}}}, "is not supported"),
        ({**OBJECT, "properties": {"a": {"pattern": "(?=x)"}}}, "pattern"),
        (nested(MAX_SCHEMA_DEPTH + 4), "nested too deeply, at most 32"),
        ({**OBJECT, "title": "x" * MAX_SCHEMA_BYTES}, "at most 32768 are allowed"),
    ],
)
def test_schema_that_can_not_be_used_is_refused_and_says_why(
    schema: dict[str, Any], why: str
) -> None:
    with pytest.raises(UnusableSchema, match=why):
        check_output_schema(schema)


def test_limits_are_named() -> None:
    with pytest.raises(UnusableSchema) as large:
        check_output_schema({**OBJECT, "title": "x" * MAX_SCHEMA_BYTES})
    with pytest.raises(UnusableSchema) as deep:
        check_output_schema(nested(MAX_SCHEMA_DEPTH + 4))
    assert (large.value.limit, deep.value.limit) == (MAX_SCHEMA_BYTES, MAX_SCHEMA_DEPTH)
    check_output_schema(nested(MAX_SCHEMA_DEPTH))


def test_model_that_refers_to_itself_is_an_object_at_the_top() -> None:
    schema = output_schema_of(Node)
    assert (schema["type"], schema["title"]) == ("object", "Node")
    assert mismatch(schema, {"name": "a", "children": [{"name": "b"}]}) is None
    assert mismatch(schema, {"name": "a", "children": [{"name": 1}]})


def test_hostile_schema_is_refused_or_checked_in_time() -> None:
    doubling: dict[str, JsonValue] = {
        **{f"d{n}": {"anyOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 8} for n in range(12)},
        "d12": {"type": "integer"},
    }
    schema: dict[str, JsonValue] = {
        **OBJECT,
        "properties": {"a": {"$ref": "#/$defs/d0"}},
        "required": ["a"],
        "$defs": doubling,
    }
    started = time.process_time()
    check_output_schema(schema)
    assert mismatch(schema, {"a": "x"})
    assert time.process_time() - started < 5


@pytest.mark.parametrize("output", [Words, {"type": "string"}, str, 7])
def test_agent_with_such_an_output_is_a_catalog_error(
    output: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = ModuleType("structured_catalog")
    vars(module)["agent"] = Agent("cities", output=output)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    with pytest.raises(CatalogError, match="agent 'cities': output: "):
        load_catalog(module.__name__, (), "rehearsal")


def test_agent_has_the_schema_of_its_model(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("structured_catalog")
    vars(module)["agent"] = Agent("nodes", output=Node)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    catalog = load_catalog(module.__name__, (), "rehearsal")
    assert catalog.agents["nodes"].output_schema == output_schema_of(Node)
