"""A server behind a URL: streamable HTTP with bounded bodies and no proxy of the environment.

One request that fails must not fail the others of the connection, so a broken one becomes a
JSON-RPC error here: the SDK would end the connection.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

import httpx2
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CONNECTION_CLOSED, INTERNAL_ERROR

MAX_BODY_BYTES = 8 * 1024 * 1024
"""Limit of an answer, and of one event of a stream."""
NOT_SENT = -31_999
"""Our own code: the request did not reach the server, or was turned away before it ran."""
REFUSED = -31_998
"""The same, and a retry can't help."""
_AGAIN = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
_SESSION = "mcp-session-id"
MAX_MESSAGE_CHARS = 2000
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
        if 400 <= response.status_code < 500 and response.status_code != HTTPStatus.NOT_FOUND:
            return await _refused(request, response)
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
    """Why this answer is of no use, as code and message; None if it may be."""
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        return CONNECTION_CLOSED, "it compressed an answer, which it was asked not to do"
    status = response.status_code
    if status in _AGAIN:
        return NOT_SENT, f"it answered HTTP {status}"
    if status >= 500 and _kind(response) != "application/json":
        return CONNECTION_CLOSED, f"it answered HTTP {status}"
    return None


async def _refused(request: httpx2.Request, response: httpx2.Response) -> httpx2.Response:
    """An answer that says that the request did not run: the server's own reason if it has one.

    A server that has restarted knows no session, and says so in many ways. (404 is the SDK's.)
    """
    if isinstance(response.stream, httpx2.AsyncByteStream):
        response.stream = _Body(response.stream, MAX_BODY_BYTES)
    try:
        body = await response.aread()
        error = json.loads(body)["error"]
        code, message, data = int(error["code"]), str(error["message"]), error.get("data")
    except (httpx2.StreamError, ValueError, KeyError, TypeError, RecursionError):
        code, message, data = INTERNAL_ERROR, f"it answered HTTP {response.status_code}", None
    finally:
        await response.aclose()
    if code in {INTERNAL_ERROR, CONNECTION_CLOSED}:
        code = NOT_SENT if _SESSION in request.headers else REFUSED
    return _error(request, code, message[:MAX_MESSAGE_CHARS], data)


def _error(
    request: httpx2.Request, code: int, message: str, data: object = None
) -> httpx2.Response:
    error = {"code": code, "message": message} | ({} if data is None else {"data": data})
    body = {"jsonrpc": "2.0", "id": None, "error": error}
    return httpx2.Response(HTTPStatus.BAD_GATEWAY, json=body, request=request)
