"""How soon a run begins for a client with a new connection, in quiet moments and in others.

The clock starts before the client connects; in `benchmarks.submit` it starts once it is connected.
The floors are bare workflows in the same moments, started by a client that stays connected.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

from benchmarks.measure import Figure, p50, p95
from benchmarks.sse import fetch
from benchmarks.stack import Stack
from benchmarks.submit import BODY, Times, bare

BENCH = "cold"
ROUNDS, QUICK_ROUNDS = 60, 8
PAUSE_S = 0.1
OTHERS, OTHERS_PAUSE_S = 3, 0.4
"""Clients that begin a run, see its end, and rest up to so long before the next."""
FRAME_OF_START, FRAME_MORE_MS = 1.3, 3.0
DELTA_OF_ACTIVITY = 1.5

Before = Callable[[], Awaitable[object]]


@dataclass
class Begun:
    """Milliseconds since the client began to connect, one per round."""

    first_frame: list[float] = field(default_factory=list)
    first_delta: list[float] = field(default_factory=list)
    floor: Times = field(default_factory=Times)
    """Of bare workflows."""


async def measure(stack: Stack, *, quick: bool) -> list[Figure]:
    """Ours and the floor in turn; first after a rest, then after a run, then while others end."""
    rounds = QUICK_ROUNDS if quick else ROUNDS

    async def rest() -> None:
        await asyncio.sleep(PAUSE_S)

    quiet = await _rounds(stack, rounds, rest, rest)
    after = await _rounds(stack, rounds, lambda: fetch(stack.runs, body=BODY), lambda: bare(stack))
    async with others(stack) as ended:
        began = time.monotonic()
        among = await _rounds(stack, rounds, rest, rest)
        per_s = len(ended) / (time.monotonic() - began)
    return [
        *figures("cold connection", quiet),
        *figures("cold connection, right after another run", after),
        *figures("cold connection, while other runs end", among),
        Figure(BENCH, "other runs that ended", "1/s", per_s),
    ]


async def _rounds(stack: Stack, rounds: int, before_ours: Before, before_floor: Before) -> Begun:
    begun = Begun()
    for _ in range(rounds):
        await before_floor()
        await bare(stack, begun.floor)
        await before_ours()
        await _begin(stack, begun)
    return begun


async def _begin(stack: Stack, begun: Begun) -> None:
    began = time.time()
    _, reply = await fetch(stack.runs, body=BODY)
    frames = reply.frames()
    assert frames[-1].type == "run.completed", frames[-1]
    delta = next(frame for frame in frames if frame.type == "message.delta")
    begun.first_frame.append((frames[0].at - began) * 1e3)
    begun.first_delta.append((delta.at - began) * 1e3)


@contextlib.asynccontextmanager
async def others(stack: Stack) -> AsyncIterator[list[None]]:
    """Other clients' runs begin and end all the time; the list grows by one with each end."""
    chance = random.Random(OTHERS)  # noqa: S311  no secret
    ended: list[None] = []

    async def again_and_again() -> None:
        while True:
            await asyncio.sleep(chance.uniform(0, OTHERS_PAUSE_S))
            await fetch(stack.runs, body=BODY)
            ended.append(None)

    tasks = [asyncio.create_task(again_and_again()) for _ in range(OTHERS)]
    try:
        yield ended
    finally:
        for task in tasks:
            task.cancel()
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            assert isinstance(outcome, asyncio.CancelledError), outcome


def figures(when: str, begun: Begun) -> list[Figure]:
    """What was measured, against the goals."""
    floor, frame, delta = begun.floor, begun.first_frame, begun.first_delta

    def row(what: str, ours: float, floor: float, against: str) -> Figure:
        return Figure(BENCH, f"{when}: POST → {what}", "ms", ours, floor=floor, against=against)

    started, ran = "bare start_workflow", "bare start → activity code"
    start, activity = p50(floor.start), p50(floor.activity)
    return [
        row("first frame, p50", p50(frame), start, started)._replace(
            limit=FRAME_OF_START * start + FRAME_MORE_MS,
            rule=f"{FRAME_OF_START} x floor + {FRAME_MORE_MS:g}",
        ),
        row("first frame, p95", p95(frame), p95(floor.start), started),
        row("first delta, p50", p50(delta), activity, ran)._replace(
            limit=DELTA_OF_ACTIVITY * activity, rule=f"{DELTA_OF_ACTIVITY} x floor"
        ),
        row("first delta, p95", p95(delta), p95(floor.activity), ran),
    ]
