"""The output of a run: text, or JSON that fits a schema. Pure."""

from __future__ import annotations

import json
from typing import Literal

from pydantic import BaseModel, JsonValue

OutputType = Literal["text", "json"]
"""`json`: it was checked against the agent's output schema."""


def schema_of(model: type[BaseModel]) -> dict[str, JsonValue]:
    """The JSON Schema of the model's values, an object at its top.

    Raises:
        PydanticUserError: a field has no JSON Schema.
    """
    schema: dict[str, JsonValue] = model.model_json_schema()
    reference, named = schema.get("$ref"), schema.get("$defs")
    if not isinstance(reference, str) or not isinstance(named, dict):
        return schema
    # of a model that refers to itself, the top is only a reference
    itself = named.get(reference.removeprefix("#/$defs/"))
    return {**itself, "$defs": named} if isinstance(itself, dict) else schema


def is_text(output_type: OutputType) -> bool:
    """True for the type that is left out."""
    return output_type == "text"


def output_text(output: JsonValue) -> str:
    """The output for people: a text as it is, anything else as JSON."""
    return output if isinstance(output, str) else json.dumps(output, ensure_ascii=False)
