"""The processor time of a short run, of a delta, and of a second of a call that says nothing.

Each process by itself, its children included, from /proc: waiting for others costs nothing here, so
a busy machine spoils these figures less than latencies. It still adds up to a half.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

from benchmarks.deltas import script
from benchmarks.measure import Figure
from benchmarks.processors import more, of_kinds
from benchmarks.silent import CALLS, silence
from benchmarks.sse import fetch, open_stream
from benchmarks.stack import Stack
from benchmarks.submit import BODY, bare
from benchmarks.viewers import Show
from benchmarks.viewers import floor as bare_broadcast

BENCH = "processor"
AT_ONCE = 12
"""Short runs at a time."""
STREAMS, PER_S = 20, 50
"""Runs at a time, and tokens per second of each."""
RUN_MS, DELTA_US, SILENT_MS, HEARTBEATS_PER_S = 11.0, 180.0, 0.3, 0.05
_BEGIN_S, _END_S = 1.5, 1.0
"""Of a streaming run, left out of the window in which deltas are counted."""
OURS = ("worker", "api")


class Cost(NamedTuple):
    """What a number of like things took."""

    times: int
    cpu_s: Mapping[str, float]
    """Processor seconds by kind of process."""

    def per(self, *kinds: str) -> float:
        """Processor seconds of these kinds of process for one of them."""
        return sum(self.cpu_s[kind] for kind in kinds) / self.times


async def measure(stack: Stack, *, quick: bool) -> list[Figure]:
    """One after the other, each with its floor."""
    seconds = 2.0 if quick else 8.0
    run, floor = await _short_runs(stack, seconds), await _bare_runs(stack, seconds)
    streamed, whole = await _streamed(stack, seconds)
    broadcast = await bare_broadcast(stack, STREAMS, seconds / 2, PER_S)
    silent = await silence(stack, quick=quick)
    return [
        *run_figures(run, floor),
        *delta_figures(streamed, whole, broadcast),
        *silent_figures(Cost(1, silent.cpu_s), Cost(1, silent.idle_s), silent.heartbeats_per_s),
    ]


async def used(stack: Stack, work: Callable[[], Awaitable[int]]) -> Cost:
    """What the stack's processes took for work that says how often it was done."""
    before = stack.cpu_s()
    times = await work()
    return Cost(times, more(stack.cpu_s(), before))


async def again(one: Callable[[], Awaitable[object]], seconds: float) -> int:
    """`AT_ONCE` clients do it again and again for so long; how often it was done."""
    until = time.monotonic() + seconds

    async def client() -> int:
        done = 0
        while time.monotonic() < until:
            await one()
            done += 1
        return done

    return sum(await asyncio.gather(*(client() for _ in range(AT_ONCE))))


async def _short_runs(stack: Stack, seconds: float) -> Cost:
    async def run() -> None:
        _, reply = await fetch(stack.runs, body=BODY)
        assert reply.frames()[-1].type == "run.completed", reply

    return await used(stack, lambda: again(run, seconds))


async def _bare_runs(stack: Stack, seconds: float) -> Cost:
    """The same of bare workflows; their worker stands for ours."""
    pids = {"worker": [stack.peer_pid], "temporal": stack.pids()["temporal"]}
    before = of_kinds(pids)
    times = await again(lambda: bare(stack), seconds)
    return Cost(times, more(of_kinds(pids), before))


async def _streamed(stack: Stack, seconds: float) -> tuple[Cost, Cost]:
    """Deltas while all runs stream; and all of the runs, from start to end."""
    first = stack.cpu_s()
    body = script(_BEGIN_S + seconds + _END_S)
    opened = await asyncio.gather(*(open_stream(stack.runs, body=body) for _ in range(STREAMS)))
    viewers = [viewer for _, viewer in opened]
    await asyncio.gather(*(viewer.begun for viewer in viewers))
    await asyncio.sleep(_BEGIN_S)
    began, before = time.time(), stack.cpu_s()
    await asyncio.sleep(seconds)
    over, after = time.time(), stack.cpu_s()
    await asyncio.gather(*(viewer.closed for viewer in viewers))
    streams = [viewer.reply().frames() for viewer in viewers]
    assert all(frames[-1].type == "run.completed" for frames in streams)
    came = [it.at for frames in streams for it in frames if it.type == "message.delta"]
    within = sum(began <= at < over for at in came)
    return Cost(within, more(after, before)), Cost(len(came), more(stack.cpu_s(), first))


def run_figures(run: Cost, floor: Cost) -> list[Figure]:
    """Of short runs, against bare workflows."""
    name, against = f"a short run, {AT_ONCE} at a time", "a bare workflow"
    floors = {kind: floor.per(kind) * 1e3 for kind in floor.cpu_s}
    return [
        Figure(
            BENCH, f"{name}: CPU of worker + API", "ms", run.per(*OURS) * 1e3, floors["worker"]
        )._replace(against=f"{against}'s worker", limit=RUN_MS, rule=f"{RUN_MS:g}"),
        *(
            Figure(
                BENCH, f"{name}: CPU of {kind}", "ms", run.per(kind) * 1e3, floors.get(kind)
            )._replace(against=against if kind in floors else "")
            for kind in run.cpu_s
        ),
    ]


def delta_figures(streamed: Cost, whole: Cost, bare: Show) -> list[Figure]:
    """Of deltas, against a bare broadcast that delivers as many."""
    name = f"a delta, {STREAMS} runs at {PER_S} tokens/s"
    against = f"bare Starlette broadcast to {bare.viewers}"

    def row(name: str, ours: float) -> Figure:
        return Figure(BENCH, name, "µs", ours * 1e6, floor=bare.cpu_us, against=against)

    def limited(figure: Figure) -> Figure:
        return figure._replace(limit=DELTA_US, rule=f"{DELTA_US:g}")

    included = f"{name}, start and end of the runs included"
    return [
        limited(row(f"{name}: CPU of worker + API", streamed.per(*OURS))),
        *(row(f"{name}: CPU of {kind}", streamed.per(kind)) for kind in streamed.cpu_s),
        row(f"{included}: CPU of worker + API", whole.per(*OURS)),
    ]


def silent_figures(call: Cost, idle: Cost, heartbeats_per_s: float) -> list[Figure]:
    """Of a second of a silent call; the floor is the stack's second without calls, shared out."""
    name = f"a second of a silent call, {CALLS} in one worker"
    both = ("worker", "temporal")

    def row(what: str, *kinds: str) -> Figure:
        ours, floor = call.per(*kinds) * 1e3, idle.per(*kinds) * 1e3
        return Figure(BENCH, f"{name}: CPU of {what}", "ms", ours, floor, "the same with no calls")

    return [
        row("worker + Temporal", *both)._replace(limit=SILENT_MS, rule=f"{SILENT_MS:g}"),
        *(row(kind, kind) for kind in call.cpu_s),
        Figure(BENCH, f"{name}: heartbeats", "1/s", heartbeats_per_s)._replace(
            limit=HEARTBEATS_PER_S, rule=f"{HEARTBEATS_PER_S:g}"
        ),
    ]
