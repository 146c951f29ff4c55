"""Open Server-Sent Event streams: limits per client, heartbeats, stuck clients, a clean end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Protocol

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from relayline.api.errors import TooManyStreams
from relayline.api.serving.connection import CONNECTION
from relayline.api.serving.metrics import Metrics
from relayline.api.streams.subscriber import Subscriber

RETRY = b"retry: 1000\n\n"
HEARTBEAT = b": \n\n"
_HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-cache, no-transform",
    "X-Accel-Buffering": "no",
}
_CLOSE_BOUND_S = 1.0
_log = logging.getLogger(__name__)


class Source(Protocol):
    """The source of a stream's bytes."""

    async def next_chunk(self) -> bytes | None:
        """The frames that are ready, whole; empty when there are none, None at the end."""
        ...

    async def sleep(self) -> None:
        """Return when there may be a new chunk."""
        ...

    def wake(self) -> None:
        """End the sleep."""
        ...

    def push_to(self, write: Callable[[bytes], bool]) -> bool:
        """As in `Subscriber`."""
        ...

    def leave(self) -> None:
        """The stream is over; release its resources."""
        ...


class Slot:
    """The right to hold one stream open; released once."""

    def __init__(self, release: Callable[[], None]) -> None:
        self._release: Callable[[], None] | None = release

    def release(self) -> None:
        """Release it; safe to call twice."""
        if self._release is not None:
            self._release()
            self._release = None


class Streams:
    """All open streams of this process.

    One ticking task serves all of them, so that a sent event needs no timer.
    """

    def __init__(
        self, metrics: Metrics, *, per_client: int, heartbeat_s: float, send_timeout_s: float
    ) -> None:
        self._metrics = metrics
        self._per_client = per_client
        self._heartbeat_s = heartbeat_s
        self._send_timeout_s = send_timeout_s
        self._slots: Counter[str] = Counter()
        self._open: set[SseResponse] = set()
        self._ticker: asyncio.Task[None] | None = None
        self._none_open = asyncio.Event()
        self._none_open.set()
        self.closing = False

    @property
    def open_count(self) -> int:
        """Streams that are open."""
        return len(self._open)

    @property
    def slots_taken(self) -> int:
        """Slots in use, of all clients together."""
        return self._slots.total()

    def reserve(self, request: Request) -> Slot:
        """Take a slot for this client.

        Raises:
            TooManyStreams: the client's address has as many as allowed.
        """
        client = request.client.host if request.client else ""
        if self._slots[client] >= self._per_client:
            raise TooManyStreams(
                f"{client} has {self._per_client} streams open; close one first",
                limit=self._per_client,
            )
        self._slots[client] += 1
        return Slot(lambda: self._release(client))

    def respond(
        self, source: Source, slot: Slot, headers: dict[str, str] | None = None
    ) -> SseResponse:
        """The response that sends `source`; it owns source and slot from now on."""
        return SseResponse(self, source, slot, headers)

    async def close(self) -> None:
        """End every stream with a jittered `retry`; drop those that don't read it.

        Returns within about a second; streams opened later end at once.
        """
        self.closing = True
        for stream in tuple(self._open):
            stream.source.wake()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_BOUND_S):
                await self._none_open.wait()
        for stream in tuple(self._open):
            stream.abort()

    def entered(self, stream: SseResponse) -> None:
        """A stream has started."""
        self._open.add(stream)
        self._none_open.clear()
        self._metrics.streams_open.inc()
        if self._ticker is None:
            self._ticker = asyncio.create_task(self._tick(), name="streams ticker")

    def left(self, stream: SseResponse) -> None:
        """A stream is over."""
        self._open.discard(stream)
        self._metrics.streams_open.dec()
        if not self._open and self._ticker is not None:
            self._none_open.set()
            self._ticker.cancel()
            self._ticker = None

    def _release(self, client: str) -> None:
        self._slots[client] -= 1
        if not self._slots[client]:
            del self._slots[client]

    async def _tick(self) -> None:
        period = min(self._heartbeat_s, self._send_timeout_s) / 4
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(period)
            now = loop.time()
            for stream in tuple(self._open):
                stream.check(now, self._heartbeat_s - period, self._send_timeout_s)


