"""What a model sees of a function: its name, description and parameters, as a JSON Schema."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any, NamedTuple, get_args, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, JsonValue, create_model

from relayline.catalog.reading.docstrings import read_docstring
from relayline.catalog.resources import Resource, resource_of
from relayline.catalog.schemas.patterns import subschemas

PREFIX = "arg_"
"""Keeps parameter names such as `json` from colliding with attributes of a pydantic model."""

Function = Callable[..., Any]


class Signature(NamedTuple):
    """A function as a model sees it."""

    name: str
    description: str
    json_schema: dict[str, JsonValue]
    context: str | None
    """The name of the parameter that takes the context; None: there is none."""
    resources: Mapping[str, Resource[Any]]
    """Those that parameters take, by name."""
    model: type[BaseModel]
    """Converts JSON to the types of the hints."""


def callable_as_function(given: Function) -> Function:
    """The same, as something whose `inspect.iscoroutinefunction` tells how it must be called.

    An object with `__call__` becomes that method.

    Raises:
        TypeError: it can't be called, or is an async generator, which returns no result.
    """
    if not callable(given):
        raise TypeError(f"{given!r:.200} is not callable: put @tool above a function")
    function = given
    if isinstance(given, functools.partial):
        inner = callable_as_function(given.func)
        function = functools.partial(inner, *given.args, **given.keywords)
    elif not _has_hints(given):
        function = type(given).__call__.__get__(given)
    if inspect.isasyncgenfunction(inspect.unwrap(_plain(function))):
        raise TypeError(
            f"tool {name_of(given)!r}: an async generator returns no result; return one value, and "
            "tell of progress by `context.progress`"
        )
    return function


def name_of(function: Function) -> str:
    """The function's name; for an object with `__call__`, that of its class."""
    plain = _plain(function)
    return str(getattr(plain, "__name__", type(plain).__name__))


def signature_of(given: Function, name: str, context: type) -> Signature:
    """How a model sees the function.

    Arguments that a `partial` gives by name are not among the parameters.

    Args:
        given: The function, as its author gave it.
        name: The tool's name, for messages.
        context: The type whose parameter is hidden from the model.

    Raises:
        TypeError: a parameter has no type hint, one that pydantic can't take or that isn't defined,
            or can't be passed by name.
    """
    hints = _hints(given, name)
    text = read_docstring(_docstring(given))
    fields: dict[str, Any] = {}
    receiver = None
    resources = {}
    for each, parameter in _parameters(given, name).items():
        if _is_given(given, each):
            continue
        if _takes(hints.get(each), context):
            receiver = each
            continue
        if resource := resource_of(hints.get(each)):
            resources[each] = resource
            continue
        if parameter.kind not in {parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY}:
            raise TypeError(f"tool {name!r}: {str(parameter)!r} can't be passed by name")
        if each not in hints:
            raise TypeError(f"tool {name!r}: parameter {each!r} has no type hint")
        default = ... if parameter.default is parameter.empty else parameter.default
        fields[each] = (hints[each], default)
    model, schema = _model(name, fields)
    _describe(schema, text.parameters)
    return Signature(name, text.description, _untitled(schema), receiver, resources, model)


def _parameters(given: Function, name: str) -> Mapping[str, inspect.Parameter]:
    try:
        return inspect.signature(given).parameters
    except ValueError as error:
        raise TypeError(f"tool {name!r}: {error}") from error


def _takes(hint: object, context: type) -> bool:
    """True for the type itself, and for `… | None`."""
    return hint is context or any(each is context for each in get_args(hint))


def _model(name: str, fields: Mapping[str, tuple[Any, Any]]) -> tuple[type[BaseModel], Any]:
    """The model that converts the arguments, and its JSON Schema.

    Raises:
        TypeError: pydantic can't take a hint or its default; the message names the parameter.
    """
    try:
        return _built(name, fields)
    except Exception as error:  # types may raise anything while pydantic looks at them
        for each, field in fields.items():
            try:
                _built(name, {each: field})
            except Exception as cause:  # as above
                said = (str(cause).splitlines() or [type(cause).__name__])[0].partition(". Set `")[
                    0
                ]
                raise TypeError(f"tool {name!r}: parameter {each!r}: {said}") from cause
        raise TypeError(f"tool {name!r}: {error}") from error


def _built(name: str, fields: Mapping[str, tuple[Any, Any]]) -> tuple[type[BaseModel], Any]:
    prefixed: dict[str, Any] = {
        PREFIX + each: (hint, Field(default, alias=each, title=each))
        for each, (hint, default) in fields.items()
    }
    model = create_model(name, __config__=ConfigDict(extra="forbid"), **prefixed)
    return model, model.model_json_schema()


def _hints(given: Function, name: str) -> dict[str, Any]:
    """The type hints of the parameters.

    Raises:
        TypeError: one names a type that isn't defined where the function is.
    """
    plain = _plain(given)
    owner = plain if _has_hints(plain) else type(plain).__call__
    try:
        return get_type_hints(owner, include_extras=True)
    except (NameError, SyntaxError, AttributeError, TypeError) as error:
        missing = getattr(error, "name", None)
        hints = getattr(inspect.unwrap(owner), "__annotations__", {})
        of = next((each for each, hint in hints.items() if missing and missing in str(hint)), "?")
        raise TypeError(
            f"tool {name!r}: parameter {of!r}: {error}; define the type at the top level of the "
            "module, above the tool"
        ) from error


def _docstring(given: Function) -> str:
    """The docstring of the function itself, not of `partial` or of the class of an object."""
    plain = _plain(given)
    if _has_hints(plain):
        return inspect.getdoc(plain) or ""
    own = type(plain).__call__.__doc__
    return inspect.cleandoc(own) if own else inspect.getdoc(plain) or ""


def _plain(function: Function) -> Function:
    """The function inside of partials."""
    while isinstance(function, functools.partial):
        function = function.func
    return function


def _has_hints(plain: Function) -> bool:
    """True for functions, methods and classes; an object has its hints at its `__call__`."""
    return inspect.isroutine(plain) or inspect.isclass(plain)


def _is_given(function: Function, name: str) -> bool:
    """True if a partial gives this argument by name: it may be a secret, and is not a default."""
    return isinstance(function, functools.partial) and (
        name in function.keywords or _is_given(function.func, name)
    )


def _describe(schema: dict[str, Any], descriptions: Mapping[str, str]) -> None:
    """Add descriptions from the docstring; those of the hints come first."""
    for name, text in descriptions.items():
        if isinstance(of := schema.get("properties", {}).get(name), dict):
            of.setdefault("description", text)


def _untitled(schema: dict[str, Any]) -> dict[str, JsonValue]:
    """Remove all titles, which only repeat names, and defaults that JSON does not have (NaN)."""
    for each in subschemas(schema):
        if isinstance(each, dict):
            each.pop("title", None)
            if isinstance(default := each.get("default"), float) and not isfinite(default):
                del each["default"]
    return schema
