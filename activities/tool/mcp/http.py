"""A server behind a URL: streamable HTTP with bounded bodies and no proxy of the environment.

One request that fails must not fail the others of the connection, so a broken one becomes a
JSON-RPC error here: the SDK would end the connection.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

import httpx2
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CONNECTION_CLOSED

MAX_BODY_BYTES = 8 * 1024 * 1024
"""Limit of an answer, and of one event of a stream."""
NOT_SENT = -31_999
"""Our own code: the request did not reach the server, or was turned away before it ran."""
REFUSED = -31_998
"""The same, and a retry can't help."""
_AGAIN = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
_MAX_CONNECTIONS = 256


@asynccontextmanager
async def http_transport(url: str, headers: Mapping[str, str]) -> AsyncIterator[Any]:
    """The two streams of a connection to that endpoint."""
    limits = httpx2.Limits(max_connections=_MAX_CONNECTIONS)
    inner = httpx2.AsyncHTTPTransport(trust_env=False, limits=limits)
    client = httpx2.AsyncClient(
        transport=_Bounded(inner),
        headers={**headers, "accept-encoding": "identity"},
        timeout=httpx2.Timeout(10, read=None),  # calls have limits of their own
        trust_env=False,
    )
    async with (
        client,
        streamable_http_client(url, http_client=client, max_sse_event_size=MAX_BODY_BYTES) as pair,
    ):
        yield pair


class TooLong(httpx2.StreamError):
    """A body is longer than `MAX_BODY_BYTES`."""


class _Bounded(httpx2.AsyncBaseTransport):
    """Bounds bodies, and answers in the server's place where no answer comes."""

    def __init__(self, inner: httpx2.AsyncBaseTransport) -> None:
        self._inner = inner

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        try:
            response = await self._inner.handle_async_request(request)
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout) as error:
            return _error(request, NOT_SENT, f"it can't be reached: {error}")
        except httpx2.TransportError as error:
            return _error(request, CONNECTION_CLOSED, f"the connection was lost: {error}")
        if problem := _problem(response):
            await response.aclose()
            return _error(request, *problem)
        endless = _kind(response) == "text/event-stream"
        if isinstance(response.stream, httpx2.AsyncByteStream):
            response.stream = _Body(response.stream, None if endless else MAX_BODY_BYTES)
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()


class _Body(httpx2.AsyncByteStream):
    """A body that ends with an error that the SDK takes for that of its request alone."""

    def __init__(self, inner: httpx2.AsyncByteStream, limit: int | None) -> None:
        self._inner = inner
        self._left = limit

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._inner:
                if self._left is not None:
                    self._left -= len(chunk)
                    if self._left < 0:
                        raise TooLong(f"it sent more than {MAX_BODY_BYTES} bytes")
                yield chunk
        except httpx2.TransportError as error:
            raise httpx2.StreamError(f"the connection was lost: {error}") from error

    async def aclose(self) -> None:
        await self._inner.aclose()


def _kind(response: httpx2.Response) -> str:
    kind: str = response.headers.get("content-type", "")
    return kind.partition(";")[0].strip().lower()


def _problem(response: httpx2.Response) -> tuple[int, str] | None:
    """Why this answer is of no use, as code and message; None if the SDK can read it."""
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        return CONNECTION_CLOSED, "it compressed an answer, which it was asked not to do"
    status = response.status_code
    # without a session the SDK takes 404 for an unknown method; with one, for its end
    if status < 400 or status == HTTPStatus.NOT_FOUND or _kind(response) == "application/json":
        return None
    if status < 500 or status in _AGAIN:
        return NOT_SENT if status in _AGAIN else REFUSED, f"it answered HTTP {status}"
    return CONNECTION_CLOSED, f"it answered HTTP {status}"


def _error(request: httpx2.Request, code: int, message: str) -> httpx2.Response:
    body = {"jsonrpc": "2.0", "id": None, "error": {"code": code, "message": message}}
    return httpx2.Response(HTTPStatus.BAD_GATEWAY, json=body, request=request)
