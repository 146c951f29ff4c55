"""A model provider (OpenAI's protocol) that answers as the story says."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.activities.model.providers.stand_in import call, delta
from tests.web.pictures.story import ALL, Answer

_refused: set[str] = set()
"""Answers whose first attempt was refused."""


def _frame(chunk: dict[str, Any]) -> bytes:
    whole = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", **chunk}
    return f"data: {json.dumps(whole)}\n\n".encode()


async def _streamed(answer: Answer, asked: int) -> AsyncIterator[bytes]:
    for word in answer.thought.split(" ") if answer.thought else ():
        yield _frame(delta(reasoning_content=f"{word} "))
        await asyncio.sleep(answer.every_s)
    for word in answer.text.split(" ") if answer.text else ():
        yield _frame(delta(content=f"{word} "))
        await asyncio.sleep(answer.every_s)
    for index, (name, arguments) in enumerate(answer.calls):
        yield _frame(call(index, name, json.dumps(arguments)))
    usage = {"prompt_tokens": asked // 4, "completion_tokens": len(answer.text) // 4 + 20}
    usage["total_tokens"] = sum(usage.values())
    reason = "tool_calls" if answer.calls else "stop"
    yield _frame({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
    yield _frame({"choices": [], "usage": usage})
    yield b"data: [DONE]\n\n"


async def _complete(request: Request) -> Response:
    messages = (await request.json())["messages"]
    said = json.dumps(messages)
    step = sum(message["role"] == "assistant" for message in messages)
    answers = next(it.answers for it in ALL if json.dumps(it.text)[1:-1] in said)
    answer = answers[min(step, len(answers) - 1)]
    if answer.busy and answer.text not in _refused:
        _refused.add(answer.text)
        return JSONResponse({"error": {"message": "busy"}}, 429, {"Retry-After": "1"})
    return StreamingResponse(_streamed(answer, len(said)), media_type="text/event-stream")


@asynccontextmanager
async def serving() -> AsyncIterator[str]:
    """The provider on a free port of the loopback; its base URL."""
    listener = socket.create_server(("127.0.0.1", 0))
    app = Starlette(routes=[Route("/v1/chat/completions", _complete, methods=["POST"])])
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off"))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
    finally:
        server.should_exit = server.force_exit = True
        await task
        listener.close()
