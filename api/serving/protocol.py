"""HTTP connections: their number, and the bounds of each in size and time."""

from __future__ import annotations

import asyncio
import re
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from ipaddress import ip_address, ip_network
from typing import Any, cast

from starlette.types import Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from relayline.api.errors import ApiError, BadRequest
from relayline.api.problems import answer_to
from relayline.api.serving.connection import CONNECTION, Detachable, UntilClose, write_now
from relayline.api.serving.refusals import HeadTooLarge, TooManyConnections, TooSlow
from relayline.api.serving.websocket import WebSocketProtocol

MAX_HEAD_BYTES = 64 * 1024
_SLICE_BYTES = 4096
"""The parser gets this much at a time, so that a head is refused before it is read whole."""
_ABSOLUTE = re.compile(rb"[A-Za-z][A-Za-z0-9+.-]*://([^/?#]*)")
_LINGER_S = 1.0
"""A refused client has this long to read why; closed at once, it might see a reset instead."""


@dataclass(frozen=True)
class ConnectionLimits:
    """What one client may cost."""

    head_s: float = 10
    """Seconds until the head of a request is complete, counted from the connection's start or the
    head's first byte."""
    body_s: float = 120
    """Seconds from then until its body is complete."""
    unread_s: float = 120
    """Seconds after which an answer of which nothing more is read is dropped."""
    message_bytes: int = 1024 * 1024
    """The largest message on a WebSocket."""
    per_client: int = 1024
    """Open connections of one address."""
    proxies: str = ""
    """Addresses and networks, separated by commas, that have no such limit; `*` for everyone."""

    def bounds(self, address: str) -> bool:
        """True when the address may hold only `per_client` connections."""
        if self.proxies == "*":
            return False
        listed = map(str.strip, filter(None, self.proxies.split(",")))
        return not any(ip_address(address) in ip_network(network) for network in listed)


class Connections(ServerState):
    """All connections of this server."""

    def __init__(self, limits: ConnectionLimits) -> None:
        super().__init__()
        self.limits = limits
        self._held: Counter[str] = Counter()

    def enter(self, address: str) -> bool:
        """Count a connection of the address; False if it has as many as it may."""
        if self._held[address] >= self.limits.per_client and self.limits.bounds(address):
            return False
        self._held[address] += 1
        return True

    def leave(self, address: str) -> None:
        """The connection is over."""
        self._held[address] -= 1
        if not self._held[address]:
            del self._held[address]

    def drop_unread(self) -> None:
        """Drop each connection whose client has read nothing for too long."""
        now = asyncio.get_running_loop().time()
        for connection in tuple(self.connections):
            cast("Protocol | WebSocketProtocol", connection).check_reader(now)


