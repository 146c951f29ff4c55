"""An HTTP transport that reads only so much of what a server sends."""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from typing import Any

import httpcore
import httpx

MAX_HEAD_BYTES = 64 * 1024
"""Of an answer's head, with all interim answers (`100 Continue`) before it."""
PIECE_BYTES = 8 * 1024
"""Read at a time: the parser lets nobody else run until it has handled all of a piece."""


class TooLong(Exception):
    """The server has sent more than the transport reads."""


class BoundedTransport(httpx.AsyncHTTPTransport):
    """Reads at most so much of an answer; for one request at a time.

    A request fails with `TooLong` if the head is longer than `MAX_HEAD_BYTES`, so that a server
    that sends interim answers forever occupies nobody. The reading of a body, chunk lengths
    included, fails with it beyond `body_bytes`.
    """

    def __init__(self, tls: ssl.SSLContext, body_bytes: int) -> None:
        """Create the transport.

        Args:
            tls: For https.
            body_bytes: The most that is read of a body.
        """
        super().__init__(verify=tls, trust_env=False)
        self._body_bytes = body_bytes
        self._budget = _Budget()
        # httpx has no parameter for httpcore's network backend, which is where bytes are read
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=tls, network_backend=_Backend(self._budget)
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """As httpx's own.

        Raises:
            TooLong: the head is too long.
        """
        self._budget.left = MAX_HEAD_BYTES
        answer = await super().handle_async_request(request)
        self._budget.left = self._body_bytes
        return answer


class _Budget:
    left = 0

    def piece(self, wanted: int) -> int:
        """How much may be read now.

        Raises:
            TooLong: nothing.
        """
        if self.left <= 0:
            raise TooLong
        return min(wanted, self.left, PIECE_BYTES)


class _Backend(httpcore.AsyncNetworkBackend):
    def __init__(self, budget: _Budget) -> None:
        self._budget = budget
        self._backend = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  httpcore's parameter
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        options = (timeout, local_address, socket_options)
        return _Stream(await self._backend.connect_tcp(host, port, *options), self._budget)


class _Stream(httpcore.AsyncNetworkStream):
    def __init__(self, stream: httpcore.AsyncNetworkStream, budget: _Budget) -> None:
        self._stream = stream
        self._budget = budget

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        found = await self._stream.read(self._budget.piece(max_bytes), timeout)
        self._budget.left -= len(found)
        return found

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> httpcore.AsyncNetworkStream:
        stream = await self._stream.start_tls(ssl_context, server_hostname, timeout)
        return _Stream(stream, self._budget)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
