"""Asks an app directly, without sockets: what a fuzzer does thousands of times."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from urllib.parse import unquote

from starlette.types import ASGIApp, Message

STREAM_S = 0.1
BOUND_S = 20.0
"""No answer takes longer: nobody who may not wait for a run waits for it."""


@dataclass(frozen=True)
class Request:
    """One request as it is sent."""

    method: str
    path: str
    """Percent-encoded."""
    query: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""

    def replaced(self, old: str, new: str) -> Request:
        """The same with another text, wherever it stands."""
        return replace(
            self,
            path=self.path.replace(old, new),
            query=self.query.replace(old, new),
            headers=tuple((name, value.replace(old, new)) for name, value in self.headers),
            body=self.body.replace(old, new),
        )

    def has(self, text: str) -> bool:
        """True if the text stands in it; credentials don't count."""
        given = [value for name, value in self.headers if name != "authorization"]
        return any(text in it for it in (self.path, self.query, self.body, *given))


@dataclass
class Answer:
    """What came back; of a stream, what came first."""

    status: int = 0
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""

    @property
    def text(self) -> str:
        """All of it, for a search."""
        return f"{self.headers} {self.body.decode('utf-8', 'replace')}"


async def asked(app: ASGIApp, request: Request) -> Answer:
    """The app's answer; a stream is left `STREAM_S` after its first chunk.

    Raises:
        TimeoutError: it takes more than `BOUND_S`.
    """
    answer, left = Answer(), asyncio.Event()
    unsent = [request.body.encode()]

    async def receive() -> Message:
        if unsent:
            return {"type": "http.request", "body": unsent.pop(), "more_body": False}
        await left.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            answer.status = message["status"]
            pairs = [(name.decode(), value.decode()) for name, value in message["headers"]]
            answer.headers = pairs
            return
        first, streams = not answer.body, _is_stream(answer)
        answer.body += message.get("body", b"")
        if first and streams:
            asyncio.get_running_loop().call_later(STREAM_S, left.set)

    async with asyncio.timeout(BOUND_S):
        await app(_scope(request), receive, send)
    return answer


def _is_stream(answer: Answer) -> bool:
    return any("text/event-stream" in value for _, value in answer.headers)


def _scope(request: Request) -> dict[str, object]:
    pairs = [("host", "127.0.0.1"), *request.headers]
    if request.body:
        pairs += [("content-length", str(len(request.body.encode())))]
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": "http",
        "path": unquote(request.path),
        "raw_path": request.path.encode(),
        "query_string": request.query.encode(),
        "root_path": "",
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in pairs],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
        "state": {},
    }
