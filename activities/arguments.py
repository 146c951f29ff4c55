"""Placeholders for tool arguments that are unusable: malformed, cut off or oversize. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from math import isfinite

from pydantic import JsonValue

from relayline.contracts.calls import preview

MAX_ARGUMENTS_BYTES = 256 * 1024
"""Limit for the arguments of one call, as JSON in UTF-8."""
MAX_ALL_ARGUMENTS_BYTES = 1024 * 1024
"""Limit for the arguments of all calls in one answer."""
_SHOWN_CHARS = 200
_MALFORMED = "malformed_json"
_OVERSIZE = "oversize_json"
_CUT_OFF = "cut_off_json"

Arguments = dict[str, JsonValue]


def malformed(text: str) -> Arguments:
    """The placeholder for arguments that are not a JSON object."""
    return {_MALFORMED: text}


def cut_off(text: str) -> Arguments:
    """The placeholder for the arguments of a call that the provider may not have finished."""
    return {_CUT_OFF: text}


def bounded(calls: Iterable[Arguments]) -> list[Arguments]:
    """The arguments of an answer's calls, with `{"oversize_json": beginning}` for large ones.

    A call's arguments are too large if they exceed `MAX_ARGUMENTS_BYTES`, or the rest of
    `MAX_ALL_ARGUMENTS_BYTES`. Arguments with a number that JSON does not have (`1e999` is read as
    infinity) are malformed: stored, it would become null.
    """
    kept: list[Arguments] = []
    room = MAX_ALL_ARGUMENTS_BYTES
    for arguments in calls:
        text = json.dumps(arguments, ensure_ascii=False)
        size = len(text.encode("utf-8", "replace"))
        fits = size <= min(room, MAX_ARGUMENTS_BYTES)
        room -= size if fits else 0
        shown = preview(text, _SHOWN_CHARS)
        if not fits:
            kept.append({_OVERSIZE: shown})
        else:
            kept.append(arguments if finite(arguments) else malformed(shown))
    return kept


def finite(value: JsonValue) -> bool:
    """True without NaN and infinities."""
    match value:
        case float():
            return isfinite(value)
        case list():
            return all(map(finite, value))
        case dict():
            return all(map(finite, value.values()))
        case _:
            return True


def unusable(arguments: Mapping[str, JsonValue]) -> str | None:
    """Why no tool can accept the arguments, whatever its schema; None if one may."""
    match dict(arguments):
        case {"malformed_json": text, **rest} if not rest:
            return f"the arguments are not valid JSON: {text!s:.{_SHOWN_CHARS}}"
        case {"cut_off_json": text, **rest} if not rest:
            began = f"; its arguments began with {text!s:.{_SHOWN_CHARS}}" if text else ""
            return f"the answer was cut off before this call was whole, so it did not run{began}"
        case {"oversize_json": text, **rest} if not rest:
            return (
                f"the arguments are too large: limits are {MAX_ARGUMENTS_BYTES // 1024} KiB for "
                f"a call and {MAX_ALL_ARGUMENTS_BYTES // 1024} KiB for all calls of an answer; "
                f"these began with {text!s:.{_SHOWN_CHARS}}"
            )
        case _:
            return None
