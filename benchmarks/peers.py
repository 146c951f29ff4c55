"""The same streaming job on `temporalio.contrib.workflow_streams`."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta

from pydantic import BaseModel, ConfigDict
from temporalio import activity, workflow
from temporalio.contrib.workflow_streams import WorkflowStream, WorkflowStreamClient

TOPIC = "tokens"
_TIMEOUT = timedelta(minutes=2)


class TokenJob(BaseModel):
    """Tokens to stream."""

    model_config = ConfigDict(frozen=True)

    tokens: int
    every_ms: float
    batch_ms: float
    """How long the publisher gathers."""


@activity.defn
async def stream_tokens(job: TokenJob) -> None:
    """Publish tokens, each stamped with the time it was made; the first one at once."""
    loop = asyncio.get_running_loop()
    batch = timedelta(milliseconds=job.batch_ms)
    async with WorkflowStreamClient.from_within_activity(batch_interval=batch) as client:
        topic = client.topic(TOPIC, type=str)
        start = loop.time()
        for index in range(job.tokens):
            await asyncio.sleep(max(0.0, start + index * job.every_ms / 1000 - loop.time()))
            topic.publish(f"{time.time():.6f}", force_flush=index == 0)


@workflow.defn
class StreamedRun:
    """An agent run of one step, streamed as the Workflow Streams guide does it."""

    @workflow.init
    def __init__(self, job: TokenJob) -> None:  # noqa: ARG002 -- Temporal fixes it
        self._stream = WorkflowStream()

    @workflow.run
    async def run(self, job: TokenJob) -> None:
        """Stream, then return."""
        await workflow.execute_activity(stream_tokens, job, start_to_close_timeout=_TIMEOUT)
