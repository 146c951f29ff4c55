"""Plain functions become tools."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Annotated, Any

import pytest
from jsonschema.exceptions import SchemaError
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from relayline.catalog.tools import Tool, ToolContext, tool
from relayline.contracts.runs import ApprovalRule, ToolSpec


class Place(BaseModel):
    city: str
    country: str = "de"


class Odd(BaseModel):
    model_config = ConfigDict(regex_engine="python-re")
    code: Annotated[str, Field(pattern="^(?!x)")]


def test_a_plain_function_becomes_a_tool_with_its_own_name_and_docstring() -> None:
    @tool
    def weather(city: str, days: Annotated[int, Field(ge=1, le=7)] = 1) -> str:
        """Tell the weather."""
        return f"{city} {days}"

    assert weather.spec.name == "weather"
    assert weather.spec.description == "Tell the weather."
    assert weather.spec.parameters == {
        "type": "object",
        "properties": {
            "city": {"type": "string"},
            "days": {"type": "integer", "default": 1, "minimum": 1, "maximum": 7},
        },
        "required": ["city"],
        "additionalProperties": False,
    }


def test_the_knobs_of_the_decorator_stand_in_the_spec() -> None:
    @tool(name="pay", timeout_s=5, retries=0, effects="unsafe", approval="always")
    def transfer(amount: float) -> None: ...

    spec = transfer.spec
    assert (spec.name, spec.timeout_s, spec.retries) == ("pay", 5, 0)
    assert (spec.effects, spec.approval) == ("unsafe", "always")


def test_a_rule_stands_in_the_spec_as_data() -> None:
    rule = ApprovalRule(when={"properties": {"amount": {"minimum": 100}}})

    @tool(approval=rule, approval_timeout_s=60)
    def pay(amount: float) -> None: ...

    assert (pay.spec.approval, pay.spec.approval_timeout_s) == (rule, 60)
    assert ToolSpec.model_validate_json(pay.spec.model_dump_json()) == pay.spec


@pytest.mark.parametrize(
    "when", [{"type": "money"}, {"properties": []}, {"minimum": "1"}, {"pattern": "("}]
)
def test_a_rule_that_is_no_schema_is_refused(when: dict[str, Any]) -> None:
    with pytest.raises(SchemaError):
        tool(approval=ApprovalRule(when=when))


def test_a_pattern_that_takes_more_than_linear_time_is_refused_by_name() -> None:
    with pytest.raises(TypeError, match=r"tool 'look'.*look-around"):

        @tool
        def look(odd: Odd) -> None: ...

    with pytest.raises(TypeError, match=r"tool 'pay'.*look-around"):

        @tool(approval=ApprovalRule(when={"properties": {"to": {"pattern": "^(?!x)"}}}))
        def pay(to: str) -> None: ...


@pytest.mark.parametrize("approval_timeout_s", [0, -1, 31 * 86_400, float("nan")])
def test_a_time_to_decide_that_is_none_is_refused(approval_timeout_s: float) -> None:
    with pytest.raises(ValidationError, match="approval_timeout_s"):

        @tool(approval_timeout_s=approval_timeout_s)
        def pay() -> None: ...


def test_a_tool_that_asks_says_so() -> None:
    @tool(asks=True)
    def ask(question: str) -> None: ...

    assert ask.spec.asks
    assert not ToolSpec(name="other").asks


def test_the_context_is_not_told_to_the_model() -> None:
    @tool
    def slow(context: ToolContext, n: int) -> None: ...

    assert slow.context_parameter == "context"
    assert list(_properties(slow)) == ["n"]


def test_arguments_arrive_in_the_types_of_the_hints() -> None:
    @tool
    def plan(when: date, place: Place, note: str = "-") -> None: ...

    bound = plan.bind({"when": "2026-03-01", "place": {"city": "Ulm"}})
    assert bound == {"when": date(2026, 3, 1), "place": Place(city="Ulm")}


def test_parameters_may_have_names_that_pydantic_uses_itself() -> None:
    @tool
    def save(json: str, copy: bool, model_config: str) -> None: ...

    arguments: dict[str, Any] = {"json": "{}", "copy": True, "model_config": "x"}
    assert list(_properties(save)) == list(arguments)
    assert save.bind(arguments) == arguments


def test_binding_refuses_what_the_hints_do_not_allow() -> None:
    @tool
    def plan(when: date) -> None: ...

    with pytest.raises(ValidationError, match="when"):
        plan.bind({"when": "tomorrow"})


def test_a_tool_built_by_hand_takes_json_as_it_is() -> None:
    @tool
    def anything(value: int) -> None: ...

    assert Tool(anything.spec, anything.function).bind({"value": "x"}) == {"value": "x"}


def test_a_parameter_without_a_hint_is_refused_by_name() -> None:
    with pytest.raises(TypeError, match="parameter 'city' has no type hint"):

        @tool
        def weather(city) -> None: ...  # type: ignore[no-untyped-def]


@pytest.mark.parametrize("kind", ["star", "named", "positional"])
def test_a_parameter_that_has_no_name_for_a_model_is_refused(kind: str) -> None:
    def star(*values: int) -> None: ...
    def named(**values: int) -> None: ...
    def positional(value: int, /) -> None: ...

    functions: dict[str, Callable[..., object]] = {
        "star": star,
        "named": named,
        "positional": positional,
    }
    with pytest.raises(TypeError, match="can't be passed by name"):
        tool(functions[kind])


def _properties(made: Tool) -> dict[str, Any]:
    properties = made.spec.parameters["properties"]
    assert isinstance(properties, dict)
    return properties


@pytest.mark.parametrize(
    ("parameters", "place"),
    [
        ({"properties": {"a": {"type": "nope"}}}, "$.properties.a.type"),
        ({"properties": [1]}, "$.properties"),
        ({"properties": {"a": {"pattern": 5}}}, "$.properties.a.pattern"),
        ({"properties": {"a": {"multipleOf": 0}}}, "$.properties.a.multipleOf"),
    ],
)
def test_a_schema_that_is_none_names_tool_and_place(parameters: dict[str, Any], place: str) -> None:
    with pytest.raises(TypeError, match="no JSON Schema") as raised:
        Tool(ToolSpec(name="by_hand", parameters=parameters), print)
    assert f"tool 'by_hand': {place}: " in str(raised.value)
