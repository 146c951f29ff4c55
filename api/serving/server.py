"""The HTTP server: uvicorn that ends open streams before it stops."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping

import uvicorn
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from relayline.api.errors import TooLarge, UnsupportedMediaType
from relayline.api.serving.protocol import ConnectionLimits, Connections, Protocol
from relayline.api.serving.websocket import WebSocketProtocol

SEND_BUFFER_BYTES = 128 * 1024
"""The kernel's, per connection: a client that does not read is noticed after this many bytes."""
GRACE_S = 5
KEEP_ALIVE_S = 620
"""How long an idle connection is kept: longer than clients and load balancers keep theirs (Google's
600 s, which can't be changed; AWS's 60 s). The side that sends requests must close first, or now
and then a request meets a connection that is just closing."""


class AddressInUse(Exception):
    """The server can't listen on the address; the message names it and says what to do."""


class BodyLimit:
    """ASGI middleware: refuses a body of more than `max_bytes`, and a compressed one.

    At once, if its head says so; else while it is read.
    """

    def __init__(
        self, app: ASGIApp, max_bytes: int, larger: Mapping[str, int] | None = None
    ) -> None:
        """Guard the app.

        Args:
            app: What is guarded.
            max_bytes: The largest body.
            larger: Paths that take larger ones, with their own limits.
        """
        self._app = app
        self._max_bytes = max_bytes
        self._larger = larger or {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything through.

        Raises:
            HTTPException: 413 or 415, from `receive`, with `TooLarge` or `UnsupportedMediaType` as
                its cause: the framework would replace those by an error of its own.
        """
        taken = 0
        limit = max(self._max_bytes, self._larger.get(scope.get("path", ""), 0))
        fields = dict(scope["headers"]) if scope["type"] == "http" else {}
        declared = int(fields.get(b"content-length", b"0"))
        coding = fields.get(b"content-encoding", b"identity").strip().lower()

        async def bounded() -> Message:
            nonlocal taken
            if coding not in (b"", b"identity"):
                said = "send the body uncompressed, without Content-Encoding"
                raise HTTPException(415) from UnsupportedMediaType(said, field="Content-Encoding")
            message = await receive() if declared <= limit else {}
            taken += len(message.get("body", b""))
            if max(taken, declared) > limit:
                said = f"the body is larger than {limit} bytes"
                raise HTTPException(413) from TooLarge(said, field="body", limit=limit)
            return message

        await self._app(scope, bounded, send)


class Server(uvicorn.Server):
    """Serves until SIGTERM or SIGINT; then ends streams, and requests within `GRACE_S`."""

    server_state: Connections

    def __init__(
        self,
        app: ASGIApp,
        close_streams: Callable[[], Awaitable[None]],
        limits: ConnectionLimits | None = None,
    ) -> None:
        limits = limits or ConnectionLimits()
        super().__init__(
            uvicorn.Config(
                app,
                http=Protocol,
                ws=WebSocketProtocol,
                ws_max_size=limits.message_bytes,
                ws_per_message_deflate=False,  # frames are encoded once for all who follow a run
                ws_ping_interval=None,
                lifespan="off",
                access_log=False,
                proxy_headers=False,
                log_config=None,
                timeout_graceful_shutdown=GRACE_S,
                timeout_keep_alive=KEEP_ALIVE_S,
            )
        )
        self._close_streams = close_streams
        self.server_state = Connections(limits)
        self._next_look = 0.0

    async def on_tick(self, counter: int) -> bool:
        """Besides what uvicorn does each 0.1 s: drop clients that read nothing."""
        now = asyncio.get_running_loop().time()
        if now >= self._next_look:
            self._next_look = now + self.server_state.limits.unread_s / 4
            self.server_state.drop_unread()
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop accepting, end the streams, then shut down as uvicorn does."""
        for server in self.servers:
            server.close()
        await self._close_streams()
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Unlike uvicorn, do not raise the signal again afterwards: a clean stop exits 0."""
        loop = asyncio.get_running_loop()
        signals = (signal.SIGTERM, signal.SIGINT)
        for number in signals:
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in signals:
                loop.remove_signal_handler(number)


def listen(host: str, port: int) -> socket.socket:
    """A listening socket whose connections have a bounded send buffer; port 0: any free port.

    Raises:
        AddressInUse: another process listens there, or this machine does not have the address.
    """
    return _listener(host, port, joins=False)


def listen_each(host: str, port: int, count: int) -> list[socket.socket]:
    """`count` sockets on one address, one per process; port 0: any free port.

    On Linux each process has its own, and the kernel distributes new connections evenly. With one
    shared socket the quickest process would take most of them, and streams stay where they began.
    Elsewhere the kernel does not distribute, and all are the same socket. Only the first listens
    already: the others get connections once their process serves. Keep all of them open while they
    serve: the successor of a process that died takes over the connections in its queue.

    Raises:
        AddressInUse: as `listen`; the first is bound as a single one would be.
    """
    first = listen(host, port)
    if count == 1 or sys.platform != "linux":
        return [first] * count
    first.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    port = first.getsockname()[1]
    return [first, *(_listener(host, port, joins=True) for _ in range(count - 1))]


def _listener(host: str, port: int, *, joins: bool) -> socket.socket:
    """A listening socket, or one that `joins` our others at the address once it listens.

    Raises:
        AddressInUse: another process listens there, or this machine does not have the address.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
    if joins:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        listener.bind((host, port))
        if not joins:
            listener.listen(2048)
    except OSError as error:
        listener.close()
        raise AddressInUse(
            f"can't listen on {host}:{port} ({error.strerror}): "
            "stop what uses it, or choose another with RELAYLINE_API_HOST and RELAYLINE_API_PORT"
        ) from error
    listener.setblocking(False)
    return listener
