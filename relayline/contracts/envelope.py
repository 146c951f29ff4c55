"""Events around their bodies: new, as the journal stores them, and as clients see them."""

from __future__ import annotations

import json
import operator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from pydantic import Field, JsonValue, TypeAdapter
from pydantic_core import to_json

from relayline.contracts.events import TERMINAL_TYPES, EventBody, MessageDelta, ReasoningDelta
from relayline.contracts.events.servers import HIDDEN
from relayline.contracts.frozen import Frozen

_BODY: TypeAdapter[EventBody] = TypeAdapter(EventBody)
_DELTAS = (MessageDelta, ReasoningDelta)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class NewEvent(Frozen):
    """An event that has no `seq` yet."""

    body: EventBody
    step: int | None = None
    attempt: int | None = None
    key: str | None = None
    """Unique per run. Facts have a key; deltas and progress have none."""
    proof: str = Field(default="", exclude_if=operator.not_)
    """What proves who sent the command that the fact tells of; not stored."""
    source: str = Field(default="", exclude_if=operator.not_)
    """Key of the fact that has the rest of its content; not stored."""

    def data_json(self) -> str:
        """The `data` object of the envelope as JSON text; absent optional fields are left out."""
        return body_json(self.body)


def storable(text: str) -> bool:
    """True when every journal can store it as a key: no NUL, no lone surrogate."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text


class Outbox(Frozen):
    """Decisions of the workflow that no activity has confirmed yet."""

    facts: tuple[NewEvent, ...] = ()
    """Facts to append first, in this order; each has a key."""
    seals: tuple[str, ...] = ()
    """Fence scopes to close: no attempt may write under them any more."""


class StoredEvent(NamedTuple):
    """An event in the journal; `data` stays JSON text, so that forwarding it needs no parsing."""

    run_id: str
    seq: int
    at_us: int
    """Time of the append, in microseconds since 1970, UTC."""
    type: str
    step: int | None
    attempt: int | None
    key: str | None
    data: str

    @property
    def ends_run(self) -> bool:
        """True for the terminal fact."""
        return self.type in TERMINAL_TYPES

    def body(self) -> EventBody:
        """The typed body.

        Raises:
            ValidationError: this version does not know the type.
        """
        return _BODY.validate_python({**json.loads(self.data), "type": self.type})

    def envelope_json(self) -> str:
        """The envelope as JSON text: `{seq, run_id, at, type, step?, attempt?, data}`.

        Clients get it: what is only for workers is left out.
        """
        data = _shown(self.type, self.data) if self.type in HIDDEN else self.data
        step = "" if self.step is None else f',"step":{self.step}'
        attempt = "" if self.attempt is None else f',"attempt":{self.attempt}'
        return (
            f'{{"seq":{self.seq},"run_id":"{self.run_id}","at":"{rfc3339(self.at_us)}",'
            f'"type":"{self.type}"{step}{attempt},"data":{data}}}'
        )


class Envelope(Frozen):
    """An event as clients see it."""

    seq: int
    """1, 2, 3, … within the run; serves as the cursor."""
    run_id: str
    at: datetime
    type: str
    step: int | None = None
    attempt: int | None = None
    data: dict[str, JsonValue]


def body_json(body: EventBody) -> str:
    """The body without its type, as JSON text; absent optional fields are left out."""
    if isinstance(body, _DELTAS):  # most events are, and this is quicker
        return to_json({"text": body.text}).decode()
    absent = {name for name, value in body if value is None}
    return body.model_dump_json(exclude={"type", *absent}, by_alias=True)


def _shown(kind: str, data: str) -> str:
    """The `data` of an event, as clients see it."""
    whole: dict[str, JsonValue] = json.loads(data)
    shown = {name: value for name, value in whole.items() if name not in HIDDEN[kind]}
    return json.dumps(shown, ensure_ascii=False, separators=(",", ":"))


def rfc3339(at_us: int) -> str:
    """RFC 3339 text in UTC with microseconds and `Z`, from microseconds since 1970."""
    seconds, part = divmod(at_us, 1_000_000)
    return f"{_second(seconds)}.{part:06d}Z"


@lru_cache(maxsize=1024)
def _second(since_1970: int) -> str:
    """The time without its fraction; events come many in a second."""
    return moment(since_1970 * 1_000_000).isoformat()[:-6]


def moment(at_us: int) -> datetime:
    """The time in UTC, from microseconds since 1970."""
    return _EPOCH + timedelta(microseconds=at_us)


def microseconds(moment: datetime) -> int:
    """Microseconds since 1970, from a time with a time zone."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


class EventPage(Frozen):
    """One page of a journal, as clients see it."""

    events: tuple[Envelope, ...]
    next: int
    """Cursor of the next page: pass it as `after`."""
    previous: int | None = None
    """Pass it as `before` to get the page before this one; null when nothing is before it."""
    ended: bool
    """True when the run has ended and this page is the last."""
