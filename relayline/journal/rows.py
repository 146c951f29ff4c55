"""Events as columns, on their way into a journal."""

from __future__ import annotations

from typing import NamedTuple

from pydantic_core import PydanticSerializationError

from relayline.contracts.envelope import NewEvent, storable
from relayline.journal.port import Unstorable


class NewRow(NamedTuple):
    """An event on its way in."""

    type: str
    step: int | None
    attempt: int | None
    key: str | None
    data: str


def new_row(event: NewEvent) -> NewRow:
    """The event as columns.

    Raises:
        Unstorable: as in the port; every journal refuses the same.
    """
    if event.key is not None and not storable(event.key):
        raise Unstorable(f"the key {event.key!r} has a NUL or half of a surrogate pair")
    for number in (event.step, event.attempt):
        if number is not None and not -(2**31) <= number < 2**31:
            raise Unstorable(f"{number} does not fit into 32 bits")
    try:
        data = event.data_json()
    except PydanticSerializationError as error:
        raise Unstorable(f"{event.body.type!r} can't be put into JSON: {error}") from error
    return NewRow(event.body.type, event.step, event.attempt, event.key, data)
