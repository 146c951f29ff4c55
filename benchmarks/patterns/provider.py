"""The model provider of all four (OpenAI's protocol): it draws, refuses, and keeps a ledger.

`python -m benchmarks.patterns.provider PORT`. The first user message is `{"job": NAME}`; the number
of answers so far is the step. Input is paid when a call is accepted, a word when it is sent. During
an outage new calls get 503; those that were accepted continue.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from benchmarks.patterns.environment import factor
from benchmarks.patterns.workload import BEFORE_FIRST_WORD, WORDS, input_tokens, plan

MODEL = "heavy-tailed"
TOOL = "look_up"


class Ledger:
    """What was asked for since it was opened, and when there is an outage."""

    def __init__(self) -> None:
        """Nothing yet, and no outage."""
        self.calls: Counter[str] = Counter()
        self.tokens: Counter[str] = Counter()
        self.refused = 0
        self.outage = (0.0, 0.0)
        """From and until, on the monotonic clock."""

    @property
    def out(self) -> bool:
        """True while calls are refused."""
        since, until = self.outage
        return since <= time.monotonic() < until


ledger = Ledger()


def _chunk(delta: dict[str, object], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 0, "model": MODEL}
    return f"data: {json.dumps({**head, 'choices': [choice]})}\n\n".encode()


async def answer(job: str, number: int) -> AsyncIterator[bytes]:
    """The words of that step at its pace, then its tool call."""
    step, pace = plan(job)[number], factor()
    first_s = step.model_s * BEFORE_FIRST_WORD / pace
    every_s = step.model_s * (1 - BEFORE_FIRST_WORD) / WORDS / pace
    ledger.tokens[job] += input_tokens(number)
    await asyncio.sleep(first_s)
    for word in range(WORDS):
        ledger.tokens[job] += 1
        yield _chunk({"role": "assistant", "content": f"word-{number}-{word} "})
        await asyncio.sleep(every_s)
    if step.tool_s is None:
        yield _chunk({}, "stop")
    else:
        arguments = json.dumps({"seconds": step.tool_s / pace})
        function = {"name": TOOL, "arguments": arguments}
        call = {"index": 0, "id": f"call_{number}", "type": "function", "function": function}
        yield _chunk({"role": "assistant", "tool_calls": [call]})
        yield _chunk({}, "tool_calls")
    yield b"data: [DONE]\n\n"


def asked(messages: list[dict[str, Any]]) -> tuple[str, int]:
    """The run that a conversation is of, and its step."""
    content = next(it["content"] for it in messages if it["role"] == "user")
    job = json.loads(content if isinstance(content, str) else content[0]["text"])["job"]
    return job, sum(it["role"] == "assistant" for it in messages)


async def complete(request: Request) -> Response:
    """`POST /v1/chat/completions`, streamed."""
    job, number = asked((await request.json())["messages"])
    if ledger.out:
        ledger.refused += 1
        return JSONResponse({"error": {"message": "overloaded", "type": "server_error"}}, 503)
    ledger.calls[job] += 1
    return StreamingResponse(answer(job, number), media_type="text/event-stream")


async def begin(request: Request) -> Response:
    """`POST /ledger`: open a new one; `outage_after_s` and `outage_s` are real seconds."""
    global ledger
    order, ledger = await request.json(), Ledger()
    since = time.monotonic() + order["outage_after_s"]
    ledger.outage = (since, since + order["outage_s"])
    return JSONResponse({"status": "ok"})


async def told(_request: Request) -> Response:
    """`GET /ledger`: calls and tokens by run, and the calls that were refused."""
    books = {"calls": ledger.calls, "tokens": ledger.tokens, "refused": ledger.refused}
    return JSONResponse(books)


async def health(_request: Request) -> Response:
    """`GET /healthz`."""
    return JSONResponse({"status": "ok"})


app = Starlette(
    routes=[
        Route("/v1/chat/completions", complete, methods=["POST"]),
        Route("/ledger", begin, methods=["POST"]),
        Route("/ledger", told),
        Route("/healthz", health),
    ]
)

if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
