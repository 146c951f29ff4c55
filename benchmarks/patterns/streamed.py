"""A stream from the request's own task, as in a chat demo: FastAPI, Server-Sent Events."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from openai import OpenAIError

from benchmarks.patterns import agent

app = FastAPI()
client = agent.new_async_client()


@app.get("/healthz")
async def health() -> dict[str, str]:
    """It is up."""
    return {"status": "ok"}


@app.post("/streams")
async def stream(request: agent.Job) -> StreamingResponse:
    """The answer, word by word; `done` is its end, `error` that of one that failed."""
    return StreamingResponse(_events(request.job), media_type="text/event-stream")


async def _events(job: str) -> AsyncIterator[str]:
    try:
        async for text in agent.run_async(client, job):
            yield f"event: text\ndata: {json.dumps(text)}\n\n"
    except OpenAIError as error:
        yield f"event: error\ndata: {json.dumps(str(error))}\n\n"
    else:
        yield "event: done\ndata: {}\n\n"
