"""The same streaming job done by `temporalio.contrib.workflow_streams`, in the same run.

50 tokens a second, one viewer. Each token carries the time it was made: ours come from a model
provider over HTTP, theirs are made in the activity itself.
"""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from dataclasses import dataclass, field
from datetime import timedelta

from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.contrib.workflow_streams import WorkflowStreamClient

from benchmarks.bare import QUEUE
from benchmarks.measure import Figure, p50, p95
from benchmarks.peers import TOPIC, StreamedRun, TokenJob
from benchmarks.provider import MODEL
from benchmarks.sse import fetch
from benchmarks.stack import Stack

BENCH = "rivals"
EVERY_MS = 20
ROUNDS = 3
SETTINGS = ((20, 0), (100, 100))
"""Batch interval of their publisher and cooldown of their viewer, in milliseconds."""


@dataclass
class Column:
    """What one of them did."""

    first_ms: list[float] = field(default_factory=list)
    """Submitted to first token received."""
    token_ms: list[float] = field(default_factory=list)
    """Each token, made to received."""
    events: int = 0
    """Of Temporal history, all rounds."""
    tokens: int = 0

    def add(self, sent_at: float, received: list[tuple[float, float]], events: int) -> None:
        """Take one round in; `received` is `(made, received)` of each token."""
        self.first_ms.append((received[0][1] - sent_at) * 1e3)
        self.token_ms += [(came - made) * 1e3 for made, came in received]
        self.events += events
        self.tokens += len(received)


async def ours(stack: Stack, tokens: int, column: Column) -> None:
    """One run of a model whose tokens tell when they were made."""
    body = {
        "agent": "assistant",
        "model": f"compatible:{MODEL}",
        "input": json.dumps({"tokens": tokens, "every_ms": EVERY_MS}),
    }
    sent_at, reply = await fetch(stack.runs, body=body)
    frames = reply.frames()
    assert frames[-1].type == "run.completed", frames[-1]
    received = [
        (float(made), frame.at)
        for frame in frames
        if frame.type == "message.delta"
        for made in json.loads(frame.data)["data"]["text"].split()
    ]
    assert len(received) == tokens, f"{len(received)} tokens of {tokens}"
    handle = stack.temporal.get_workflow_handle(json.loads(frames[0].data)["run_id"])
    await handle.result()
    column.add(sent_at, received, len((await handle.fetch_history()).events))


async def theirs(client: Client, tokens: int, setting: tuple[float, float], column: Column) -> None:
    """One workflow that hosts a stream."""
    batch_ms, cooldown_ms = setting
    job = TokenJob(tokens=tokens, every_ms=EVERY_MS, batch_ms=batch_ms)
    sent_at = time.time()
    handle = await client.start_workflow(
        StreamedRun.run, job, id=f"bench-stream-{uuid.uuid4().hex}", task_queue=QUEUE
    )
    stream = WorkflowStreamClient.create(client, handle.id)
    cooldown = timedelta(milliseconds=cooldown_ms)
    tokens_seen = stream.subscribe(TOPIC, result_type=str, poll_cooldown=cooldown)
    received = [(float(item.data), time.time()) async for item in tokens_seen]
    assert len(received) == tokens, f"{len(received)} tokens of {tokens}"
    await handle.result()
    column.add(sent_at, received, len((await handle.fetch_history()).events))


async def measure(stack: Stack, *, quick: bool) -> list[Figure]:
    """Ours and theirs in turn; theirs in its fastest and in its default setting."""
    tokens = 50 if quick else 100
    address = stack.temporal.service_client.config.target_host
    client = await Client.connect(address, data_converter=pydantic_data_converter)
    mine, rivals = Column(), [Column() for _ in SETTINGS]
    await ours(stack, 5, Column())
    await theirs(client, 5, SETTINGS[0], Column())
    for _ in range(ROUNDS):
        await ours(stack, tokens, mine)
        for setting, rival in zip(SETTINGS, rivals, strict=True):
            await theirs(client, tokens, setting, rival)
            await asyncio.sleep(0.1)
    return [
        figure
        for (batch_ms, cooldown_ms), rival in zip(SETTINGS, rivals, strict=True)
        for figure in _compare(
            mine, rival, f"workflow_streams, batch {batch_ms} ms, cooldown {cooldown_ms} ms"
        )
    ]


def _compare(mine: Column, rival: Column, against: str) -> list[Figure]:
    def row(name: str, unit: str, ours: float, theirs: float) -> Figure:
        return Figure(BENCH, name, unit, ours, floor=theirs, against=against)

    return [
        row("submitted → first token", "ms", p50(mine.first_ms), p50(rival.first_ms)),
        row("token made → received, p50", "ms", p50(mine.token_ms), p50(rival.token_ms)),
        row("token made → received, p95", "ms", p95(mine.token_ms), p95(rival.token_ms)),
        row(
            "history events per token",
            "",
            mine.events / mine.tokens,
            rival.events / rival.tokens,
        ),
    ]