class Protocol(HttpToolsProtocol):
    """One connection.

    Lets a response see how much is queued for its client, and drop the connection.
    """

    server_state: Connections

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._limits = self.server_state.limits
        self._entered = ""
        self._refused: ApiError | None = None
        self._awaits: str | None = None
        self._late: asyncio.TimerHandle | None = None
        self._in_head = self._in_message = self._completed = self._upgraded = False
        self._head_bytes = self._beside_bytes = 0
        self._queued, self._read_at = sys.maxsize, 0.0
        self._detachable: Detachable | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take the connection, unless its client has too many."""
        super().connection_made(transport)
        address = self.client[0] if self.client else ""
        if self.server_state.enter(address):
            self._entered = address
            self._await("head")
            return
        most = self._limits.per_client
        self._refuse(
            TooManyConnections(f"{address} has {most} connections open; close one", limit=most)
        )

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self._await(None)
        if self._entered:
            self.server_state.leave(self._entered)
            self._entered = ""
        super().connection_lost(exc)
        if self._detachable is not None:
            self._detachable.lose()
            self._detachable = None

    def data_received(self, data: bytes) -> None:
        """Read on, in small slices, and see what is awaited now."""
        self._completed = False
        for start in range(0, len(data), _SLICE_BYTES):
            if self._refused or self._upgraded or self.transport.is_closing():
                return
            piece = data[start : start + _SLICE_BYTES]
            self._beside_bytes += len(piece)
            super().data_received(piece)
            if self._in_head:
                self._head_bytes += len(piece)
            beside = self._beside_bytes if self._in_message and not self._in_head else 0
            if max(self._head_bytes, beside) > MAX_HEAD_BYTES:
                self._refuse(_too_large())
        self._await(None if self._upgraded else self._missing())

    def handle_websocket_upgrade(self) -> None:
        """Hand the connection over."""
        super().handle_websocket_upgrade()
        self._upgraded = True
        cast("WebSocketProtocol", self.transport.get_protocol()).address = self._entered

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._in_head, self._in_message, self._head_bytes = True, True, 0
        connection = self.transport
        self.scope["extensions"] = {
            CONNECTION: {"abort": connection.abort, "queued": connection.get_write_buffer_size}
        }

    def on_headers_complete(self) -> None:
        """Its head is complete.

        Raises:
            HeadTooLarge: it is too large; ends the parser, and with it the connection.
            BadRequest: its body is coded in another way than the one we know; as above.
        """
        self._in_head = False
        self._head_bytes = self._beside_bytes = 0
        if refused := self._odd_coding():
            self._refused = refused
            raise refused
        fields = sum(len(name) + len(value) + 4 for name, value in self.headers)
        if len(self.url) + fields > MAX_HEAD_BYTES:
            self._refused = _too_large()
            raise self._refused
        if found := _ABSOLUTE.match(self.url):  # RFC 9112 3.2.2: then the Host field says nothing
            self.headers[:] = [field for field in self.headers if field[0] != b"host"]
            self.headers.append((b"host", found[1]))
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """More of its body; what stands between or after the chunks has a bound of its own."""
        self._beside_bytes = 0
        super().on_body(body)

    def _odd_coding(self) -> BadRequest | None:
        """Why the body can't be read, or not by everybody in the same way; None if it can."""
        codings = [value for name, value in self.headers if name == b"transfer-encoding"]
        plain = not codings or [it.strip().lower() for it in codings] == [b"chunked"]
        if plain and not (codings and self.parser.get_http_version() == "1.0"):
            return None
        return BadRequest(
            "Transfer-Encoding: send `chunked`, once, with HTTP/1.1", field="Transfer-Encoding"
        )

    def on_message_complete(self) -> None:
        """Its body is complete, if it has one."""
        self._in_message, self._completed = False, True
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002  uvicorn's words
        """What was sent is no HTTP, or a head that was too large."""
        refused, self._refused = self._refused, None
        self._refuse(refused or BadRequest("the request is not HTTP/1.1, or is malformed"))

    def check_reader(self, now: float) -> None:
        """Drop the connection if its client has read nothing for too long.

        Only while nothing is added to what is queued: a stream sees to its own reader.
        """
        queued = self.transport.get_write_buffer_size()
        still = self.flow.write_paused or not self._answering() or self.transport.is_closing()
        if not queued:
            self._queued = sys.maxsize
        elif not still or queued < self._queued:
            self._queued, self._read_at = queued, now
        elif now - self._read_at >= self._limits.unread_s:
            self.transport.abort()

    def resume_writing(self) -> None:
        """The client has read, though more may be queued soon."""
        super().resume_writing()
        self._queued = sys.maxsize

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        connection = cycle.scope["extensions"][CONNECTION]
        connection["write"] = partial(write_now, cycle)
        if cycle.scope["http_version"] == "1.0":
            app = UntilClose(app, cycle)
        elif cycle.scope["method"] != "HEAD":
            app = self._detachable = Detachable(app, cycle)
            connection["detach"] = partial(self._detach, app)
        super()._start_asgi_task(cycle, app)

    def _detach(self, answer: Detachable, lost: Callable[[], None]) -> Send:
        """Let the answer continue by itself, and forget its request."""
        if not (self._in_message or self.pipeline):
            del self.scope, self.headers, self.url
        return answer.detach(lost)

    def on_response_complete(self) -> None:
        """An answer is complete."""
        if self._detachable is not None:
            self._detachable.end()
            self._detachable = None
        super().on_response_complete()

    def _answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _missing(self) -> str | None:
        """What the client owes: the rest of a head or of a body."""
        if self._in_message:
            return "head" if self._in_head else "body"
        # what is neither may be line ends between two requests, without end
        return None if self._completed or self._answering() else "head"

    def _await(self, what: str | None) -> None:
        """Expect the rest of a head, or of a body, or nothing; its time begins with a change."""
        if what == self._awaits:
            return
        self._awaits = what
        if self._late is not None:
            self._late.cancel()
            self._late = None
        if what is not None:
            seconds = self._limits.head_s if what == "head" else self._limits.body_s
            said = f"the {what} of the request did not arrive within {seconds:g} s"
            late = TooSlow(said, field=what, limit=seconds)
            self._late = self.loop.call_later(seconds, self._refuse, late)

    def _refuse(self, error: ApiError) -> None:
        """Say why, and end the connection; without a word in the middle of an answer."""
        self._refused = error
        self._await(None)
        self._unset_keepalive_if_required()
        if self.transport.is_closing():
            return
        if self._answering():
            if self.pipeline or self.cycle.response_started:
                self.transport.abort()
                return
            self.cycle.disconnected = True  # whoever reads the body learns that it won't come
            self.cycle.message_event.set()
        answer = answer_to(error)
        status = HTTPStatus(answer.status_code)
        fields = [*answer.raw_headers, (b"connection", b"close")]
        lines = [f"HTTP/1.1 {status} {status.phrase}".encode()]
        lines += [name + b": " + value for name, value in fields]
        self.transport.write(b"\r\n".join([*lines, b"", bytes(answer.body)]))
        self.transport.write_eof()
        self.loop.call_later(_LINGER_S, self.transport.abort)


def _too_large() -> HeadTooLarge:
    said = f"the head of the request is larger than {MAX_HEAD_BYTES} bytes"
    return HeadTooLarge(said, field="head", limit=MAX_HEAD_BYTES)