class SseResponse(Response):
    """Sends a source's chunks until it ends, the client disconnects, or the server stops."""

    def __init__(
        self, streams: Streams, source: Source, slot: Slot, headers: dict[str, str] | None
    ) -> None:
        self.status_code = 200
        self.background = None
        self.init_headers({**_HEADERS, **(headers or {})})
        self.source = source
        self._streams = streams
        self._slot = slot
        self._gone = False
        self._beat = self._idle = False
        self._sent_at = 0.0
        self._sending = False
        self._abort: Callable[[], None] | None = None
        self._queued: Callable[[], int] = lambda: 0
        self._write: Callable[[bytes], bool] = lambda _: False
        self._left = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the whole stream; releases everything, whatever happens."""
        connection = scope.get("extensions", {}).get(CONNECTION, {})
        self._abort = connection.get("abort")
        self._queued = connection.get("queued", self._queued)
        self._write = connection.get("write", self._write)
        if isinstance(self.source, Subscriber):
            self.source.pusher = self._push
        self._streams.entered(self)
        try:
            async with on_disconnect(receive, self._leave):
                await self._pump(send)
        finally:
            self.source.leave()
            self._slot.release()
            self._streams.left(self)

    def check(self, now: float, silent_s: float, stuck_s: float) -> None:
        """Send a heartbeat after `silent_s` of silence; drop it if unread for `stuck_s`.

        A slow send proves nothing: one large event may take a slow reader minutes.
        """
        if not self._sending:
            if now - self._sent_at >= silent_s:
                self._beat = True
                self.source.wake()
        elif (left := self._queued()) < self._left:
            self._left, self._sent_at = left, now
        elif now - self._sent_at >= stuck_s:
            _log.info("client does not read: stream dropped")
            self.abort()

    def abort(self) -> None:
        """Drop the connection; the client resumes from its cursor."""
        if self._abort is not None:
            self._abort()
        self._leave()

    def _leave(self) -> None:
        self._gone = True
        self.source.wake()

    async def _pump(self, send: Send) -> None:
        source = self.source
        self._sent_at = asyncio.get_running_loop().time()
        await send(
            {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        )
        await self._send(send, RETRY)
        while not (self._gone or self._streams.closing):
            chunk = await source.next_chunk()
            if chunk is None:
                break
            if chunk:
                await self._send(send, chunk)
                continue
            self._idle = True
            await source.sleep()
            self._idle = False
            if self._beat:
                await self._send(send, HEARTBEAT)
        if self._streams.closing:
            await self._send(send, b"retry: %d\n\n" % random.randint(200, 2000))  # noqa: S311
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    def _push(self) -> bool:
        """Send what is new at once, unless there is more to do: that is the task's work."""
        if not self._idle or self._gone or self._beat or self._streams.closing:
            return False
        if not self.source.push_to(self._write):
            return False
        self._sent_at = asyncio.get_running_loop().time()
        return True

    async def _send(self, send: Send, chunk: bytes) -> None:
        """Send and note the time; the ticker checks it, and the bytes that are left."""
        loop = asyncio.get_running_loop()
        self._sent_at = loop.time()
        self._left = self._queued() + len(chunk)
        self._beat = False
        self._sending = True
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
        self._sending = False


@contextlib.asynccontextmanager
async def on_disconnect(receive: Receive, leave: Callable[[], None]) -> AsyncIterator[None]:
    """Within the block, calls `leave` as soon as the client disconnects."""

    async def listen() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        leave()

    listener = asyncio.create_task(listen())
    try:
        yield
    finally:
        listener.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await listener
