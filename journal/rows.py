"""Events as columns, on their way into a journal."""

from __future__ import annotations

from typing import NamedTuple

from contracts.envelope import NewEvent


class NewRow(NamedTuple):
    """An event on its way in."""

    type: str
    step: int | None
    attempt: int | None
    key: str | None
    data: str


def new_row(event: NewEvent) -> NewRow:
    """The event as columns."""
    return NewRow(event.body.type, event.step, event.attempt, event.key, event.data_json())
