"""Cost against load: runs at once, 1 to 500, and viewers of one run, 1 to 5,000.

`python -m benchmarks --chart FILE.json` draws it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from benchmarks import viewers
from benchmarks.alone import stack_of
from benchmarks.deltas import hops_ms, script
from benchmarks.measure import Figure, in_order, p50, p95
from benchmarks.processors import more
from benchmarks.sse import Frame, Recorder, open_stream
from benchmarks.stack import Stack
from benchmarks.viewers import Show

BENCH = "load"
RUNS, QUICK_RUNS = (1, 5, 20, 50, 100, 200, 500), (1, 20)
FEW, FEW_TIMES = 10, 3
"""Fewer runs are measured for so many times as long: processor time comes in ticks."""
EVERY_MS = 50
"""Each run says so often a word, which is a delta: 20 a second."""
WORKERS = 2
MODEL_CALLS = {"RELAYLINE_MAX_MODEL_CALLS": "500"}
"""Of each worker, 200 by default: so that no run waits for another."""
VIEWERS, QUICK_VIEWERS = (1, 10, 100, 1000, 2500, 5000), (1, 100)
MEMORY_FROM = 1000
"""Viewers from which on memory is told: with fewer, what grows once counts for too much."""
EVENTS_PER_S, DELIVERIES_PER_S = 50, 25_000
"""Events per second of the run that is watched, fewer where the deliveries would be more."""
P95_MS, DELTAS_PER_S, VIEWER_KB = 50, 9000, 15
_AT_A_TIME = 25
_SETTLE_S = 2.0
_PATIENCE_S = 60.0
"""How long to wait for streams to begin, and to end; the rest counts as not seen whole."""


class Window(NamedTuple):
    """Some seconds of so many streaming runs, each with one viewer."""

    runs: int
    whole: int
    """Runs whose viewer got all, each event once and in order."""
    ms: list[float]
    """Of each delta in the window, from written to received."""
    seconds: float
    cpu_s: Mapping[str, float]
    """Processor seconds by kind of process; this process, the viewers, as `clients`."""


async def measure(*, quick: bool, postgres: bool) -> list[Figure]:
    """Runs with two workers, viewers with one, the fewest first."""
    seconds = 2.0 if quick else 10.0
    figures: list[Figure] = []
    with TemporaryDirectory(prefix="relayline-bench-") as folder:
        data_dir = Path(folder)
        begin = partial(stack_of, postgres=postgres)
        async with begin(data_dir / "runs", workers=WORKERS, env=MODEL_CALLS) as stack:
            for runs in QUICK_RUNS if quick else RUNS:
                length = seconds if runs >= FEW else FEW_TIMES * seconds
                figures += run_figures(await _stream(stack, runs, length))
        for count in QUICK_VIEWERS if quick else VIEWERS:
            async with begin(data_dir / f"viewers-{count}") as stack:  # nothing is in memory yet
                figures += await _watch(stack, count, seconds)
    return figures


async def _stream(stack: Stack, runs: int, seconds: float) -> Window:
    """Begin the runs little by little; the window opens when all of them stream."""
    begin_s = _SETTLE_S + runs / _AT_A_TIME
    body = script(2 * begin_s + seconds, EVERY_MS)
    seats: list[tuple[asyncio.BaseTransport, Recorder]] = []
    for start in range(0, runs, _AT_A_TIME):
        count = min(_AT_A_TIME, runs - start)
        seats += await asyncio.gather(*(open_stream(stack.runs, body=body) for _ in range(count)))
        await asyncio.wait([viewer.begun for _, viewer in seats[start:]], timeout=_PATIENCE_S)
    await asyncio.sleep(_SETTLE_S)
    before, own, began = stack.cpu_s(), time.process_time(), time.time()
    await asyncio.sleep(seconds)
    own, over = time.process_time() - own, time.time()
    used = {**more(stack.cpu_s(), before), "clients": own}
    await asyncio.wait([viewer.closed for _, viewer in seats], timeout=_PATIENCE_S)
    for transport, _ in seats:
        transport.close()
    return window([_frames(viewer) for _, viewer in seats], began, over, used)


def _frames(viewer: Recorder) -> list[Frame]:
    """What came; nothing from a server that has not answered in time."""
    return viewer.reply().frames() if viewer.arrivals else []


def window(
    streams: list[list[Frame]], began: float, over: float, cpu_s: Mapping[str, float]
) -> Window:
    """What came in that time, seconds since 1970."""
    whole = sum(
        in_order((frame.id or 0 for frame in frames), len(frames))
        and bool(frames)
        and frames[-1].type == "run.completed"
        for frames in streams
    )
    within = [it for frames in streams for it in frames if began <= it.at < over]
    return Window(len(streams), whole, hops_ms(within), over - began, cpu_s)


def run_figures(seen: Window) -> list[Figure]:
    """Of so many runs at once; the limits are those of the most."""
    most = seen.runs == RUNS[-1]
    deltas = len(seen.ms)

    def row(name: str, unit: str, ours: float) -> Figure:
        return Figure(BENCH, f"runs at once: {name}", unit, ours, load=seen.runs)

    late = row("written → received, p95", "ms", p95(seen.ms))
    received = row("deltas received", "1/s", deltas / seen.seconds)
    if most:
        late = late._replace(limit=P95_MS, rule=f"{P95_MS}")
        received = received._replace(limit=DELTAS_PER_S, rule=f"{DELTAS_PER_S}", at_least=True)
    return [
        row("not seen whole", "", seen.runs - seen.whole)._replace(limit=0, rule="none"),
        row("written → received, p50", "ms", p50(seen.ms)),
        late,
        received,
        *(
            row(f"CPU of {kind} per delta", "µs", cpu_s / deltas * 1e6)
            for kind, cpu_s in seen.cpu_s.items()
        ),
    ]


async def _watch(stack: Stack, count: int, seconds: float) -> list[Figure]:
    per_s = min(EVENTS_PER_S, DELIVERIES_PER_S / count)
    ours = await viewers.ours(stack, count, seconds, per_s)
    return viewer_figures(ours, await viewers.floor(stack, count, seconds, per_s), per_s)


def viewer_figures(show: Show, bare: Show, per_s: float) -> list[Figure]:
    """Of so many viewers of one run; the limit of memory is that of the most."""
    against = "bare Starlette broadcast"

    def row(name: str, unit: str, ours: float, floor: float) -> Figure:
        return Figure(
            BENCH, f"viewers of one run: {name}", unit, ours, floor, against, load=show.viewers
        )

    memory = row(
        "memory of the API per viewer",
        "KB",
        show.growth_mb / show.viewers * 1e3,
        bare.growth_mb / bare.viewers * 1e3,
    )
    if show.viewers == VIEWERS[-1]:
        memory = memory._replace(limit=VIEWER_KB, rule=f"{VIEWER_KB}")
    return [
        row("missed, doubled or reordered", "", show.viewers - show.complete, 0)._replace(
            limit=0, rule="none"
        ),
        row("events", "1/s", per_s, per_s),
        row("CPU of api per delivered event", "µs", show.cpu_us, bare.cpu_us),
        row("written → received, p50", "ms", p50(show.hops_ms), p50(bare.hops_ms)),
        row("written → received, p95", "ms", p95(show.hops_ms), p95(bare.hops_ms)),
        *[memory][: show.viewers >= MEMORY_FROM],
    ]
