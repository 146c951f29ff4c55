"""A queue that is polled: a task of Celery with Redis; the client asks until it is done.

`PATTERNS_CAREFUL=1` sets what those set who have read Celery's pages on lost tasks: a task is
acknowledged when it has ended, and one whose worker is gone is given to another after the time-out.
"""

from __future__ import annotations

import os
from functools import cache

from celery import Celery, Task  # type: ignore[import-untyped]
from celery.result import AsyncResult  # type: ignore[import-untyped]
from fastapi import FastAPI
from openai import OpenAI, OpenAIError
from pydantic import BaseModel

from benchmarks.patterns import agent
from benchmarks.patterns.environment import BROKER, CAREFUL, factor

VISIBILITY_S = 90.0
"""When a task that was not acknowledged is given to another worker; Celery's default is an hour.
It must be more than the longest run takes."""
SWEEP_S = 10.0
"""How often workers look for such tasks: each time, by default it is every tenth time."""
FIRST_RETRY_S, LONGEST_RETRY_S = 1.0, 8.0
"""Pauses of a task whose provider failed: as a client of the others makes them."""
PROGRESS = "PROGRESS"

queue = Celery("patterns", broker=os.environ[BROKER], backend=os.environ[BROKER])
queue.conf.task_track_started = True
if os.environ.get(CAREFUL) == "1":
    queue.conf.task_acks_late = True
    queue.conf.task_reject_on_worker_lost = True
    queue.conf.worker_prefetch_multiplier = 1
    queue.conf.broker_transport_options = {
        "visibility_timeout": VISIBILITY_S / factor(),
        "unacked_restore_interval": SWEEP_S / factor(),
        "unacked_restore_throttle": 1,
    }


@cache
def _client() -> OpenAI:
    """One for the worker."""
    return agent.new_client()


@queue.task(bind=True, max_retries=None)  # type: ignore[untyped-decorator]
def run(self: Task, job: str) -> str:
    """The whole answer; after each step, what there is of it."""
    text = ""
    try:
        for step in agent.run(_client(), job):
            text += step
            self.update_state(state=PROGRESS, meta={"text": text})
    except OpenAIError as error:
        pause_s = min(FIRST_RETRY_S * 2**self.request.retries, LONGEST_RETRY_S) / factor()
        raise self.retry(countdown=pause_s, exc=RuntimeError(str(error))) from error
    return text


class State(BaseModel):
    """What a poll tells."""

    state: str
    text: str = ""


app = FastAPI()


@app.get("/healthz")
def health() -> dict[str, str]:
    """It is up."""
    return {"status": "ok"}


@app.post("/jobs", status_code=202)
def submit(request: agent.Job) -> dict[str, str]:
    """Queue it."""
    return {"id": run.delay(request.job).id}


@app.get("/jobs/{job_id}")
def state(job_id: str) -> State:
    """How far it is."""
    found = AsyncResult(job_id, app=queue)
    if found.state == "SUCCESS":
        return State(state=found.state, text=found.result)
    said = found.info.get("text", "") if isinstance(found.info, dict) else ""
    return State(state=found.state, text=said)
