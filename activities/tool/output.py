"""Checks tool arguments, and converts results and errors to bounded text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from pydantic import JsonValue, ValidationError
from pydantic_core import PydanticSerializationError, to_json

from relayline.activities.arguments import unusable
from relayline.catalog.schema import mismatch
from relayline.catalog.tools import Tool, ToolError
from relayline.contracts.errors import ErrorType
from relayline.contracts.runs import ToolSpec

MAX_OUTPUT_BYTES = 256 * 1024
"""Limit for a result in UTF-8 bytes, including the note about the cut."""
MAX_ERROR_CHARS = 1000


class ToolFailure(Exception):
    """A tool call failed because of the tool or its arguments, not the journal or the worker."""

    def __init__(self, kind: ErrorType, text: str, *, retryable: bool = False) -> None:
        super().__init__(clipped(text))
        self.kind = kind
        self.retryable = retryable


class BadArguments(ToolFailure):
    """The arguments are invalid; the message names the field."""

    def __init__(self, text: str) -> None:
        super().__init__(ErrorType.BAD_ARGUMENTS, text)


class Output(NamedTuple):
    """A result as text."""

    text: str
    truncated: bool


def checked_arguments(
    spec: ToolSpec, tool: Tool, arguments: Mapping[str, JsonValue]
) -> dict[str, Any]:
    """The function's keyword arguments, validated with the pinned schema and the type hints.

    Raises:
        BadArguments: they are invalid, or the call is a question, which never runs.
    """
    if problem := unusable(arguments):
        raise BadArguments(problem)
    if misfit := mismatch(spec.parameters, dict(arguments)):
        raise BadArguments(misfit)
    if spec.asks:
        raise BadArguments("this is not a valid question for a person")
    try:
        return tool.bind(arguments)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise BadArguments(f"{field}: {first['msg']}") from error
    except Exception as error:  # a user's validator may raise anything
        raise BadArguments(f"{type(error).__name__}: {error}") from error


def as_output(result: object) -> Output:
    """Text unchanged, other results as JSON; longer than 256 KiB of UTF-8 is cut, with a note.

    JSON has no `NaN` and no infinity: they become the strings `"NaN"`, `"Infinity"`, `"-Infinity"`.

    Raises:
        ToolError: the result can't be serialised to JSON; a retry can't help.
    """
    if isinstance(result, str):
        data = result.encode("utf-8", "replace")
    else:
        try:
            data = to_json(result, inf_nan_mode="strings")
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
    """The error for the model: a `ToolError`'s message, or type and message of other errors."""
    words = str(error)
    text = words if isinstance(error, ToolError) and words else f"{type(error).__name__}: {words}"
    return clipped(text.removesuffix(": "))


def clipped(text: str) -> str:
    """Valid UTF-8 text of at most `MAX_ERROR_CHARS` characters."""
    clean = utf8(text)
    return clean if len(clean) <= MAX_ERROR_CHARS else clean[: MAX_ERROR_CHARS - 1] + "…"


def utf8(text: str) -> str:
    """The text with lone surrogates, which UTF-8 can't encode, replaced by `?`."""
    return text.encode("utf-8", "replace").decode()
