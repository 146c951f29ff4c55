"""New events as columns of a journal, whose they are, and its clock."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from pydantic_core import PydanticSerializationError

from relayline.contracts.envelope import NewEvent, storable
from relayline.contracts.runs import DEFAULT_TENANT
from relayline.journal.port import Unstorable


def now_us() -> int:
    """The time as journals store it: microseconds since 1970, UTC."""
    return time.time_ns() // 1000


def tenant_told(data: Mapping[str, Any]) -> str:
    """The tenant that the data of `run.queued` tell, or, of older runs, those of `run.started`."""
    told: str | None = data.get("tenant") or (data.get("metadata") or {}).get("tenant")
    return told or DEFAULT_TENANT


class NewRow(NamedTuple):
    """A new event as columns."""

    type: str
    step: int | None
    attempt: int | None
    key: str | None
    data: str


def new_row(event: NewEvent) -> NewRow:
    """Convert the event to columns.

    Raises:
        Unstorable: as in the port; all adapters refuse the same events.
    """
    if event.key is not None and not storable(event.key):
        raise Unstorable(f"the key {event.key!r} has a NUL or a lone surrogate")
    for number in (event.step, event.attempt):
        if number is not None and not -(2**31) <= number < 2**31:
            raise Unstorable(f"{number} does not fit into 32 bits")
    try:
        data = event.data_json()
    except PydanticSerializationError as error:
        raise Unstorable(f"{event.body.type!r} can't be serialised to JSON: {error}") from error
    return NewRow(event.body.type, event.step, event.attempt, event.key, data)
