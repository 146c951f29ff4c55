"""Which runs to list: the filters of the protocol, as keyword arguments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TypedDict

from relayline.client.errors import InvalidArgument
from relayline.contracts.runs import RunStatus

Params = dict[str, str | int | float | list[str]]
_METADATA = "metadata"


class RunFilters(TypedDict, total=False):
    """Runs that match all that is given; None is as if it were not."""

    status: RunStatus | str | Sequence[RunStatus | str] | None
    """Any of these."""
    agent: str | None
    model: str | None
    metadata: Mapping[str, str] | None
    """Exactly these values under these keys."""
    q: str | None
    """Words, each of which begins a word of the title, the id or a metadata value."""
    created_after: datetime | str | None
    """At that time, with a time zone, or later."""
    created_before: datetime | str | None
    """Earlier than that time, with a time zone."""
    batch: str | None
    parent: str | None
    """The run that started them."""
    root: str | None
    """The run at the top of their tree."""
    forked_from: str | None
    conversation: bool | None
    """True: submitted with `open`; False: all others."""
    attention: bool | None
    """True: open runs with a known problem; False: all others."""
    open: bool | None
    """True: not ended; False: ended."""


def params_of(filters: RunFilters) -> Params:
    """The query parameters.

    Raises:
        InvalidArgument: a time has no time zone.
    """
    params: Params = {}
    for name, value in filters.items():
        if name == _METADATA and isinstance(value, Mapping):
            params |= {f"{_METADATA}.{key}": str(label) for key, label in value.items()}
        elif value is not None:
            params[name] = _text(name, value)
    return params


def page_params(limit: int, cursor: str | None) -> Params:
    """The query parameters of a page."""
    return {"limit": limit} if cursor is None else {"limit": limit, "cursor": cursor}


def _text(name: str, value: object) -> str | list[str]:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise InvalidArgument(f"{name}: {value.isoformat()} has no time zone")
        return value.isoformat()
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [str(each) for each in value]
    return str(value)
