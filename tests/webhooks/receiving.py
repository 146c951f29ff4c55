"""Receivers of webhooks on loopback: honest ones that verify, and others that misbehave."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from standardwebhooks import Webhook

Writer = asyncio.StreamWriter


@dataclass(frozen=True)
class Got:
    """One request."""

    headers: dict[str, str]
    body: bytes
    at: float

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def told(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self.body)
        return told

    def verify(self, secret: str) -> dict[str, Any]:
        """The body, verified as receivers do."""
        verified: dict[str, Any] = Webhook(secret).verify(self.body, self.headers)
        return verified


Answer = Callable[[Got, Writer], Awaitable[None]]


def answers(status: str = "200 OK", *headers: str) -> Answer:
    """Answers with that status line and these headers."""

    async def answer(_got: Got, writer: Writer) -> None:
        lines = [f"HTTP/1.1 {status}", "Content-Length: 0", "Connection: close", *headers]
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())

    return answer


@dataclass
class Receiver:
    """What came, and what is answered."""

    port: int = 0
    answer: Answer = field(default_factory=answers)
    got: list[Got] = field(default_factory=list)
    connections: int = 0
    serving: set[asyncio.Task[Any]] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    async def has(self, count: int, seconds: float = 60) -> list[Got]:
        """Wait for that many requests."""
        async with asyncio.timeout(seconds):
            while len(self.got) < count:
                await asyncio.sleep(0.02)
        return self.got

    async def until(self, holds: Callable[[list[Got]], bool], seconds: float = 60) -> list[Got]:
        """Wait until the requests fit."""
        async with asyncio.timeout(seconds):
            while not holds(self.got):
                await asyncio.sleep(0.02)
        return self.got

    async def serve(self, reader: asyncio.StreamReader, writer: Writer) -> None:
        """One connection, one request."""
        self.connections += 1
        if task := asyncio.current_task():
            self.serving.add(task)
            task.add_done_callback(self.serving.discard)
        try:
            with suppress(OSError, asyncio.IncompleteReadError):
                head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
                pairs = (line.split(":", 1) for line in head[1:] if line)
                headers = {name.lower(): value.strip() for name, value in pairs}
                body = await reader.readexactly(int(headers["content-length"]))
                got = Got(headers, body, time.monotonic())
                self.got.append(got)
                await self.answer(got, writer)
                await writer.drain()
        finally:
            writer.close()


@asynccontextmanager
async def receiving(answer: Answer | None = None, port: int = 0) -> AsyncIterator[Receiver]:
    """A receiver, until the block ends."""
    receiver = Receiver()
    if answer:
        receiver.answer = answer
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", port)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
        left = [*receiver.serving]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
