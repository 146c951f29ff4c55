"""The ASGI extension through which a response writes to, outlives and drops its own connection."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from relayline.api.serving.closed import CLOSED, perhaps_late

CONNECTION = "relayline.connection"
"""Name of the extension. Its functions: `abort` drops the connection and everything queued for it,
`queued` returns the number of bytes queued, `write` sends a piece of a body at once, or returns
False if that would have to wait. `detach` is there where an answer can continue after the
application has returned: call it once the head is sent, with a function to call when the client
has gone; the rest of the answer goes to the `send` that it returns."""


class Detachable:
    """The application, for one request whose answer may be detached from it."""

    def __init__(self, app: ASGIApp, cycle: RequestResponseCycle) -> None:
        self._app = app
        self._cycle = cycle
        self._over: asyncio.Future[None] | None = None
        self._lost: Callable[[], None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer; a detached answer until its end, without what the request has left in memory."""
        await self._app(scope, receive, send)
        over = self._over
        if over is not None and not (self._cycle.response_complete or self._cycle.disconnected):
            del scope, receive, send
            await over

    def detach(self, lost: Callable[[], None]) -> Send:
        """As `CONNECTION` says; calls `lost` at once if the client has gone already."""
        cycle = self._cycle
        cycle.scope = {"method": cycle.scope["method"]}  # type: ignore[typeddict-item]
        self._lost, self._over = lost, asyncio.get_running_loop().create_future()
        if cycle.disconnected:
            self.lose()
        return perhaps_late(cycle.send)  # type: ignore[arg-type]

    def end(self) -> None:
        """The answer is complete; safe to call twice."""
        self._lost = None
        if self._over is not None and not self._over.done():
            self._over.set_result(None)

    def lose(self) -> None:
        """The client has gone; safe to call twice."""
        self._cycle.disconnected = True  # uvicorn says so to the newest of several requests alone
        lost = self._lost
        self.end()
        if lost is not None:
            lost()


def write_now(cycle: RequestResponseCycle, piece: bytes) -> bool:
    """Send a piece of a chunked body; False if the client has not read what was sent before."""
    connection = cycle.transport
    open_ = cycle.response_started and not cycle.response_complete and not cycle.disconnected
    if not (open_ and cycle.chunked_encoding) or connection.is_closing():
        return False
    if cycle.flow.write_paused or connection.get_write_buffer_size():
        return False
    try:
        connection.write(b"%x\r\n%b\r\n" % (len(piece), piece))
    except RuntimeError as error:
        if not str(error).endswith(CLOSED):
            raise
        return False
    return True


class UntilClose:
    """For HTTP/1.0, which knows no chunks: an answer of untold length ends with its connection."""

    def __init__(self, app: ASGIApp, cycle: RequestResponseCycle) -> None:
        self._app = app
        self._cycle = cycle
        self._untold = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def unchunked(message: Message) -> None:
            cycle = self._cycle
            if message["type"] == "http.response.start":
                self._untold = b"content-length" not in dict(message["headers"])
                if self._untold:
                    cycle.chunked_encoding = False
            elif self._untold:
                cycle.expected_content_length = len(message.get("body", b""))
            await send(message)

        await self._app(scope, receive, unchunked)
