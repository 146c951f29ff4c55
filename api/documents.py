"""Problem documents as data: for answers that tell of several, and for those who serve no HTTP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import JsonValue

from relayline.api.errors import ApiError, InvalidField


def document(
    status: int, what: tuple[str, str, str], members: Mapping[str, JsonValue]
) -> dict[str, JsonValue]:
    """The members of a problem document; `what`: slug, title, detail."""
    slug, title, detail = what
    return {
        "type": f"urn:relayline:problem:{slug}",
        "title": title,
        "status": status,
        "detail": detail,
        **members,
    }


def document_of(error: ApiError) -> dict[str, JsonValue]:
    """The error's document, for an answer that tells of several."""
    return document(error.status, (error.type, error.title, error.detail), error.members)


def refusal_of(errors: Sequence[Mapping[str, Any]]) -> InvalidField:
    """The error for what pydantic found; each `loc` begins with where it was: body, query."""
    first = errors[0]
    found: list[JsonValue] = [
        {"field": _field(item), "detail": str(item["msg"])} for item in errors[:16]
    ]
    field = _field(first)
    refused = InvalidField(f"{field}: {first['msg']}", field=field, errors=found)
    if "limit" in (context := first.get("ctx", {})):
        refused.members["limit"] = context["limit"]
    return refused


def _field(error: Mapping[str, Any]) -> str:
    """`limits.max_steps` from pydantic's location, whose first part is body, query or header.

    A validator that looks at a whole body names the field itself. What is in brackets is no field:
    it tells in which of several forms a value was read.
    """
    loc = tuple(part for part in error["loc"] if not str(part).startswith("["))
    if loc[0] == "query":  # a parameter may be repeated, which its name does not tell
        loc = tuple(part for part in loc if isinstance(part, str))
    if named := error.get("ctx", {}).get("field"):
        return str(named)
    return ".".join(str(part) for part in loc[1:])[:200] or str(loc[0])
