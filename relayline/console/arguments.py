"""Values of the command line, parsed into fields of requests."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from pydantic import JsonValue, TypeAdapter, ValidationError
from pydantic_core import from_json

from relayline.contracts.queues import BUILD_ID_PATTERN
from relayline.contracts.runs import Limits, ModelSettings

if TYPE_CHECKING:
    from relayline.client import AsyncClient
    from relayline.client.files.saying import Said

STDIN = "-"
_OBJECT: TypeAdapter[dict[str, JsonValue]] = TypeAdapter(dict[str, JsonValue])


def input_text(given: str) -> str:
    """The input as given, or from stdin for `-`.

    Raises:
        BadParameter: it is empty or not UTF-8.
    """
    try:
        text = sys.stdin.buffer.read().decode() if given == STDIN else given
        text.encode()
    except UnicodeError as error:
        raise typer.BadParameter("the input is not UTF-8: convert it") from error
    if not text:
        raise typer.BadParameter("the input is empty: say what the agent must do")
    return text


def metadata_of(pairs: Sequence[str]) -> dict[str, str]:
    """Metadata from `KEY=VALUE` pairs.

    Raises:
        BadParameter: a pair has another form.
    """
    return dict(_split("--metadata", pairs))


def limits_of(pairs: Sequence[str]) -> dict[str, JsonValue]:
    """Limits from `KEY=NUMBER` pairs; the server checks the ranges.

    Raises:
        BadParameter: a pair has another form, or names an unknown limit.
    """
    return {key: _number(key, value) for key, value in _split("--limits", pairs)}


def settings_of(pairs: Sequence[str]) -> dict[str, JsonValue]:
    """Model settings from `KEY=VALUE` pairs, whose values are JSON or else text.

    Raises:
        BadParameter: a pair has another form, or names an unknown setting.
    """
    return {key: _setting(key, value) for key, value in _split("--settings", pairs)}


def schema_in(path: Path) -> dict[str, JsonValue]:
    """The JSON Schema in a file; the server checks it.

    Raises:
        BadParameter: it can't be read, or is no JSON object.
    """
    try:
        return arguments_of(path.read_text())
    except (OSError, ValueError) as error:
        raise typer.BadParameter(f"--schema {path}: {error}") from error


async def with_files(client: AsyncClient, text: str, files: Sequence[Path] | None) -> Said:
    """The text, if it is not empty, with these files behind it, which are uploaded."""
    from relayline.client.files.saying import part_of  # noqa: PLC0415  most commands have no files

    uploaded = [await client.files.upload(path) for path in files or ()]
    return [*filter(None, (text,)), *map(part_of, uploaded)] if uploaded else text


def build_id_of(text: str) -> str:
    """The id of a build, as given.

    Raises:
        BadParameter: no worker can have such an id.
    """
    if not re.fullmatch(BUILD_ID_PATTERN, text):
        raise typer.BadParameter(
            f"{text[:200]!r} is not a build id: use 1 to 128 letters, digits, '.', '_' and '-'"
        )
    return text


def approved_arguments(text: str) -> dict[str, JsonValue]:
    """Arguments of a tool call, from a JSON object.

    Raises:
        BadParameter: the text is not a JSON object.
    """
    try:
        return arguments_of(text)
    except ValueError as error:
        raise typer.BadParameter(f"--arguments: {error}") from error


def arguments_of(text: str) -> dict[str, JsonValue]:
    """The JSON object in the text.

    Raises:
        ValueError: the text is not a JSON object; the message says what to write.
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


def _setting(key: str, value: str) -> JsonValue:
    known = ModelSettings.model_fields
    if key not in known:
        raise typer.BadParameter(f"--settings {key!r}: use one of {', '.join(known)}")
    try:
        setting: JsonValue = from_json(value, allow_inf_nan=False)
    except ValueError:
        return value
    return setting


def _number(key: str, value: str) -> float:
    if key not in Limits.model_fields:
        raise typer.BadParameter(f"--limits {key!r}: use one of {', '.join(Limits.model_fields)}")
    try:
        number = json.loads(value)
    except ValueError:
        number = None
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise typer.BadParameter(f"--limits {key}={value}: {value!r} is not a number")
    return number
