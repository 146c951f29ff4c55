"""A model provider that stamps each token with the time it was made (OpenAI's protocol).

`python -m benchmarks.provider PORT`. The newest user message is `{"tokens": N, "every_ms": M}`.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

MODEL = "timed"


async def paced(count: int, every_s: float) -> AsyncIterator[int]:
    """0, 1, … `count - 1`, one every `every_s`, without drift."""
    loop = asyncio.get_running_loop()
    start = loop.time()
    for index in range(count):
        await asyncio.sleep(max(0.0, start + index * every_s - loop.time()))
        yield index


def _chunk(delta: dict[str, str], finish: str | None = None) -> bytes:
    chunk = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 0,
        "model": MODEL,
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
    }
    return f"data: {json.dumps(chunk)}\n\n".encode()


async def _stream(tokens: int, every_ms: float) -> AsyncIterator[bytes]:
    async for _ in paced(tokens, every_ms / 1000):
        yield _chunk({"role": "assistant", "content": f"{time.time():.6f} "})
    yield _chunk({}, "stop")
    yield b"data: [DONE]\n\n"


async def complete(request: Request) -> Response:
    """`POST /v1/chat/completions`, streamed."""
    content = (await request.json())["messages"][-1]["content"]
    text = content if isinstance(content, str) else content[0]["text"]
    order = json.loads(text)
    body = _stream(order["tokens"], order["every_ms"])
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
