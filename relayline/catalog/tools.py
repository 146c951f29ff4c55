"""Tools: the decorator `tool` makes one from a plain function with type hints."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from logging import Logger, LoggerAdapter
from typing import Any, Literal, Protocol, overload

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from pydantic import BaseModel, JsonValue

from relayline.catalog.reading.parameters import PREFIX, callable_as_function, name_of, signature_of
from relayline.catalog.resources import Resource
from relayline.catalog.schemas.patterns import problem
from relayline.contracts.runs import ApprovalRule, ToolSpec


class ToolContext(Protocol):
    """The run that called a tool; a parameter of this type receives it."""

    run_id: str
    call_id: str
    attempt: int
    step: int
    """The step of the run that asked for the call."""
    turn: int | None
    """The turn of a conversation; None in any other run."""
    agent: str
    """The name of the run's agent."""
    tenant: str
    """Whose run it is."""
    user: str
    """For whom it works, as whoever submitted it says; empty if nobody has."""
    metadata: Mapping[str, str]
    """Of the run, as submitted."""
    log: LoggerAdapter[Logger]
    """Writes into the worker's log, with the run, the call and the tool beside each line."""
    idempotency_key: str
    """The same for every attempt of this call; pass it to services that accept one."""

    def progress(self, message: str, fraction: float | None = None) -> None:
        """Show a line (at most 1,000 characters) and a fraction (0 to 1) to everyone who watches.

        May be called from any thread; never blocks and never fails the tool.
        """
        ...

    def secrets(self, name: str) -> str:
        """The secret of that name, from the worker's folder `RELAYLINE_TOOL_SECRETS`.

        It is cut out of whatever the worker journals, logs or sends to Temporal if it has 16 bytes
        or more.

        Raises:
            ToolError: there is none; a retry can't help.
        """
        ...

    @property
    def cancelled(self) -> bool:
        """True once the call is cancelled; a tool in a thread should check it regularly."""
        ...


@dataclass(frozen=True)
class Tool:
    """A tool's spec and its function.

    Raises:
        TypeError: a schema of the spec is none, or a pattern in it can't be matched in linear time.
    """

    spec: ToolSpec
    function: Callable[..., object]
    """Sync (runs in a thread) or async; returns a string or any value that serialises to JSON."""
    context_parameter: str | None = None
    """The name of the parameter that takes the `ToolContext`; None: there is none."""
    resources: Mapping[str, Resource[Any]] = field(default_factory=dict)
    """What parameters take of the worker's resources, by name."""
    arguments: type[BaseModel] | None = None
    """Converts JSON to the types of the hints; None: the function takes the JSON unchanged."""

    def __post_init__(self) -> None:
        rule = self.spec.approval
        when = rule.when if isinstance(rule, ApprovalRule) else {}
        for schema in (self.spec.parameters, when):
            if reason := problem(schema) or _misfit(schema):
                raise TypeError(f"tool {self.spec.name!r}: {reason}")

    def __call__(self, *args: Any, **named: Any) -> Any:
        """Call the function as it is: no checks, no conversion; for tests of the tool's code."""
        return self.function(*args, **named)

    def bind(self, arguments: Mapping[str, JsonValue]) -> dict[str, Any]:
        """Convert arguments to the types of the function's hints; the context is not among them.

        Raises:
            ValidationError: an argument does not match its hint.
        """
        if self.arguments is None:
            return dict(arguments)
        values = self.arguments.model_validate(arguments)
        return {
            field.removeprefix(PREFIX): getattr(values, field) for field in values.model_fields_set
        }


def _misfit(schema: Mapping[str, Any]) -> str | None:
    """Why it is no JSON Schema."""
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        return f"{error.json_path}: {error.message[:200]}, which is no JSON Schema"
    return None


def _check_threads(
    code: Callable[..., object], name: str, resources: Mapping[str, Resource[Any]]
) -> None:
    """Return if the tool may use its resources where it runs.

    Raises:
        TypeError: it runs in a thread, and one of them is for async tools alone.
    """
    asynchronous = inspect.iscoroutinefunction(code)
    for parameter, resource in resources.items():
        if not (asynchronous or resource.sync):
            raise TypeError(
                f"tool {name!r}: parameter {parameter!r}: the tool runs in a thread, and the "
                f"resource {resource.name!r} is for async tools: declare it with sync=True, or the "
                "tool with async def"
            )


class ToolError(Exception):
    """Raise it in a tool to fail the call with a message for the model.

    `retryable=False`: the call is not retried.
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
def tool(  # noqa: PLR0913  the options of a tool
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
    """Make a tool from a function with type hints; the model sees its docstring.

    A section of parameters in the docstring, as Google, NumPy or Sphinx write it, describes the
    parameters.

    Args:
        function: The function, when the decorator is used without parentheses; also a method, a
            `partial`, whose given arguments the model does not see, or an object with `__call__`.
        name: The name that the model sees; by default the function's.
        timeout_s: The limit of one attempt, in seconds.
        retries: How many more attempts follow when the function raises.
        effects: A call of an `unsafe` tool is claimed before it runs and never runs twice.
        approval: `always`: a person must approve each call; a rule: each call that matches it.
        approval_timeout_s: Seconds until an undecided approval counts as denied.
        asks: The call asks a person, and the answer is its result; the function never runs. It
            takes `question`, and optionally `choices` and `within_s`, like `ask_user`.

    Raises:
        TypeError: a parameter has no type hint, or one that pydantic can't take; it can't be passed
            by name (`*args`, `/`); the function is an async generator; or a
            pattern, of a parameter or the rule, can't be matched in linear time (look-around).
        SchemaError: the rule of `approval` is not a JSON Schema.
        ValidationError: an option is out of range, see `ToolSpec`.
    """
    if isinstance(approval, ApprovalRule):
        Draft202012Validator.check_schema(approval.when)

    def make(given: Callable[..., object]) -> Tool:
        code = callable_as_function(given)
        told = name or name_of(given)
        signature = signature_of(given, told, ToolContext)
        spec = ToolSpec(
            name=told,
            description=signature.description,
            parameters=signature.json_schema,
            timeout_s=timeout_s,
            retries=retries,
            effects=effects,
            approval=approval,
            approval_timeout_s=approval_timeout_s,
            asks=asks,
        )
        _check_threads(code, told, signature.resources)
        return Tool(spec, code, signature.context, signature.resources, signature.model)

    return make if function is None else make(function)
