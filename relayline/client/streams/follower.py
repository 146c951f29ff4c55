"""One reader's place in a run's stream, across any number of connections; does no I/O."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import NamedTuple

import httpx

from relayline.client.backoff import Backoff, Retry
from relayline.client.calls import CONNECT_TIMEOUT_S, EVENT_STREAM, path_of
from relayline.client.errors import (
    ApiError,
    ConnectionLost,
    RelaylineError,
    error_of,
    no_answer,
    unexpected,
)
from relayline.client.events import LOST, UNAVAILABLE, Event
from relayline.client.streams.sse import SseFrame, SseParser
from relayline.contracts.events import TERMINAL_TYPES

_CURSOR_AHEAD = "cursor-ahead"
_UNTOLD = "the server does not say why"


class Turn(NamedTuple):
    """A turn of a conversation."""

    command_id: str | None = None
    """The message that begins it; None: the newest one."""


class Reading(NamedTuple):
    """What a stream reads."""

    run_id: str
    after: int
    """Events with a greater `seq` only."""
    silence_s: float
    """After that much silence a connection counts as dead."""
    turn: Turn | None = None
    """Only the events of this turn; None: all to the end of the run."""


class _Lost(ConnectionLost):
    """Events that were given out are not in the journal any more."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the server has lost events: {reason}", reason)


class Follower:
    """Decides what each connection means; the caller connects, reads and sleeps.

    Gives every event once and in order. A connection that ends, fails, goes silent or is answered
    with 5xx is followed by another, which continues after the last event received.

    Where the server says, or its answers show, that it has lost events which were given out, a
    notice `events.lost` says so and everything that stands follows from the start.
    """

    def __init__(
        self,
        base_url: str,
        reading: Reading,
        backoff: Backoff,
        on_retry: Callable[[Retry], None] | None = None,
    ) -> None:
        self.cursor = reading.after
        """`seq` of the newest event given out."""
        self.ended = False
        """True when the newest event ends the run."""
        self.over = False
        """True when nothing more comes."""
        self._base_url = base_url
        self._reading = reading
        self._backoff = backoff
        self._on_retry = on_retry
        self._tried_after_end = False
        self._parser = SseParser()

    def request(self, http: httpx.Client | httpx.AsyncClient) -> httpx.Request:
        """The request of the next connection."""
        headers = {"Accept": EVENT_STREAM}
        if self.cursor:
            headers["Last-Event-ID"] = str(self.cursor)
        timeout = httpx.Timeout(self._reading.silence_s, connect=CONNECT_TIMEOUT_S)
        path = path_of(self._reading.run_id, "events")
        return http.build_request(
            "GET", path, params=self._params, headers=headers, timeout=timeout
        )

    def opened(self, answer: httpx.Response) -> None:
        """Take note of an answer; the body of an error must have been read.

        Raises:
            RelaylineError: no events come; `failed` knows what to do.
        """
        self._parser = SseParser()
        status = answer.status_code
        if status == httpx.codes.NO_CONTENT:
            self.at_end()
        elif status == httpx.codes.OK:
            kind = answer.headers.get("content-type", "")
            if not kind.startswith(EVENT_STREAM):
                raise unexpected(self._base_url, f"with {kind or 'no content type'}")
            self.connected()
        else:
            error = error_of(self._base_url, answer)
            if isinstance(error, ApiError) and error.type == _CURSOR_AHEAD and self._continued:
                raise _Lost(error.reason)
            raise error

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """The events that this chunk completes and that were not given out before.

        A terminal event that others follow (an operator has reset the run) does not end it.

        Raises:
            ConnectionLost: the server says that events are lost.
        """
        for frame in self._parser.feed(chunk):
            yield from self.take(frame)
        self._backoff.retry_ms = self._parser.retry_ms or self._backoff.retry_ms

    def take(self, frame: SseFrame) -> Iterator[Event]:
        """As `feed`, for one frame."""
        if frame.event == LOST:
            raise _Lost(_reason(frame.data))
        if frame.event == UNAVAILABLE:
            yield self._notice(UNAVAILABLE, _reason(frame.data))
        elif self._is_next(frame):
            self._backoff.succeeded()
            event = self._event(frame)
            self.ended, self._tried_after_end = self._ends(event), False
            yield event

    def connected(self) -> None:
        """Take note of a connection that is open."""
        self._backoff.connected()

    def at_end(self) -> None:
        """Take note that the run has ended, and that nothing comes after the cursor.

        Raises:
            ConnectionLost: events that were given out are lost.
        """
        if self._continued and not self.ended:
            raise _Lost("the run has ended before the newest event seen")
        self.ended = True

    def closed(self) -> None:
        """Take note of the end of a connection.

        Raises:
            ConnectionLost: the run has not ended.
        """
        self.over = self.ended
        if not self.over:
            message = f"the API at {self._base_url} closed the stream: try again"
            raise ConnectionLost(message, "the server closed the stream")

    def failed(self, error: httpx.HTTPError | RelaylineError) -> tuple[float, tuple[Event, ...]]:
        """Seconds to wait before the next connection, and a notice to give out before.

        A connection that breaks after a terminal event may have more to send, if an operator has
        reset the run: one more connection is tried.

        Raises:
            RelaylineError: trying again can't help, or has taken longer than patience allows.
        """
        if isinstance(error, _Lost):
            self.cursor, self.ended = self._reading.after, False
            retry = self._backoff.after(error)
            return retry.wait_s, (self._notice(LOST, error.reason),)
        if self.ended:
            self.over = self._tried_after_end or not isinstance(error, httpx.HTTPError)
            self._tried_after_end = True
            return 0 if self.over else self._backoff.retry_ms / 1000, ()
        if isinstance(error, httpx.HTTPError):
            error = no_answer(self._base_url, error)
        retry = self._backoff.after(error)
        if self._on_retry:
            self._on_retry(retry)
        return retry.wait_s, ()

    @property
    def _continued(self) -> bool:
        return self.cursor > self._reading.after

    @property
    def _params(self) -> dict[str, str]:
        turn = self._reading.turn
        if turn is None:
            return {}
        command = {} if turn.command_id is None else {"command": turn.command_id}
        return {"until": "turn"} | command

    def _ends(self, event: Event) -> bool:
        """True for the last event to give out."""
        turn = self._reading.turn
        if turn is None or event.type in TERMINAL_TYPES:
            return event.type in TERMINAL_TYPES
        refused = event.type == "command.refused" and turn.command_id is not None
        return event.type == "turn.completed" or (
            refused and event.data.get("command_id") == turn.command_id
        )

    def _is_next(self, frame: SseFrame) -> bool:
        """Take the cursor to this frame, unless it is no journal event or was given out."""
        seq = frame.id or ""
        if not (seq.isascii() and seq.isdigit()) or int(seq) <= self.cursor:
            return False
        self.cursor = int(seq)
        return True

    def _event(self, frame: SseFrame) -> Event:
        try:
            return Event.model_validate({**json.loads(frame.data), "raw": frame.data})
        except (ValueError, TypeError) as error:
            raise unexpected(
                self._base_url, f"with an event that is none: {frame.event}"
            ) from error

    def _notice(self, kind: str, reason: str) -> Event:
        now = datetime.now(UTC)
        data = {"reason": reason}
        return Event(seq=0, run_id=self._reading.run_id, at=now, type=kind, data=data)


def _reason(data: str) -> str:
    """What the run lacks, or what became of events, as the notice has it."""
    try:
        return str(json.loads(data)["data"]["reason"])
    except (ValueError, TypeError, KeyError):
        return _UNTOLD
