"""How soon a submitted run is accepted, begins to stream and says its first word."""

from __future__ import annotations

import asyncio
import time
import uuid
from dataclasses import dataclass, field

from benchmarks.bare import QUEUE, Bare
from benchmarks.measure import Figure, p50, p95
from benchmarks.sse import fetch
from benchmarks.stack import Stack

BENCH = "submit"
ROUNDS = 100
QUICK_ROUNDS = 20
PAUSE_S = 0.1
LISTED = 20
"""Runs that are looked for in the list."""
_LISTED_S, _ASK_AGAIN_S = 20, 0.02
BODY = {"agent": "assistant", "input": '{"rehearse":[{"say":"hello world"}]}'}


@dataclass
class Times:
    """Milliseconds, one of each per round."""

    start: list[float] = field(default_factory=list)
    activity: list[float] = field(default_factory=list)
    accepted: list[float] = field(default_factory=list)
    first_frame: list[float] = field(default_factory=list)
    first_delta: list[float] = field(default_factory=list)
    ended: list[float] = field(default_factory=list)
    listed: list[float] = field(default_factory=list)
    """From the 202 until a list had the run, of some rounds."""
    unlisted: int = 0
    """Runs that the next list did not have."""


async def bare(stack: Stack, times: Times | None = None) -> None:
    """The floor: start a workflow whose only activity tells when it ran."""
    began = time.time()
    handle = await stack.temporal.start_workflow(
        Bare.run, id=f"bench-bare-{uuid.uuid4().hex}", task_queue=QUEUE
    )
    started = time.time()
    ran_at = await handle.result()
    if times:
        times.start.append((started - began) * 1e3)
        times.activity.append((ran_at - began) * 1e3)


async def _accepted(stack: Stack, times: Times) -> None:
    sent_at, reply = await fetch(stack.runs, body=BODY, stream=False)
    assert reply.status == 202, reply
    times.accepted.append((reply.headed_at - sent_at) * 1e3)
    if len(times.listed) < LISTED:
        await _listed(stack, str(reply.json()["run_id"]), times)


async def _listed(stack: Stack, run_id: str, times: Times) -> None:
    """Ask for the list until it has the run."""
    began, asked = time.monotonic(), 0
    async with asyncio.timeout(_LISTED_S):
        while True:
            _, reply = await fetch(f"{stack.runs}?limit=20", stream=False)
            asked += 1
            if run_id.encode() in b"".join(piece.data for piece in reply.body):
                break
            await asyncio.sleep(_ASK_AGAIN_S)
    times.listed.append((time.monotonic() - began) * 1e3)
    times.unlisted += asked > 1


async def _streamed(stack: Stack, times: Times) -> None:
    sent_at, reply = await fetch(stack.runs, body=BODY)
    frames = reply.frames()
    first_delta = next(frame.at for frame in frames if frame.type == "message.delta")
    assert frames[0].id == 1, frames[0]
    assert frames[-1].type == "run.completed", frames[-1]
    times.first_frame.append((frames[0].at - sent_at) * 1e3)
    times.first_delta.append((first_delta - sent_at) * 1e3)
    times.ended.append((frames[-1].at - sent_at) * 1e3)


async def measure(stack: Stack, *, quick: bool) -> list[Figure]:
    """Floor and ours in turn, about `PAUSE_S` apart."""
    times = Times()
    for _ in range(3):
        await bare(stack)
    for _ in range(QUICK_ROUNDS if quick else ROUNDS):
        await bare(stack, times)
        await asyncio.sleep(PAUSE_S)
        await _accepted(stack, times)
        await asyncio.sleep(PAUSE_S)
        await _streamed(stack, times)
        await asyncio.sleep(PAUSE_S)
    return figures(times)


def figures(times: Times) -> list[Figure]:
    """What was measured, against the goals."""
    start, activity = p95(times.start), p50(times.activity)
    bare_start, bare_activity = "bare start_workflow", "bare start → activity code"

    def row(name: str, ours: float) -> Figure:
        return Figure(BENCH, name, "ms", ours)

    return [
        row("POST → 202, p50", p50(times.accepted))._replace(
            floor=p50(times.start), against=bare_start
        ),
        row("POST → 202, p95", p95(times.accepted))._replace(
            floor=start, against=bare_start, limit=start + 10, rule="floor + 10"
        ),
        row("POST → first frame, p50", p50(times.first_frame))._replace(
            floor=p50(times.start),
            against=bare_start,
            limit=1.3 * p50(times.start) + 3,
            rule="1.3 x floor + 3",
        ),
        row("POST → first frame, p95", p95(times.first_frame))._replace(
            floor=p95(times.activity), against=bare_activity, limit=60, rule="60"
        ),
        row("POST → first delta, p50", p50(times.first_delta))._replace(
            floor=activity, against=bare_activity, limit=1.25 * activity, rule="1.25 x floor"
        ),
        row("POST → first delta, p95", p95(times.first_delta))._replace(
            floor=p95(times.activity), against=bare_activity
        ),
        row("POST → run.completed, p50", p50(times.ended)),
        row("202 → the list has the run, p95", p95(times.listed)),
        Figure(
            BENCH,
            "not in the next list after the 202",
            "runs",
            times.unlisted,
            limit=0,
            rule="none",
        ),
    ]
