"""What the rehearsal model answers where an answer must be JSON."""

from __future__ import annotations

import json
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from pydantic import BaseModel, Field, JsonValue

from relayline.activities.model.port import FinishPart, TextPart
from relayline.activities.model.providers.examples import example
from relayline.activities.model.providers.scripted import RehearsalModel
from relayline.catalog.rehearsal import MalformedScript, parse_script
from relayline.catalog.schemas.output_schema import output_schema_of
from relayline.catalog.schemas.schema import mismatch
from relayline.contracts.messages import AssistantMessage
from tests.activities.model.model_calls import script
from tests.activities.model.providers.asking import ask, calls_of, finish_of, prompt, text_of


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Leaf(BaseModel):
    colour: Colour
    size: Annotated[int, Field(gt=10, multiple_of=4)]
    below: Leaf | None = None


class Everything(BaseModel):
    text: Annotated[str, Field(min_length=12)]
    short: Annotated[str, Field(max_length=3)]
    exact: Literal["this"]
    day: date
    moment: datetime
    id: UUID
    share: Annotated[float, Field(ge=0.5, lt=1)]
    few: Annotated[int, Field(le=-3)]
    yes: bool
    nothing: None
    either: int | str
    leaves: Annotated[list[Leaf], Field(min_length=2)]
    by_name: dict[str, int]
    optional: str = "left out"


class Itself(BaseModel):
    other: Itself | None


@pytest.mark.parametrize("model", [Everything, Leaf, Itself])
def test_example_fits_its_model(model: type[BaseModel]) -> None:
    schema = output_schema_of(model)
    value = example(schema)
    assert mismatch(schema, value) is None
    model.model_validate_json(json.dumps(value))
    assert isinstance(value, dict)
    assert "optional" not in value


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"const": 7}, 7),
        ({"enum": ["a", "b"]}, "a"),
        ({"examples": [{"a": 1}]}, {"a": 1}),
        ({"type": "string", "default": "d"}, "d"),
        ({"type": ["null", "string"]}, None),
        ({"oneOf": [{"type": "boolean"}, {"type": "null"}]}, True),
        ({"properties": {"a": {}}, "required": ["a", "b"]}, {"a": "rehearsal", "b": "rehearsal"}),
        ({"type": "array", "minItems": 10**9, "items": {"const": 1}}, [1] * 100),
        (
            {"type": "object", "required": ["a"], "properties": {"a": {"$ref": "#/none"}}},
            {"a": None},
        ),
        ({"required": ["a"], "properties": {"a": {"$ref": "#"}}}, None),
        ({"type": "number", "exclusiveMinimum": 3}, 4),
        ({"type": "number", "exclusiveMinimum": 0, "maximum": 1}, 0.5),
        ({"type": "integer", "exclusiveMaximum": 0}, -1),
    ],
)
def test_example_follows_the_schema(schema: dict[str, Any], value: JsonValue) -> None:
    found = example(schema)
    if value is None and "required" in schema:
        assert len(json.dumps(found)) < 1000, "a circle has an end"
    else:
        assert found == value


SCHEMA = output_schema_of(Leaf)


async def test_plain_text_is_answered_by_a_value_once_the_tools_have_run() -> None:
    asked = prompt("What is 6*7?")._replace(output_schema=SCHEMA)
    first = await ask(RehearsalModel(), asked)
    assert calls_of(first), "it calls tools as ever"
    plain = prompt("Hello!", tools=())._replace(output_schema=SCHEMA)
    parts = await ask(RehearsalModel(), plain)
    assert mismatch(SCHEMA, json.loads(text_of(parts))) is None
    assert len([it for it in parts if isinstance(it, TextPart)]) > 1, "word by word"


async def test_each_answer_of_a_script_ends_a_step() -> None:
    text = script({"think": "hm"}, {"answer": "no JSON"}, {"answer": {"colour": "red"}})
    first = await ask(RehearsalModel(), prompt(text))
    assert (text_of(first), finish_of(first).reason) == ("no JSON", "stop")
    said = AssistantMessage(text="no JSON", rejected="it is no JSON")
    second = await ask(RehearsalModel(), prompt(text, said))
    assert json.loads(text_of(second)) == {"colour": "red"}
    third = await ask(RehearsalModel(), prompt(text, said, said))
    assert text_of(third) == "(end of script)"


async def test_text_after_a_script_is_answered_by_a_value() -> None:
    asked = prompt(script({"answer": "x"}), AssistantMessage(text="x"), "go on")
    parts = await ask(RehearsalModel(), asked._replace(output_schema=SCHEMA))
    assert mismatch(SCHEMA, json.loads(text_of(parts))) is None
    assert isinstance(parts[-1], FinishPart)


def test_answer_with_another_field_is_no_item() -> None:
    with pytest.raises(MalformedScript, match="item 0, field `loud`"):
        parse_script(script({"answer": 1, "loud": True}))
