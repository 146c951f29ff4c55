"""What is given on the command line, turned into what requests carry."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Sequence

import typer
from pydantic import JsonValue, TypeAdapter, ValidationError

from relayline.contracts.queues import BUILD_ID_PATTERN
from relayline.contracts.runs import Limits

STDIN = "-"
_OBJECT: TypeAdapter[dict[str, JsonValue]] = TypeAdapter(dict[str, JsonValue])


def input_text(given: str) -> str:
    """The input: as given, or from stdin for `-`.

    Raises:
        BadParameter: it is empty or not UTF-8.
    """
    try:
        text = sys.stdin.buffer.read().decode() if given == STDIN else given
        text.encode()
    except UnicodeError as error:
        raise typer.BadParameter("the input is not UTF-8") from error
    if not text:
        raise typer.BadParameter("the input is empty: say what the agent is to do")
    return text


def metadata_of(pairs: Sequence[str]) -> dict[str, str]:
    """From `KEY=VALUE` each.

    Raises:
        BadParameter: one is not of that form.
    """
    return dict(_split("--metadata", pairs))


def limits_of(pairs: Sequence[str]) -> dict[str, JsonValue]:
    """From `KEY=NUMBER` each; the server checks the ranges.

    Raises:
        BadParameter: one is not of that form, or names no limit.
    """
    return {key: _number(key, value) for key, value in _split("--limits", pairs)}


def build_id_of(text: str) -> str:
    """The id of a build that a worker could have.

    Raises:
        BadParameter: none could.
    """
    if not re.fullmatch(BUILD_ID_PATTERN, text):
        raise typer.BadParameter(
            f"{text[:200]!r} is no RELAYLINE_BUILD_ID: 1 to 128 letters, digits, '.', '_' and '-'"
        )
    return text


def approved_arguments(text: str) -> dict[str, JsonValue]:
    """Of a tool call, from a JSON object.

    Raises:
        BadParameter: it is none.
    """
    try:
        return arguments_of(text)
    except ValueError as error:
        raise typer.BadParameter(f"--arguments: {error}") from error


def arguments_of(text: str) -> dict[str, JsonValue]:
    """The JSON object that the text is.

    Raises:
        ValueError: it is none; the message says what is wrong.
    """
    try:
        return _OBJECT.validate_json(text)
    except ValidationError as error:
        what = error.errors(include_url=False)[0]["msg"]
        raise ValueError(f'write {{"name": value, …}} ({what})') from error


def _split(option: str, pairs: Sequence[str]) -> Iterator[tuple[str, str]]:
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not (key and equals):
            raise typer.BadParameter(f"{option} {pair!r}: write KEY=VALUE")
        yield key, value


def _number(key: str, value: str) -> float:
    if key not in Limits.model_fields:
        raise typer.BadParameter(f"--limits {key!r}: there are {', '.join(Limits.model_fields)}")
    try:
        number = json.loads(value)
    except ValueError:
        number = None
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise typer.BadParameter(f"--limits {key}={value}: {value!r} is no number")
    return number
