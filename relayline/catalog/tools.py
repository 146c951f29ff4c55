"""Tools: a plain function with type hints becomes one, with the decorator `tool`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol, get_type_hints, overload

from jsonschema import Draft202012Validator
from pydantic import BaseModel, ConfigDict, Field, JsonValue, create_model

from relayline.contracts.runs import ApprovalRule, ToolSpec


class ToolContext(Protocol):
    """What a tool may ask of the run that called it; take a parameter of this type to get it."""

    run_id: str
    call_id: str
    attempt: int
    idempotency_key: str
    """The same for every attempt of this call; give it to services that accept one."""

    def progress(self, message: str, fraction: float | None = None) -> None:
        """Show a line (at most 1,000 characters) and a fraction (0 to 1) to whoever watches.

        May be called from any thread; never blocks and never fails the tool.
        """
        ...

    @property
    def cancelled(self) -> bool:
        """True once the run wants the tool to stop; a threaded tool should look now and then."""
        ...


@dataclass(frozen=True)
class Tool:
    """A tool's spec with the function that does the work."""

    spec: ToolSpec
    function: Callable[..., object]
    """Sync (runs in a thread) or async; returns text or anything that serialises to JSON."""
    context_parameter: str | None = None
    """Name of the parameter that takes the `ToolContext`."""
    arguments: type[BaseModel] | None = None
    """Turns JSON into the types of the hints; None: the function takes the JSON as it is."""

    def bind(self, arguments: Mapping[str, JsonValue]) -> dict[str, Any]:
        """The function's keyword arguments, in the types of its hints, without the context.

        Raises:
            ValidationError: an argument is not what its hint says.
        """
        if self.arguments is None:
            return dict(arguments)
        values = self.arguments.model_validate(arguments)
        return {
            field.removeprefix(_PREFIX): getattr(values, field) for field in values.model_fields_set
        }


class ToolError(Exception):
    """Raise it in a tool to fail with a message for the model.

    `retryable=False` says that trying again cannot help.
    """

    def __init__(self, message: str, *, retryable: bool = True) -> None:
        super().__init__(message)
        self.retryable = retryable


@overload
def tool(function: Callable[..., object], /) -> Tool: ...
@overload
def tool(
    *,
    name: str | None = None,
    timeout_s: float = 30,
    retries: int = 2,
    effects: Literal["safe", "unsafe"] = "safe",
    approval: Literal["never", "always"] | ApprovalRule = "never",
    approval_timeout_s: float = 86_400,
    asks: bool = False,
) -> Callable[[Callable[..., object]], Tool]: ...
def tool(  # noqa: PLR0913  the knobs of a tool
    function: Callable[..., object] | None = None,
    /,
    *,
    name: str | None = None,
    timeout_s: float = 30,
    retries: int = 2,
    effects: Literal["safe", "unsafe"] = "safe",
    approval: Literal["never", "always"] | ApprovalRule = "never",
    approval_timeout_s: float = 86_400,
    asks: bool = False,
) -> Tool | Callable[[Callable[..., object]], Tool]:
    """Make a function with type hints a tool; its docstring is what the model is told.

    Args:
        function: The function, when used without parentheses.
        name: Name for the model; the function's own by default.
        timeout_s: Seconds that one attempt may take.
        retries: Further attempts after the function raised.
        effects: `unsafe` tools are claimed before they run and never run twice.
        approval: `always`: a person has to approve each call first; a rule: those that fit it.
        approval_timeout_s: Seconds that a person has to decide; undecided means denied.
        asks: The call is a question for a person, whose answer is its result: the function never
            runs. It takes `question`, and may take `choices` and `within_s`, as `ask_user` does.

    Raises:
        TypeError: a parameter has no type hint or can't be given by name (`*args`, `/`).
        SchemaError: the rule of `approval` is no JSON Schema.
        ValidationError: a knob is out of its range, see `ToolSpec`.
    """
    if isinstance(approval, ApprovalRule):
        Draft202012Validator.check_schema(approval.when)

    def make(plain: Callable[..., object]) -> Tool:
        parameters = _parameters(plain)
        spec = ToolSpec(
            name=name or plain.__name__,
            description=inspect.getdoc(plain) or "",
            parameters=parameters.json_schema,
            timeout_s=timeout_s,
            retries=retries,
            effects=effects,
            approval=approval,
            approval_timeout_s=approval_timeout_s,
            asks=asks,
        )
        return Tool(spec, plain, parameters.context, parameters.model)

    return make if function is None else make(function)


_PREFIX = "arg_"
"""Keeps parameters such as `json` apart from the attributes of a pydantic model."""


class _Parameters(NamedTuple):
    json_schema: dict[str, JsonValue]
    context: str | None
    model: type[BaseModel]


def _parameters(function: Callable[..., object]) -> _Parameters:
    """What the function takes: for the model, and for turning JSON into it."""
    hints = get_type_hints(function, include_extras=True)
    fields: dict[str, Any] = {}
    context = None
    for name, parameter in inspect.signature(function).parameters.items():
        if hints.get(name) is ToolContext:
            context = name
            continue
        if parameter.kind not in {parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY}:
            raise TypeError(
                f"tool {function.__name__!r}: {str(parameter)!r} can't be given by name"
            )
        if name not in hints:
            raise TypeError(f"tool {function.__name__!r}: parameter {name!r} has no type hint")
        default = ... if parameter.default is parameter.empty else parameter.default
        fields[_PREFIX + name] = (hints[name], Field(default, alias=name, title=name))
    model = create_model(function.__name__, __config__=ConfigDict(extra="forbid"), **fields)
    return _Parameters(_untitled(model.model_json_schema()), context, model)


def _untitled(schema: dict[str, Any]) -> dict[str, JsonValue]:
    """The schema without the titles that only repeat names: they cost tokens."""
    schema.pop("title", None)
    for field in schema.get("properties", {}).values():
        field.pop("title", None)
    return schema
