"""Open Server-Sent Event streams: limits per client, heartbeats, stuck clients, a clean end."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable

from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from relayline.api.auth.bearer import Access, access_of
from relayline.api.errors import TooManyStreams
from relayline.api.runs.admission.quotas import QuotaExceeded, RunQuotas
from relayline.api.serving.connection import CONNECTION
from relayline.api.serving.metrics import Metrics
from relayline.api.streams.access_check import AccessCheck
from relayline.api.streams.open_stream import Opened, OpenStream, Slot, Source
from relayline.contracts.access.quotas import QuotaName

_HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-cache, no-transform",
    "X-Accel-Buffering": "no",
}
_CLOSE_BOUND_S = 1.0


class Streams:
    """All open streams of this process.

    One ticking task serves all of them, so that a sent event needs no timer.
    """

    def __init__(
        self,
        metrics: Metrics,
        quotas: RunQuotas | None = None,
        *,
        per_client: int,
        heartbeat_s: float,
        send_timeout_s: float,
    ) -> None:
        self._metrics = metrics
        self._quotas = quotas
        self._per_client = per_client
        self._heartbeat_s = heartbeat_s
        self._send_timeout_s = send_timeout_s
        self._slots: Counter[str] = Counter()
        self._of_tenants: Counter[str | None] = Counter()
        self._open: set[Opened] = set()
        self._ticker: asyncio.Task[None] | None = None
        self.access_check = AccessCheck(self._open)
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

    async def reserve(self, request: HTTPConnection) -> Slot:
        """Take a slot for this client.

        Raises:
            TooManyStreams: the client's address has as many as allowed.
            QuotaExceeded: its tenant has as many as allowed.
        """
        access = access_of(request.scope)
        tenant = access.principal.tenant if access else None
        if tenant is not None and self._quotas is not None:
            limit = (await self._quotas.of(tenant)).open_streams
            if limit is not None and self._of_tenants[tenant] >= limit:
                raise QuotaExceeded(QuotaName.OPEN_STREAMS, limit)
        client = request.client.host if request.client else ""
        if self._slots[client] >= self._per_client:
            raise TooManyStreams(
                f"{client} has {self._per_client} streams open; close one first",
                limit=self._per_client,
            )
        self._slots[client] += 1
        self._of_tenants[tenant] += 1
        return Slot(self._release, client, access)

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

    def entered(self, stream: Opened) -> None:
        """A stream has started."""
        self._open.add(stream)
        self._none_open.clear()
        self._metrics.streams_open.inc()
        if self._ticker is None:
            self._ticker = asyncio.create_task(self._tick(), name="streams ticker")
        self.access_check.entered(stream)

    def left(self, stream: Opened) -> None:
        """A stream is over."""
        self._open.discard(stream)
        self._metrics.streams_open.dec()
        if not self._open and self._ticker is not None:
            self._none_open.set()
            self._ticker.cancel()
            self._ticker = None
            self.access_check.stop()

    def _release(self, client: str, access: Access | None) -> None:
        tenant = access.principal.tenant if access else None
        self._slots[client] -= 1
        if not self._slots[client]:
            del self._slots[client]
        self._of_tenants[tenant] -= 1
        if not self._of_tenants[tenant]:
            del self._of_tenants[tenant]

    async def _tick(self) -> None:
        period = min(self._heartbeat_s, self._send_timeout_s) / 4
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(period)
            now = loop.time()
            for stream in tuple(self._open):
                stream.check(now, self._heartbeat_s - period, self._send_timeout_s)


class SseResponse(Response):
    """A stream of a source's chunks.

    Where the server can continue an answer without its request (`CONNECTION`), the response is
    through once everything that was there is sent: an open stream then costs no task.
    """

    def __init__(
        self, streams: Streams, source: Source, slot: Slot, headers: dict[str, str] | None
    ) -> None:
        self.status_code = 200
        self.background = None
        self.init_headers({**_HEADERS, **(headers or {})})
        self._streams = streams
        self._source = source
        self._slot = slot

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the stream; releases everything, whatever happens."""
        connection = scope.get("extensions", {}).get(CONNECTION, {})
        stream = OpenStream(self._streams, self._source, self._slot, connection)
        self._streams.entered(stream)
        head = {"status": self.status_code, "headers": self.raw_headers}
        try:
            await send({"type": "http.response.start", **head})
            if detach := connection.get("detach"):
                await stream.begin(detach(stream.leave))
                return
            async with on_disconnect(receive, stream.leave):
                await stream.begin(send)
                await stream.ended()
        except BaseException:
            stream.end()
            raise


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
