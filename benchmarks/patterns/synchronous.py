"""A synchronous API: the request is the run. FastAPI, 40 threads in each of uvicorn's workers.

A function without `async` runs in a thread of Starlette's pool, which has 40. A client that hangs
up is not noticed: the thread finishes what nobody waits for.
"""

from __future__ import annotations

from fastapi import FastAPI, HTTPException
from openai import OpenAIError

from benchmarks.patterns import agent

app = FastAPI()
client = agent.new_client()


@app.get("/healthz")
def health() -> dict[str, str]:
    """It is up."""
    return {"status": "ok"}


@app.post("/answers")
def answer(request: agent.Job) -> dict[str, str]:
    """The whole answer."""
    try:
        return {"text": "".join(agent.run(client, request.job))}
    except OpenAIError as error:
        raise HTTPException(502, str(error)) from error
