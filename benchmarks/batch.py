"""How soon the runs of a large batch are accepted, started, begun and over.

A run has started when Temporal has its workflow, so that any worker may take it; it has begun when
its first call has. The floors are as many bare workflows, started by somebody who does nothing
else: with no worker, and with one that runs them meanwhile.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable, Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple, TypeVar

from temporalio.client import Client, WorkflowHandle

from benchmarks.alone import stack_of
from benchmarks.bare import QUEUE, Bare
from benchmarks.measure import Figure
from benchmarks.sse import fetch
from benchmarks.stack import Stack, peers
from benchmarks.submit import BODY
from relayline.journal.table import EVERY

T = TypeVar("T")
BENCH = "batch"
RUNS, QUICK_RUNS = 1000, 200
ACCEPTED_S, STARTED_S = 3.0, 15.0
"""Goals for `RUNS` runs; for fewer in proportion."""
UNSERVED = "bench-unserved"
"""A task queue without a worker."""
_AT_ONCE = 50
_LOOK_S, _END_S = 1.0, 600


class Bares(NamedTuple):
    """Seconds until all bare workflows had started, and had ended."""

    started: float
    ended: float


class Times(NamedTuple):
    """Seconds from the request until that held for all runs of the batch."""

    accepted: float
    started: float
    begun: float
    ended: float


async def measure(*, quick: bool, postgres: bool) -> list[Figure]:
    """The floors, then a batch, with one worker."""
    count = QUICK_RUNS if quick else RUNS
    with TemporaryDirectory(prefix="relayline-bench-") as folder:
        async with stack_of(Path(folder), postgres=postgres) as stack:
            async with peers(stack):
                alone = await _bare(stack.temporal, count, UNSERVED)
                served = await _bare(stack.temporal, count, QUEUE)
            return figures(count, await _batch(stack, count), alone, served)


async def _bare(temporal: Client, count: int, queue: str) -> Bares:
    """Start so many bare workflows; those without a worker are then terminated."""
    began = time.monotonic()
    handles = await _all(_started(temporal, queue) for _ in range(count))
    started = time.monotonic() - began
    if queue == QUEUE:
        await _all(handle.result() for handle in handles)
    ended = time.monotonic() - began
    if queue == UNSERVED:
        await _all(handle.terminate() for handle in handles)
    return Bares(started, ended)


async def _started(temporal: Client, queue: str) -> WorkflowHandle[Bare, float]:
    return await temporal.start_workflow(
        Bare.run, id=f"bench-bare-{uuid.uuid4().hex}", task_queue=queue
    )


async def _batch(stack: Stack, count: int) -> Times:
    """Submit a batch and wait for its end; what happened when is read afterwards."""
    body = {"runs": [BODY] * count}
    sent_at, reply = await fetch(f"{stack.api}/v1/batches", body=body, stream=False)
    assert reply.status == 202, reply
    batch_id, accepted = reply.json()["batch_id"], reply.json()["accepted"]
    assert isinstance(accepted, list)
    async with asyncio.timeout(_END_S):
        while not await _ended(f"{stack.api}/v1/batches/{batch_id}"):
            await asyncio.sleep(_LOOK_S)
    runs = [str(each["run_id"]) for each in accepted]
    assert len(runs) == count, f"{count - len(runs)} runs were rejected"
    begun, ended = await _told(stack, runs)
    started = await _all(_started_at(stack.temporal, run) for run in runs)
    moments = (reply.headed_at, max(started), begun, ended)
    return Times(*(moment - sent_at for moment in moments))


async def _ended(url: str) -> bool:
    _, reply = await fetch(url, stream=False)
    view = reply.json()
    by_status = view["by_status"]
    assert isinstance(by_status, dict)
    assert not view["ended"] or set(by_status) == {"completed"}, view
    return bool(view["ended"])


async def _told(stack: Stack, runs: Iterable[str]) -> tuple[float, float]:
    """When the last run began and when the last one ended, as the journal has it."""
    begun, ended = 0.0, 0.0
    async with stack.journal() as journal:
        for run in runs:
            for fact in await journal.read(EVERY, run, facts=True):
                if fact.type == "run.started":
                    begun = max(begun, fact.at_us / 1e6)
                if fact.ends_run:
                    ended = max(ended, fact.at_us / 1e6)
    return begun, ended


async def _started_at(temporal: Client, run: str) -> float:
    return (await temporal.get_workflow_handle(run).describe()).start_time.timestamp()


async def _all(calls: Iterable[Awaitable[T]]) -> list[T]:
    """The results of all calls, of which some are made at a time."""
    slots = asyncio.Semaphore(_AT_ONCE)

    async def one(call: Awaitable[T]) -> T:
        async with slots:
            return await call

    return await asyncio.gather(*map(one, calls))


def figures(count: int, ours: Times, alone: Bares, served: Bares) -> list[Figure]:
    """What was measured, against the goals."""

    def row(name: str, seconds: float, floor: float, against: str) -> Figure:
        return Figure(BENCH, name, "s", seconds, floor, against, load=count)

    def limited(figure: Figure, goal_s: float) -> Figure:
        goal = goal_s * count / RUNS
        return figure._replace(limit=goal, rule=f"{goal_s:g} for {RUNS:,}")

    bare = f"{count:,} bare starts"
    meanwhile = f"{bare}, run meanwhile"
    return [
        limited(row("runs in one POST → 202", ours.accepted, alone.started, bare), ACCEPTED_S),
        limited(
            row("runs in one POST → all started", ours.started, served.started, meanwhile),
            STARTED_S,
        ),
        row("runs in one POST → all begun", ours.begun, served.started, meanwhile),
        row("runs in one POST → all ended", ours.ended, served.ended, f"{meanwhile}, all ended"),
    ]
