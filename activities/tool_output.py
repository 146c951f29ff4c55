"""Tool arguments checked before a tool runs, its result and its errors as bounded text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError as SchemaMismatch
from pydantic import JsonValue, ValidationError
from pydantic_core import PydanticSerializationError, to_json
from referencing import Registry

from catalog.tools import Tool, ToolError
from contracts.errors import ErrorType
from contracts.runs import ToolSpec

MAX_OUTPUT_BYTES = 256 * 1024
"""UTF-8 bytes of a result, the note about the cut included."""
MAX_ERROR_CHARS = 1000
_MALFORMED = "malformed_json"
_NOWHERE: Registry[Any] = Registry()
"""Resolves no reference outside the schema: nothing is ever fetched."""


class ToolFailure(Exception):
    """A tool call failed by its own fault; what the journal or the worker did is none of it."""

    def __init__(self, kind: ErrorType, text: str, *, retryable: bool = False) -> None:
        super().__init__(clipped(text))
        self.kind = kind
        self.retryable = retryable


class BadArguments(ToolFailure):
    """The arguments do not fit; the message names the field."""

    def __init__(self, text: str) -> None:
        super().__init__(ErrorType.BAD_ARGUMENTS, text)


class Output(NamedTuple):
    """A result as text."""

    text: str
    truncated: bool


def checked_arguments(
    spec: ToolSpec, tool: Tool, arguments: Mapping[str, JsonValue]
) -> dict[str, Any]:
    """The function's keyword arguments, checked against the pinned schema and the hints.

    Raises:
        BadArguments: they do not fit.
    """
    if set(arguments) == {_MALFORMED}:
        raise BadArguments(f"the arguments are not valid JSON: {arguments[_MALFORMED]!s:.200}")
    validator = Draft202012Validator(spec.parameters, registry=_NOWHERE)
    mismatches = sorted(validator.iter_errors(dict(arguments)), key=lambda each: each.json_path)
    if mismatches:
        raise BadArguments("; ".join(_mismatch(each) for each in mismatches[:3]))
    try:
        return tool.bind(arguments)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(part) for part in problem["loc"])
        raise BadArguments(f"{field}: {problem['msg']}") from error
    except Exception as error:  # a validator of the user's own may raise anything
        raise BadArguments(f"{type(error).__name__}: {error}") from error


def _mismatch(error: SchemaMismatch) -> str:
    """`city: 5 is not of type 'string'`."""
    field = error.json_path.removeprefix("$").removeprefix(".")
    message = error.message if len(error.message) <= 200 else f"…{error.message[-199:]}"
    return f"{field}: {message}" if field else message


def as_output(result: object) -> Output:
    """Text as it is, anything else as JSON; cut to 256 KiB of UTF-8, which its tail says.

    Raises:
        ToolError: the result does not serialise to JSON; a retry can't help.
    """
    if isinstance(result, str):
        data = result.encode("utf-8", "replace")
    else:
        try:
            data = to_json(result)
        except (PydanticSerializationError, ValueError, RecursionError) as error:
            raise ToolError(
                f"the tool returned a {type(result).__name__} that does not serialise to JSON: "
                f"{error}",
                retryable=False,
            ) from error
    if len(data) <= MAX_OUTPUT_BYTES:
        return Output(data.decode(), truncated=False)
    note = f"\n[output cut: it was {len(data)} bytes long, this is the beginning]"
    head = data[: MAX_OUTPUT_BYTES - len(note)].decode("utf-8", "ignore")
    return Output(head + note, truncated=True)


def error_text(error: BaseException) -> str:
    """What the model is told: a `ToolError` in its own words, others with their type's name."""
    words = str(error)
    text = words if isinstance(error, ToolError) and words else f"{type(error).__name__}: {words}"
    return clipped(text.removesuffix(": "))


def clipped(text: str) -> str:
    """At most 1,000 characters that UTF-8 can say."""
    clean = utf8(text)
    return clean if len(clean) <= MAX_ERROR_CHARS else clean[: MAX_ERROR_CHARS - 1] + "…"


def utf8(text: str) -> str:
    """The text with what UTF-8 can't say (lone surrogates) replaced by `?`."""
    return text.encode("utf-8", "replace").decode()
