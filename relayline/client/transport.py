"""The two ways to do I/O: one call on a blocking connection pool, or on an asynchronous one."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import aclosing, closing
from typing import Any, NamedTuple

import httpx

from relayline.client.calls import CONNECT_TIMEOUT_S, TIMEOUT_S, Answer, Call
from relayline.client.errors import InvalidArgument, no_answer

DEFAULT_URL = "http://127.0.0.1:8000"
KEY_VARIABLE = "RELAYLINE_API_KEY"
"""Has the key of a client that was given none."""
SILENCE_S = 45.0
"""Four heartbeats: after that much silence a connection counts as dead."""


class Options(NamedTuple):
    """How a client speaks to its API."""

    base_url: str
    headers: Mapping[str, str]
    silence_s: float
    patience_s: float | None

    def for_httpx(self) -> dict[str, Any]:
        """Arguments of `httpx.Client` and `httpx.AsyncClient`."""
        return {
            "base_url": self.base_url,
            "headers": {"Accept-Encoding": "identity", **self.headers},
            "timeout": httpx.Timeout(TIMEOUT_S, connect=CONNECT_TIMEOUT_S),
            "limits": httpx.Limits(max_connections=None),
        }


def options(
    base_url: str, headers: Mapping[str, str] | None, silence_s: float, patience_s: float | None
) -> Options:
    """The options.

    Raises:
        InvalidArgument: the address is none.
    """
    message = f"{base_url!r} is no address of an API: write http://HOST:PORT"
    try:
        url = httpx.URL(base_url)
    except httpx.InvalidURL as error:
        raise InvalidArgument(message) from error
    if url.scheme not in {"http", "https"} or not url.host:
        raise InvalidArgument(message)
    return Options(base_url.rstrip("/"), headers or {}, silence_s, patience_s)


def with_key(headers: Mapping[str, str] | None, api_key: str | None) -> Mapping[str, str]:
    """The headers with the API key: the given one, or that of the environment.

    `Authorization` among the headers wins over the key of the environment.

    Raises:
        InvalidArgument: no key can be like that; the message does not quote it.
    """
    given = headers or {}
    if api_key is None and any(name.lower() == "authorization" for name in given):
        return given
    key = (os.environ.get(KEY_VARIABLE, "") if api_key is None else api_key).strip()
    if not key:
        return given
    if not (key.isascii() and key.isprintable() and " " not in key):
        raise InvalidArgument(f"the API key ({KEY_VARIABLE}) must be printable ASCII, no spaces")
    return {**given, "Authorization": f"Bearer {key}"}


class Transport:
    """Blocking I/O; threads may share it."""

    def __init__(self, how: Options) -> None:
        self.options = how
        self.http = httpx.Client(**how.for_httpx())

    def send(self, call: Call[Answer]) -> Answer:
        """What the server answers.

        Raises:
            RelaylineError: it refuses, fails or does not answer.
        """
        base_url = self.options.base_url
        try:
            answer = self.http.send(call.request(self.http))
        except httpx.HTTPError as error:
            raise no_answer(base_url, error) from error
        return call.result(base_url, answer)

    def open(self, request: httpx.Request) -> httpx.Response:
        """An answer that is read as it comes, and must be closed; that of an error has been read.

        Raises:
            HTTPError: there is none.
        """
        answer = self.http.send(request, stream=True)
        if answer.is_error:
            with closing(answer):
                answer.read()
        return answer


class AsyncTransport:
    """Asynchronous I/O, for tasks of one event loop."""

    def __init__(self, how: Options, through: httpx.AsyncBaseTransport | None = None) -> None:
        self.options = how
        self.http = httpx.AsyncClient(**how.for_httpx(), transport=through)

    async def send(self, call: Call[Answer]) -> Answer:
        """As `Transport.send`."""
        base_url = self.options.base_url
        try:
            answer = await self.http.send(call.request(self.http))
        except httpx.HTTPError as error:
            raise no_answer(base_url, error) from error
        return call.result(base_url, answer)

    async def open(self, request: httpx.Request) -> httpx.Response:
        """As `Transport.open`."""
        answer = await self.http.send(request, stream=True)
        if answer.is_error:
            async with aclosing(answer):
                await answer.aread()
        return answer
