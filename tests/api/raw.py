"""HTTP by hand: requests that no client library would send."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any

from tests.api.serving import Api


@dataclass(frozen=True)
class Answer:
    """What the server has sent until it was read."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def problem(self) -> str:
        """The problem's name; fails for an answer that is none."""
        assert self.headers["content-type"] == "application/problem+json", self
        document: dict[str, Any] = json.loads(self.body)
        assert document["status"] == self.status
        return str(document["type"]).removeprefix("urn:relayline:problem:")


def head(
    method: str, path: str, *fields: str, version: str = "1.1", host: str = "localhost"
) -> bytes:
    """The head of a request; with `host=""`, no Host."""
    given = [f"{method} {path} HTTP/{version}", *([f"Host: {host}"] if host else []), *fields]
    return "\r\n".join([*given, "", ""]).encode("latin-1")


async def ask(api: Api, sent: bytes, seconds: float = 10) -> Answer:
    """Send bytes on a connection of their own and read one answer.

    Raises:
        TimeoutError: no whole answer in time.
        IncompleteReadError: the connection ended before one.
    """
    reader, writer = await asyncio.open_connection(api.host, api.port)
    try:
        writer.write(sent)
        async with asyncio.timeout(seconds):
            return await answered(reader, to_head=sent.startswith(b"HEAD "))
    finally:
        writer.close()


async def answered(reader: asyncio.StreamReader, *, to_head: bool = False) -> Answer:
    """Read one answer, whose length is told or which ends with its connection."""
    lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {
        name.lower(): value.strip()
        for name, _, value in (line.partition(":") for line in lines[1:] if line)
    }
    length = headers.get("content-length")
    if to_head:
        body = b""
    elif length is None:
        body = await reader.read()
    else:
        body = await reader.readexactly(int(length))
    return Answer(int(lines[0].split()[1]), headers, body)
