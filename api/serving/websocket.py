"""WebSocket connections: uvicorn's, counted and bounded as those of HTTP are."""

from __future__ import annotations

import asyncio
import logging
import sys
from typing import Any, cast

from starlette.types import Scope
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

from relayline.api.serving.connection import CONNECTION

_log = logging.getLogger(__name__)
_log.setLevel(logging.WARNING)  # uvicorn logs URLs, and one may have a token in it


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """One WebSocket.

    Its application pings, and sees to a peer that reads nothing or is gone: `CONNECTION` has
    `ping`, and `heard_at`, which returns when something last came, on the loop's clock.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.logger = _log
        self.address = ""
        """Of the client, if it must be told to `server_state` when the connection is over."""
        self._server = kwargs["server_state"]
        self._heard_at = self.loop.time()
        self._queued, self._read_at = sys.maxsize, 0.0

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        if self.address:
            self._server.leave(self.address)
            self.address = ""
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Note the time, and read on."""
        self._heard_at = self.loop.time()
        super().data_received(data)

    def handle_connect(self, event: Request) -> None:
        """The handshake is complete as far as the client is concerned."""
        super().handle_connect(event)
        if not self.close_sent:
            connection: asyncio.Transport = self.transport
            cast("Scope", self.scope)["extensions"][CONNECTION] = {
                "abort": connection.abort,
                "queued": connection.get_write_buffer_size,
                "ping": self._ping,
                "heard_at": lambda: self._heard_at,
            }

    def check_reader(self, now: float) -> None:
        """Drop it if the close was sent, and its client has read nothing for too long."""
        queued = self.transport.get_write_buffer_size()
        closing = self.close_sent or self.transport.is_closing()
        if not (queued and closing) or queued < self._queued:
            self._queued, self._read_at = queued or sys.maxsize, now
        elif now - self._read_at >= self._server.limits.unread_s:
            self.transport.abort()

    def _ping(self) -> None:
        if self.handshake_complete and not (self.close_sent or self.transport.is_closing()):
            self.conn.send_ping(b"")
            self.transport.write(b"".join(self.conn.data_to_send()))
