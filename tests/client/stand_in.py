"""A server that speaks the protocol's client-visible part and misbehaves where it is told to."""

from __future__ import annotations

import asyncio
import json
import socket
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI, Request
from starlette.responses import JSONResponse, Response, StreamingResponse

RUN = "run_0123456789abcdef"
HEARTBEAT = b": \n\n"
TERMINAL = "run.completed"


@dataclass(frozen=True)
class Send:
    """Stream the events after the cursor, in chunks, then end as told."""

    limit: int | None = None
    """Bytes after which it ends; all by default."""
    cut: bool = False
    """True: the connection drops. False: the stream ends in good order."""
    chunk: int = 4096
    preamble: bytes = b"retry: 1\n\n"
    from_start: bool = False
    """True: the cursor is ignored and everything is sent again."""
    hang_s: float = 0
    """Silence before the end."""


@dataclass(frozen=True)
class Live:
    """Stream the events after the cursor as they are added, to the terminal one."""


@dataclass(frozen=True)
class Refuse:
    """Answer with a problem document."""

    status: int
    slug: str = "unavailable"
    detail: str = "not now"
    headers: dict[str, str] = field(default_factory=dict)


class _Cut(Exception):
    """Makes uvicorn drop the connection."""


def envelope(
    seq: int, kind: str, data: dict[str, Any], step: int | None = None, attempt: int | None = None
) -> dict[str, Any]:
    """One event as the API writes it."""
    at = f"2026-11-23T10:00:{seq % 60:02d}.000000Z"
    place = {"step": step, "attempt": attempt}
    given = {name: value for name, value in place.items() if value is not None}
    return {"seq": seq, "run_id": RUN, "at": at, "type": kind, **given, "data": data}


def frame(event: dict[str, Any]) -> bytes:
    """One event as a frame."""
    data = json.dumps(event, ensure_ascii=False)
    return f"id: {event['seq']}\nevent: {event['type']}\ndata: {data}\n\n".encode()


