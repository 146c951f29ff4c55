"""Events as a client sees them: the envelope, with a typed body."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

from relayline.contracts.envelope import Envelope
from relayline.contracts.events import EventBody
from relayline.contracts.frozen import Frozen

LOST = "events.lost"
UNAVAILABLE = "worker.unavailable"


class WorkerUnavailable(Frozen):
    """Notice: no worker takes what the run needs next; the stream stays open."""

    type: Literal["worker.unavailable"] = "worker.unavailable"
    reason: str = "the server does not say why"


class EventsLost(Frozen):
    """Notice: the server has lost events that it had sent; what stands follows from the start."""

    type: Literal["events.lost"] = "events.lost"
    reason: str = "the server does not say why"


AnyBody = EventBody | WorkerUnavailable | EventsLost
_BODY: TypeAdapter[AnyBody] = TypeAdapter(Annotated[AnyBody, Field(discriminator="type")])


class Event(Envelope):
    """One event of a run, or a notice, whose `seq` is 0: it is in no journal.

    `data` is the body as JSON, whatever the type; `body` is the same, typed.
    """

    raw: str = Field(default="", exclude=True, repr=False)
    """The envelope as the stream had it, JSON; empty for an event from a page."""

    @property
    def is_notice(self) -> bool:
        """True for what is in no journal: `worker.unavailable` and `events.lost`."""
        return self.seq == 0

    @cached_property
    def body(self) -> AnyBody | None:
        """The typed body; None for a type, or a form of it, that this version does not know."""
        try:
            return _BODY.validate_python({**self.data, "type": self.type})
        except ValidationError:
            return None
