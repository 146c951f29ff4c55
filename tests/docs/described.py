"""What pydantic models say of their own fields, in the words of JSON."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from pydantic import BaseModel

JsonSchema = Mapping[str, Any]


class Field(NamedTuple):
    """One field of an object."""

    name: str
    type: str
    """In words, with the names of other objects in backticks."""
    optional: bool
    """True when it may be null."""
    meaning: str
    refers_to: tuple[str, ...] = ()
    """Other objects that its type names."""


def one_line(text: str) -> str:
    """The text as it can stand in a cell of a table."""
    return " ".join(text.split()).replace("|", "\\|")


def row(*cells: str) -> str:
    """One row of a table."""
    return f"| {' | '.join(cells)} |".replace("|  |", "| |").replace("|  |", "| |")


def meanings(described: type[BaseModel | StrEnum]) -> dict[str, str]:
    """The docstring under each field or member, inherited ones included; "" where there is none."""
    found: dict[str, str] = {}
    for owner in reversed(described.__mro__):
        if issubclass(owner, BaseModel | StrEnum) and owner not in {BaseModel, StrEnum}:
            found |= _under_names(owner)
    return found


def _under_names(owner: type) -> Iterator[tuple[str, str]]:
    [tree] = ast.parse(textwrap.dedent(inspect.getsource(owner))).body
    assert isinstance(tree, ast.ClassDef)
    for here, below in zip(tree.body, [*tree.body[1:], ast.Pass()], strict=True):
        match here:
            case ast.AnnAssign(target=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)]):
                match below:
                    case ast.Expr(value=ast.Constant(value=str(text))):
                        yield name, one_line(text)
                    case _:
                        yield name, ""


def fields(model: type[BaseModel], schema: JsonSchema, shapes: JsonSchema) -> Iterator[Field]:
    """The fields of a model as clients see them, `type` left out.

    Args:
        model: The model.
        schema: Its own JSON Schema.
        shapes: The `$defs` that it refers to.
    """
    said = meanings(model)
    names = {info.alias or name: name for name, info in model.model_fields.items()}
    for name, of_field in schema["properties"].items():
        if name != "type" or model.model_fields["type"].annotation is str:
            type_, optional, refers_to = _in_words(of_field, shapes)
            yield Field(name, type_, optional, said.get(names[name], ""), refers_to)


def _in_words(schema: JsonSchema, shapes: JsonSchema) -> tuple[str, bool, tuple[str, ...]]:
    """A type in words, whether it may be null, and the objects that it names."""
    if choices := schema.get("anyOf") or schema.get("oneOf"):
        kinds = [it for it in choices if it.get("type") != "null"]
        parts = [_in_words(it, shapes) for it in kinds]
        refers_to = tuple(name for part in parts for name in part[2])
        return " or ".join(part[0] for part in parts), len(kinds) < len(choices), refers_to
    if reference := schema.get("$ref"):
        name = reference.rpartition("/")[2]
        if name == "JsonValue":
            return "any JSON", False, ()
        target = shapes[name]
        return _in_words(target, shapes) if "enum" in target else (f"`{name}`", False, (name,))
    if members := schema.get("enum") or ([schema["const"]] if "const" in schema else []):
        return " · ".join(f"`{member}`" for member in members), False, ()
    if schema.get("type") == "array":
        of_item, _, refers_to = _in_words(schema["items"], shapes)
        return f"list of {of_item}{'' if refers_to else 's'}", False, refers_to
    return _plain(schema), False, ()


def _plain(schema: JsonSchema) -> str:
    if schema.get("format") == "date-time":
        return "time"
    values = schema.get("additionalProperties")
    if schema.get("type") == "object" and isinstance(values, dict) and values.get("type"):
        return f"object of {values['type']}s"
    return str(schema["type"])