class StandIn:
    """The events of one run, and what to answer to each connection that follows it."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.answers: deque[Send | Live | Refuse | Response] = deque()
        """To the next connections, in order; after the last, as the protocol says."""
        self.cursors: list[str | None] = []
        """`Last-Event-ID` of each connection but the one that submits."""
        self.requests: list[tuple[str, str, dict[str, str], Any]] = []
        """Every other request: method, path with query, headers, body."""
        self.outcome: dict[str, Any] = {"state": "applied", "step": 2, "applied": "did it"}
        self.run: dict[str, Any] = {"status": "completed"}
        self.page: str | None = None
        """`links.page` of the run."""
        self.progress: dict[str, Any] = {"source": "query", "status": "running"}
        self.react: Callable[[str, Any], None] | None = None
        """Told of each command that is accepted: the end of its path, and its body."""
        self.problem: Refuse | Response | None = None
        """Answered to every other request."""
        self.url = ""

    def add(
        self, kind: str, step: int | None = None, attempt: int | None = None, /, **data: Any
    ) -> None:
        """One more event."""
        self.events.append(envelope(len(self.events) + 1, kind, data, step, attempt))

    def app(self) -> FastAPI:
        """The routes."""
        app = FastAPI()
        app.get("/v1/runs/{run_id}/events")(self._events)
        app.api_route("/{path:path}", methods=["GET", "POST"])(self._other)
        return app

    async def _events(self, request: Request, run_id: str) -> Response:
        if "text/event-stream" not in request.headers.get("accept", ""):
            return await self._other(request)
        last = request.headers.get("last-event-id")
        self.cursors.append(last)
        return self._stream(last)

    def _stream(self, last: str | None) -> Response:
        answer = self.answers.popleft() if self.answers else Send()
        if isinstance(answer, Refuse):
            return _problem(answer)
        if isinstance(answer, Response):
            return answer
        if isinstance(answer, Live):
            return StreamingResponse(self._live(int(last or 0)), media_type="text/event-stream")
        after = 0 if answer.from_start else int(last or 0)
        ended = bool(self.events) and self.events[-1]["type"] == TERMINAL
        if ended and after >= len(self.events):
            return Response(status_code=204)
        body = answer.preamble + b"".join(frame(event) for event in self.events[after:])
        return StreamingResponse(_stream(body, answer), media_type="text/event-stream")

    async def _live(self, sent: int) -> AsyncIterator[bytes]:
        while not sent or self.events[sent - 1]["type"] != TERMINAL:
            new = self.events[sent:]
            sent += len(new)
            yield b"".join(map(frame, new)) or HEARTBEAT
            await asyncio.sleep(0.01)

    async def _other(self, request: Request) -> Response:
        body = await request.body()
        path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        headers = dict(request.headers)
        self.requests.append((request.method, path, headers, json.loads(body) if body else None))
        if isinstance(self.problem, Refuse):
            return _problem(self.problem)
        if self.problem:
            return self.problem
        if request.method == "POST" and "text/event-stream" in headers.get("accept", ""):
            streamed = self._stream(None)
            streamed.headers["x-run-id"] = RUN
            return streamed
        answer = self._answer(request.method, request.url.path)
        if request.method == "POST" and self.react and path != "/v1/runs":
            self.react(path.removeprefix(f"/v1/runs/{RUN}/"), json.loads(body))
        return answer

    def _answer(self, method: str, path: str) -> Response:
        links = {"self": f"/v1/runs/{RUN}", "events": "e", "progress": "p", "page": self.page}
        run = {"run_id": RUN, "agent": "assistant", "links": links, **self.run}
        known: dict[str, Any] = {**run}
        status = 200
        match method, path.removeprefix("/v1/runs").strip("/").split("/"):
            case "POST", [""]:
                known, status = {"run_id": RUN, "status": "queued", "links": links}, 202
            case "GET", [""]:
                listed = run | {"created_at": "2026-11-23T10:00:00Z"}
                known = {"runs": [listed], "cursor": None}
            case "GET", [_, "events"]:
                known = {"events": self.events, "next": len(self.events), "ended": True}
            case "GET", [run_id, "commands", command_id]:
                known = {"command_id": command_id, "run_id": run_id, **self.outcome}
            case "GET", [run_id, "progress"]:
                known = {"run_id": run_id, **self.progress}
            case "POST", [_, _] | [_, "approvals", _]:
                known, status = {"command_id": "cmd_1"}, 202
            case _:
                pass
        return JSONResponse(known, status)

    @asynccontextmanager
    async def serving(self, port: int = 0) -> AsyncIterator[None]:
        """Answer on that port of the loopback address, or on a free one."""
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        config = uvicorn.Config(
            self.app(),
            lifespan="off",
            log_level=60,
            timeout_graceful_shutdown=1,
            timeout_keep_alive=620,
        )
        server = uvicorn.Server(config)
        task = asyncio.create_task(server.serve([listener]))
        try:
            while not server.started:
                await asyncio.sleep(0.005)
            yield
        finally:
            server.should_exit = True
            await task
            listener.close()


def _problem(refuse: Refuse) -> Response:
    document = {
        "type": f"urn:relayline:problem:{refuse.slug}",
        "title": "No",
        "status": refuse.status,
        "detail": refuse.detail,
    }
    kind = "application/problem+json"
    return JSONResponse(document, refuse.status, refuse.headers, media_type=kind)


async def _stream(body: bytes, send: Send) -> AsyncIterator[bytes]:
    body = body[: send.limit]
    for start in range(0, len(body), send.chunk):
        yield body[start : start + send.chunk]
        await asyncio.sleep(0)
    if send.hang_s:
        await asyncio.sleep(send.hang_s)
    if send.cut:
        raise _Cut


@pytest.fixture
async def stand_in() -> AsyncIterator[StandIn]:
    """A server with no events, on a free port."""
    server = StandIn()
    async with server.serving():
        yield server
