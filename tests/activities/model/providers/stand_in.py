"""A small OpenAI-compatible server that answers as the model's name says."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

Chunk = dict[str, Any]
USAGE = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}


@dataclass
class StandIn:
    """What the server was asked, and who hung up."""

    url: str
    requests: list[Chunk] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    at: list[float] = field(default_factory=list)
    """When it was asked: seconds of the loop's clock."""
    hung_up: asyncio.Event = field(default_factory=asyncio.Event)


def delta(**fields: object) -> Chunk:
    return {"choices": [{"index": 0, "delta": fields, "finish_reason": None}]}


def finish(reason: str) -> list[Chunk]:
    return [
        {"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]},
        {"choices": [], "usage": USAGE},
    ]


def call(index: int, name: str | None, arguments: str) -> Chunk:
    function = {"arguments": arguments} | ({"name": name} if name else {})
    named = {"id": f"theirs_{index}", "type": "function"} if name else {}
    return delta(tool_calls=[{"index": index, "function": function, **named}])


HELLO = [delta(role="assistant", content="Hel"), delta(content="lo, "), delta(content="you")]
ANSWERS: dict[str, list[Chunk]] = {
    "text": [*HELLO, *finish("stop")],
    "local": [*HELLO, *finish("stop")],
    "reasoning": [
        delta(reasoning_content="Let me "),
        delta(reasoning_content="see."),
        delta(content="42"),
        *finish("stop"),
    ],
    "calls": [
        delta(content="I look."),
        call(0, "read_file", ""),
        call(0, None, '{"path": "REA'),
        call(0, None, 'DME.md"}'),
        call(1, "calculate", '{"expression": "6*7"}'),
        call(2, "calculate", '{"expression": '),
        *finish("tool_calls"),
    ],
    "slow-call": [
        call(0, "read_file", ""),
        *(call(0, None, piece) for piece in ('{"pa', 'th": ', '"REA', "DME", '.md"}')),
        *finish("tool_calls"),
    ],
    "length": [delta(content="cut"), *finish("length")],
    "no-end": [delta(content="cut off")],
    "dies": [delta(content="half an ans")],
    "falls-silent": [delta(content="half an ans")],
    "writes": [call(0, "read_file", '{"path": "')],
    "empty": finish("stop"),
    "thinks-only": [delta(reasoning_content="hm"), *finish("length")],
    "blank": [delta(content=" \n"), *finish("stop")],
    "filtered": finish("content_filter"),
    "surrogates": [delta(content="half \ud83d of it"), *finish("stop")],
}
FAILURES: dict[str, tuple[int, dict[str, str]]] = {
    "429": (429, {"Retry-After": "3"}),
    "401": (401, {}),
    "404": (404, {}),
    "500": (500, {}),
    "503": (503, {}),
}


@asynccontextmanager
async def serving() -> AsyncIterator[StandIn]:
    """The server on a free port of the loopback."""
    listener = socket.create_server(("127.0.0.1", 0))
    stand_in = StandIn(f"http://127.0.0.1:{listener.getsockname()[1]}/v1")
    app = Starlette(routes=[Route("/v1/chat/completions", _answer(stand_in), methods=["POST"])])
    config = uvicorn.Config(app, log_level="critical", lifespan="off", timeout_keep_alive=620)
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield stand_in
    finally:
        server.should_exit = True
        server.force_exit = True
        await task
        listener.close()


def _answer(stand_in: StandIn) -> Callable[[Request], Any]:
    async def answer(request: Request) -> Response:
        asked = await request.json()
        key = request.headers.get("authorization", "").removeprefix("Bearer ")
        stand_in.requests.append(asked)
        stand_in.keys.append(key)
        stand_in.at.append(asyncio.get_running_loop().time())
        model = asked["model"]
        if model == "hangs":
            while not await request.is_disconnected():
                await asyncio.sleep(0.02)
            stand_in.hung_up.set()
        if model in FAILURES:
            status, headers = FAILURES[model]
            said = f"no {model} with key {key}: " + "x" * 3000
            body = {"error": {"message": said, "type": "t", "code": "c"}}
            return JSONResponse(body, status, headers)
        chunks = ANSWERS.get(model, [])
        return StreamingResponse(_stream(stand_in, model, chunks), media_type="text/event-stream")

    return answer


async def _stream(stand_in: StandIn, model: str, chunks: Iterable[Chunk]) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield _frame(model, chunk)
        if model == "slow-call" and "tool_calls" in str(chunk):
            await asyncio.sleep(0.35)
    if model == "dies":
        raise ConnectionAbortedError("the stand-in dies in mid-stream")
    try:
        while model in ENDLESS:
            yield ENDLESS[model]
            await asyncio.sleep(0.01)
    except asyncio.CancelledError:
        stand_in.hung_up.set()
        raise
    yield b"data: [DONE]\n\n"


def _frame(model: str, chunk: Chunk) -> bytes:
    whole = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": model, **chunk}
    return f"data: {json.dumps(whole)}\n\n".encode()


ENDLESS = {
    "endless": _frame("endless", delta(content="on ")),
    "floods": _frame("floods", delta(content="é" * 50_000)),
    "broods": _frame("broods", delta(reasoning_content="x" * 100_000)),
    "writes": _frame("writes", call(0, None, "x" * 100_000)),
    "pings": b": still here\n\n",
    "falls-silent": b": still here\n\n",
}
"""What these models send again and again."""
