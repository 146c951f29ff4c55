"""Arguments of tool calls that could not be taken as they came: broken JSON, or too much. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from pydantic import JsonValue

from relayline.contracts.calls import preview

MAX_ARGUMENTS_BYTES = 256 * 1024
"""One call's arguments as JSON, UTF-8."""
MAX_ALL_ARGUMENTS_BYTES = 1024 * 1024
"""Those of all calls of one answer."""
_SHOWN_CHARS = 200
_MALFORMED = "malformed_json"
_OVERSIZE = "oversize_json"

Arguments = dict[str, JsonValue]


def malformed(text: str) -> Arguments:
    """What stands for arguments that are no JSON object."""
    return {_MALFORMED: text}


def bounded(calls: Iterable[Arguments]) -> list[Arguments]:
    """The arguments of an answer's calls; `{"oversize_json": beginning}` for what is too large.

    That is a call with more than `MAX_ARGUMENTS_BYTES`, and each one for which
    `MAX_ALL_ARGUMENTS_BYTES` leave no room.
    """
    kept: list[Arguments] = []
    room = MAX_ALL_ARGUMENTS_BYTES
    for arguments in calls:
        text = json.dumps(arguments, ensure_ascii=False)
        size = len(text.encode("utf-8", "replace"))
        fits = size <= min(room, MAX_ARGUMENTS_BYTES)
        room -= size if fits else 0
        kept.append(arguments if fits else {_OVERSIZE: preview(text, _SHOWN_CHARS)})
    return kept


def unusable(arguments: Mapping[str, JsonValue]) -> str | None:
    """Why no tool can take the arguments, whatever its schema; None if one could."""
    match dict(arguments):
        case {"malformed_json": text, **rest} if not rest:
            return f"the arguments are not valid JSON: {text!s:.{_SHOWN_CHARS}}"
        case {"oversize_json": text, **rest} if not rest:
            return (
                f"the arguments are too large: {MAX_ARGUMENTS_BYTES // 1024} KiB for a call and "
                f"{MAX_ALL_ARGUMENTS_BYTES // 1024} KiB for all calls of an answer are the limits; "
                f"these began with {text!s:.{_SHOWN_CHARS}}"
            )
        case _:
            return None
