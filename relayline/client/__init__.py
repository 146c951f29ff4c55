"""The client library: `Client` and `AsyncClient`, the runs, streams and errors that they give."""

from relayline.client.backoff import Retry
from relayline.client.calls import RunFields
from relayline.client.client import AsyncClient, Client
from relayline.client.errors import (
    ApiError,
    Conflict,
    ConnectionLost,
    Denied,
    Expired,
    InvalidArgument,
    InvalidRequest,
    NotCompleted,
    NotFound,
    RateLimited,
    RelaylineError,
    Unavailable,
    UnexpectedAnswer,
    Unreachable,
    WaitTimeout,
)
from relayline.client.events import Event, EventsLost, WorkerUnavailable
from relayline.client.files.saying import file_part, image_part, text_part
from relayline.client.listing import RunFilters
from relayline.client.run import AsyncRun, Run
from relayline.client.streams.conversation import AsyncConversation, Conversation
from relayline.client.streams.stream import AsyncStream, Stream
from relayline.client.streams.text import TextPiece

__all__ = [
    "ApiError",
    "AsyncClient",
    "AsyncConversation",
    "AsyncRun",
    "AsyncStream",
    "Client",
    "Conflict",
    "ConnectionLost",
    "Conversation",
    "Denied",
    "Event",
    "EventsLost",
    "Expired",
    "InvalidArgument",
    "InvalidRequest",
    "NotCompleted",
    "NotFound",
    "RateLimited",
    "RelaylineError",
    "Retry",
    "Run",
    "RunFields",
    "RunFilters",
    "Stream",
    "TextPiece",
    "Unavailable",
    "UnexpectedAnswer",
    "Unreachable",
    "WaitTimeout",
    "WorkerUnavailable",
    "file_part",
    "image_part",
    "text_part",
]
