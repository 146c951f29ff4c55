"""The floor of the fan-out: a bare Starlette app that sends the same bytes to every viewer.

`python -m benchmarks.broadcast PORT`. `POST /feed {"events", "per_s", "text"}` begins; viewers of
`GET /feed` get all of it. A frame is encoded once, a viewer keeps a position and takes what is
there: nothing is stored, nothing is resumed, nobody is counted.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator

import uvicorn
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from benchmarks.provider import health, paced
from relayline.contracts.envelope import StoredEvent

RUN_ID = "run_" + "0" * 26


class Show:
    """The one thing that all viewers watch."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.over = False
        self._news = asyncio.Event()

    def add(self, frame: bytes) -> None:
        """Show it to everybody."""
        self.frames.append(frame)
        self._wake()

    def end(self) -> None:
        """Send everybody home."""
        self.over = True
        self._wake()

    async def watch(self) -> AsyncIterator[bytes]:
        """Everything from the first frame on."""
        position = 0
        yield b"retry: 1000\n\n"
        while True:
            news = self._news
            if position < len(self.frames):
                chunk = b"".join(self.frames[position:])
                position = len(self.frames)
                yield chunk
            elif self.over:
                return
            else:
                await news.wait()

    def _wake(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()


def _frame(seq: int, text: str) -> bytes:
    now_us = time.time_ns() // 1000
    data = f'{{"text":"{text}"}}'
    event = StoredEvent(RUN_ID, seq, now_us, "message.delta", 1, 1, None, data)
    return f"id: {seq}\nevent: {event.type}\ndata: {event.envelope_json()}\n\n".encode()


async def begin(request: Request) -> Response:
    """`POST /feed`: begin after this answer; a new show for those who come later."""
    order = await request.json()
    show: Show = request.app.state.show

    async def play() -> None:
        async for index in paced(order["events"], 1 / order["per_s"]):
            show.add(_frame(index + 1, order["text"]))
        show.end()
        request.app.state.show = Show()

    return JSONResponse({}, background=BackgroundTask(play))


async def watch(request: Request) -> Response:
    """`GET /feed`: one viewer."""
    show: Show = request.app.state.show
    return StreamingResponse(show.watch(), media_type="text/event-stream")


def build() -> Starlette:
    """The app."""
    app = Starlette(
        routes=[
            Route("/feed", begin, methods=["POST"]),
            Route("/feed", watch),
            Route("/healthz", health),
        ]
    )
    app.state.show = Show()
    return app


if __name__ == "__main__":
    uvicorn.run(build(), host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
