"""Tools: a plain function with type hints becomes one, with the decorator `tool`."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol, get_type_hints, overload

from pydantic import ConfigDict, JsonValue, create_model

from contracts.runs import ToolSpec


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
    approval: Literal["never", "always"] = "never",
) -> Callable[[Callable[..., object]], Tool]: ...
def tool(  # noqa: PLR0913  the six knobs of a tool
    function: Callable[..., object] | None = None,
    /,
    *,
    name: str | None = None,
    timeout_s: float = 30,
    retries: int = 2,
    effects: Literal["safe", "unsafe"] = "safe",
    approval: Literal["never", "always"] = "never",
) -> Tool | Callable[[Callable[..., object]], Tool]:
    """Make a function with type hints a tool; its docstring is what the model is told.

    Args:
        function: The function, when used without parentheses.
        name: Name for the model; the function's own by default.
        timeout_s: Seconds that one attempt may take.
        retries: Further attempts after the function raised.
        effects: `unsafe` tools are claimed before they run and never run twice.
        approval: `always`: a person has to approve each call first.

    Raises:
        TypeError: a parameter has no type hint, or takes `*args` or `**kwargs`.
    """

    def make(plain: Callable[..., object]) -> Tool:
        parameters, context_parameter = _schema(plain)
        spec = ToolSpec(
            name=name or plain.__name__,
            description=inspect.getdoc(plain) or "",
            parameters=parameters,
            timeout_s=timeout_s,
            retries=retries,
            effects=effects,
            approval=approval,
        )
        return Tool(spec, plain, context_parameter)

    return make if function is None else make(function)


def _schema(function: Callable[..., object]) -> tuple[dict[str, JsonValue], str | None]:
    """JSON Schema of the parameters, and the name of the one that takes the context."""
    hints = get_type_hints(function, include_extras=True)
    fields: dict[str, Any] = {}
    context_parameter = None
    for name, parameter in inspect.signature(function).parameters.items():
        if hints.get(name) is ToolContext:
            context_parameter = name
            continue
        if parameter.kind in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}:
            raise TypeError(f"tool {function.__name__!r}: *{name} can't be described to a model")
        if name not in hints:
            raise TypeError(f"tool {function.__name__!r}: parameter {name!r} has no type hint")
        default = ... if parameter.default is parameter.empty else parameter.default
        fields[name] = (hints[name], default)
    model = create_model(function.__name__, __config__=ConfigDict(extra="forbid"), **fields)
    schema = model.model_json_schema()
    schema.pop("title", None)
    return schema, context_parameter
