"""What every projection of a run's events can do, and how one reads an event. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Protocol, Self, TypeVar

from pydantic import BaseModel, JsonValue

from relayline.contracts.envelope import Envelope, StoredEvent

Event = Envelope | StoredEvent
Data = Mapping[str, JsonValue]
_Body = TypeVar("_Body", bound=BaseModel)
_P = TypeVar("_P", bound="Projection")
_V = TypeVar("_V", bound="Version")


class Projection(Protocol):
    """A frozen state that is folded from the events of one run, in order of `seq`.

    Guarantees:
        - Folding some events and then the rest equals folding all of them.
        - An event that was folded in, and any older one, changes nothing.
        - An event of an unknown type changes nothing but the cursor.
        - After `run.rewound` the state equals what follows from the events that still count.
    """

    @property
    def seq(self) -> int:
        """The cursor: `apply` ignores events up to here."""

    def apply(self, event: Event, /) -> Self:
        """This with one more event."""


class Version(Protocol):
    """A state that remembers the versions before it, for `run.rewound` to return to."""

    @property
    def seq(self) -> int:
        """The event that made this version."""

    @property
    def before(self) -> Self | None:
        """The version before this one; None for the first."""


def fold(start: _P, events: Iterable[Event]) -> _P:
    """The projection after these events, in order."""
    for event in events:
        start = start.apply(event)
    return start


def as_of(version: _V | None, seq: int) -> _V | None:
    """The newest version that no event after `seq` has made; None if there was none yet."""
    while version is not None and version.seq > seq:
        version = version.before
    return version


def data_of(event: Event) -> Data:
    """The `data` object of the event."""
    if isinstance(event, StoredEvent):
        data: Data = json.loads(event.data)
        return data
    return event.data


def body_of(model: type[_Body], event: Event) -> _Body:
    """The event's body, which is of that type.

    Raises:
        ValidationError: the data does not fit the type.
    """
    if isinstance(event, StoredEvent):
        return model.model_validate_json(event.data)
    return model.model_validate(event.data)
