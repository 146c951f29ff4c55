"""Checks tool arguments, and converts results and errors to bounded text."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from pydantic import JsonValue, ValidationError
from pydantic_core import PydanticSerializationError, to_json

from relayline.activities.arguments import unusable
from relayline.activities.files.tool_images import Picture, apart
from relayline.activities.tool.mcp.port import McpFailure
from relayline.catalog.foreign import described, leaves, words
from relayline.catalog.schemas.schema import mismatch
from relayline.catalog.tools import Tool, ToolError
from relayline.contracts.errors import ErrorType
from relayline.contracts.runs import ToolSpec

MAX_OUTPUT_BYTES = 256 * 1024
"""Limit for a result in UTF-8 bytes, including the note about the cut."""
MAX_ERROR_CHARS = 1000


Clean = Callable[[str], str]
"""Cuts secrets out of a text."""


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
    pictures: tuple[Picture, ...] = ()


Ending = Output | ToolFailure
"""How a tool's function ended; it holds nothing that the function made."""


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
    except BaseException as error:  # noqa: BLE001  a user's validator may raise anything
        raise BadArguments(_misfit(error)) from None  # nothing that is not ours goes further


def _misfit(error: BaseException) -> str:
    """What a tool's own types say about its arguments: the field and the reason."""
    if not isinstance(error, ValidationError):
        return described(error)
    try:
        first = error.errors(include_url=False, include_input=False)[0]
    except BaseException as unsaid:  # noqa: BLE001  it asks the user's exception for its words
        return described(unsaid)
    field = ".".join(str(part) for part in first["loc"])
    return f"{field}: {first['msg']}"


def as_output(result: object, clean: Clean = str) -> Output:
    """Text unchanged, other results as JSON; longer than 256 KiB of UTF-8 is cut, with a note.

    JSON has no `NaN` and no infinity: they become the strings `"NaN"`, `"Infinity"`, `"-Infinity"`.

    Args:
        result: What the tool returned.
        clean: Cuts secrets out, before the text is cut.

    Raises:
        ToolError: the result can't be serialised to JSON, or its pictures can't be taken; a retry
            can't help.
    """
    pictures, result = apart(result)
    if isinstance(result, str):
        data = result.encode("utf-8", "replace")
    else:
        try:
            data = _json(result)
        except (PydanticSerializationError, ValueError, RecursionError) as error:
            raise ToolError(
                f"the tool returned a {type(result).__name__} that does not serialise to JSON: "
                f"{words(error)}",
                retryable=False,
            ) from error
    data = clean(data.decode()).encode()
    if len(data) <= MAX_OUTPUT_BYTES:
        return Output(data.decode(), truncated=False, pictures=pictures)
    note = f"\n[output cut: it was {len(data)} bytes long, this is the beginning]"
    head = data[: MAX_OUTPUT_BYTES - len(note)].decode("utf-8", "ignore")
    return Output(head + note, truncated=True, pictures=pictures)


def _json(result: object) -> bytes:
    """The result as JSON; lone surrogates, such as file names have, become `?`, as in text."""
    try:
        return to_json(result, inf_nan_mode="strings")
    except PydanticSerializationError as error:
        if "surrogates not allowed" not in str(error):
            raise
    return to_json(_mended(result), inf_nan_mode="strings")


def _mended(value: object) -> object:
    match value:
        case str():
            return utf8(value)
        case dict():
            return {_mended(name): _mended(of) for name, of in value.items()}
        case list() | tuple():
            return [_mended(each) for each in value]
        case _:
            return value


def failure_of(error: BaseException, clean: Clean = str) -> ToolFailure:
    """The failure of a tool that raised this, which keeps nothing of the exception but text.

    A group is told by its leaves. A retry can't help if one of them says so, or if the tool tried
    to end the process.
    """
    if issubclass(type(error), asyncio.CancelledError):
        return ToolFailure(ErrorType.TOOL_FAILED, "the tool cancelled itself", retryable=True)
    raised = leaves(error)
    for leaf in raised:
        if issubclass(type(leaf), SystemExit):
            text = f"the tool tried to end the process: exit({words(leaf)})"
            return ToolFailure(ErrorType.TOOL_FAILED, clean(text))
    retryable = all(map(_retryable, raised))
    kinds = (leaf.kind for leaf in raised if isinstance(leaf, McpFailure))
    kind = next(kinds, ErrorType.TOOL_FAILED)
    return ToolFailure(kind, clean(described(error)), retryable=retryable)


def _retryable(error: BaseException) -> bool:
    """False if the error says that a retry can't help."""
    try:
        return bool(getattr(error, "retryable", True)) or not isinstance(error, ToolError)
    except BaseException:  # noqa: BLE001  a property of the user's
        return True


def clipped(text: str) -> str:
    """Valid UTF-8 text of at most `MAX_ERROR_CHARS` characters."""
    clean = utf8(text)
    return clean if len(clean) <= MAX_ERROR_CHARS else clean[: MAX_ERROR_CHARS - 1] + "…"


def utf8(text: str) -> str:
    """The text with lone surrogates, which UTF-8 can't encode, replaced by `?`."""
    return text.encode("utf-8", "replace").decode()
