"""A model provider that does as it is told and notes when it was told so (OpenAI's protocol).

`python -m benchmarks.provider PORT`. The newest user message is an order: `{"tokens": N,
"every_ms": M}` streams tokens that are the times they were made, `{"call": NAME,
"arguments": {…}}` asks for a tool. With `"note": PATH` it notes when it was `asked`, when its
tokens were `started`, and when they were `stopped` because the client had closed the connection.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from benchmarks import notes

MODEL = "timed"


async def paced(count: int, every_s: float) -> AsyncIterator[int]:
    """0, 1, … `count - 1`, one every `every_s`, without drift."""
    loop = asyncio.get_running_loop()
    start = loop.time()
    for index in range(count):
        await asyncio.sleep(max(0.0, start + index * every_s - loop.time()))
        yield index


def _chunk(delta: Mapping[str, object], finish: str | None = None) -> bytes:
    chunk = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 0,
        "model": MODEL,
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
    }
    return f"data: {json.dumps(chunk)}\n\n".encode()


async def _tokens(count: int, every_ms: float) -> AsyncIterator[bytes]:
    async for _ in paced(count, every_ms / 1000):
        yield _chunk({"role": "assistant", "content": f"{time.time():.6f} "})
    yield _chunk({}, "stop")
    yield b"data: [DONE]\n\n"


async def _call(name: str, arguments: object) -> AsyncIterator[bytes]:
    function = {"name": name, "arguments": json.dumps(arguments)}
    call = {"index": 0, "id": "call_1", "type": "function", "function": function}
    yield _chunk({"role": "assistant", "tool_calls": [call]})
    yield _chunk({}, "tool_calls")
    yield b"data: [DONE]\n\n"


async def _noted(stream: AsyncIterator[bytes], note: str) -> AsyncIterator[bytes]:
    """The stream, with notes of its start and of an end that is not its own."""
    notes.leave(note, "started")
    try:
        async for piece in stream:
            yield piece
    except asyncio.CancelledError:
        notes.leave(note, "stopped")
        raise


def newest_order(messages: list[dict[str, Any]]) -> dict[str, Any]:
    """What the newest user message says."""
    content = next(each["content"] for each in reversed(messages) if each["role"] == "user")
    order = json.loads(content if isinstance(content, str) else content[0]["text"])
    assert isinstance(order, dict), order
    return order


async def complete(request: Request) -> Response:
    """`POST /v1/chat/completions`, streamed."""
    order = newest_order((await request.json())["messages"])
    note = order.get("note")
    if note:
        notes.leave(note, "asked")
    if "call" in order:
        body = _call(order["call"], order["arguments"])
    else:
        body = _tokens(order["tokens"], order["every_ms"])
        body = _noted(body, note) if note else body
    return StreamingResponse(body, media_type="text/event-stream")


async def health(_request: Request) -> Response:
    """`GET /healthz`."""
    return JSONResponse({"status": "ok"})


app = Starlette(
    routes=[
        Route("/v1/chat/completions", complete, methods=["POST"]),
        Route("/healthz", health),
    ]
)

if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
