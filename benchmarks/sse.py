"""A client that disturbs nothing: it notes when bytes came and parses them when all is over."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple, cast
from urllib.parse import urlsplit

_AT = re.compile(rb'"at":"([^"]+)"')
JsonBody = Mapping[str, object]


class Arrival(NamedTuple):
    """Bytes, and when they came."""

    at: float
    """Seconds since 1970."""
    data: bytes


class Frame(NamedTuple):
    """One Server-Sent Event."""

    at: float
    """When its last byte came, seconds since 1970."""
    id: int | None
    type: str
    data: bytes


class Reply(NamedTuple):
    """What a server answered."""

    status: int
    headed_at: float
    """When the head was complete."""
    body: list[Arrival]

    def frames(self) -> list[Frame]:
        """The body as Server-Sent Events."""
        return list(parse_frames(self.body))

    def json(self) -> dict[str, object]:
        """The body as a JSON object."""
        found = json.loads(b"".join(piece.data for piece in self.body))
        assert isinstance(found, dict)
        return found


class Recorder(asyncio.Protocol):
    """Sends one request and keeps what comes back, until the server closes."""

    def __init__(self, request: bytes) -> None:
        loop = asyncio.get_running_loop()
        self._request = request
        self.sent_at = 0.0
        self.arrivals: list[Arrival] = []
        self.begun: asyncio.Future[None] = loop.create_future()
        self.closed: asyncio.Future[None] = loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the request."""
        self.sent_at = time.time()
        cast("asyncio.WriteTransport", transport).write(self._request)

    def data_received(self, data: bytes) -> None:
        """Keep it."""
        self.arrivals.append(Arrival(time.time(), data))
        if not self.begun.done():
            self.begun.set_result(None)

    def connection_lost(self, _exc: Exception | None) -> None:
        """Say that it is over."""
        for waiting in (self.begun, self.closed):
            if not waiting.done():
                waiting.set_result(None)

    def reply(self) -> Reply:
        """What has come so far."""
        return parse_reply(self.arrivals)


async def open_stream(
    url: str,
    *,
    body: JsonBody | None = None,
    stream: bool = True,
    headers: Mapping[str, str] | None = None,
) -> tuple[asyncio.BaseTransport, Recorder]:
    """Send a request (POST when there is a body) on a connection of its own."""
    parts = urlsplit(url)
    content = b"" if body is None else json.dumps(body).encode()
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    head = [
        f"{'GET' if body is None else 'POST'} {target} HTTP/1.1",
        f"Host: {parts.netloc}",
        f"Accept: {'text/event-stream' if stream else 'application/json'}",
        "Connection: close",
        *(f"{name}: {value}" for name, value in (headers or {}).items()),
    ]
    if body is not None:
        head += ["Content-Type: application/json", f"Content-Length: {len(content)}"]
    request = "\r\n".join([*head, "", ""]).encode() + content
    loop = asyncio.get_running_loop()
    return await loop.create_connection(
        lambda: Recorder(request), parts.hostname or "", parts.port or 80
    )


async def fetch(
    url: str,
    *,
    body: JsonBody | None = None,
    stream: bool = True,
    timeout_s: float = 60,
    headers: Mapping[str, str] | None = None,
) -> tuple[float, Reply]:
    """The whole reply, and when the request was sent.

    Raises:
        TimeoutError: the reply did not end in time.
    """
    transport, recorder = await open_stream(url, body=body, stream=stream, headers=headers)
    try:
        async with asyncio.timeout(timeout_s):
            await recorder.closed
    finally:
        transport.close()
    return recorder.sent_at, recorder.reply()


def parse_reply(arrivals: Iterable[Arrival]) -> Reply:
    """Head and body of an HTTP/1.1 reply, the transfer coding undone.

    Raises:
        ValueError: the head is not complete.
    """
    rest = iter(arrivals)
    head = b""
    for arrival in rest:
        head += arrival.data
        if b"\r\n\r\n" in head:
            head, _, first = head.partition(b"\r\n\r\n")
            body = [Arrival(arrival.at, first), *rest]
            chunked = b"transfer-encoding: chunked" in head.lower()
            status = int(head.split(b" ", 2)[1])
            return Reply(status, arrival.at, list(dechunk(body)) if chunked else body)
    raise ValueError(f"the server closed in the middle of the head: {head!r}")


def dechunk(arrivals: Iterable[Arrival]) -> Iterator[Arrival]:
    """The payload of a chunked body; each chunk as old as its last byte."""
    buffer = b""
    for at, data in arrivals:
        buffer = buffer + data if buffer else data
        start = 0
        while (line_end := buffer.find(b"\r\n", start)) >= 0:
            end = line_end + 2 + int(buffer[start:line_end], 16)
            if end + 2 > len(buffer):
                break
            yield Arrival(at, buffer[line_end + 2 : end])
            start = end + 2
        buffer = buffer[start:]


def parse_frames(body: Iterable[Arrival]) -> Iterator[Frame]:
    """Server-Sent Events; comments and bare `retry` fields are left out."""
    buffer = b""
    for at, data in body:
        *whole, buffer = (buffer + data).split(b"\n\n")
        for block in whole:
            fields = dict(line.partition(b": ")[::2] for line in block.split(b"\n"))
            if b"data" in fields:
                number = fields.get(b"id")
                kind = fields.get(b"event", b"message").decode()
                yield Frame(at, int(number) if number else None, kind, fields[b"data"])


@lru_cache(maxsize=4096)
def written_at(envelope: bytes) -> float:
    """The `at` of an envelope in seconds since 1970.

    Raises:
        ValueError: it has none.
    """
    found = _AT.search(envelope)
    if not found:
        raise ValueError(f"no `at` in {envelope[:200]!r}")
    return datetime.fromisoformat(found[1].decode()).timestamp()
