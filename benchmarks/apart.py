"""How long a delta takes to a client when journal, worker and API are processes apart."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from benchmarks.cluster import Apart, running_apart
from benchmarks.deltas import Hops, floor, hops_of_runs
from benchmarks.measure import Figure, p50, p95
from benchmarks.processors import rss_mb
from benchmarks.sse import fetch

BENCH = "apart"
RUNS = 20
HELD = 50
_BEGIN_S, _WINDOW_S = 4, 6
LIMIT_P50_MS, LIMIT_P95_MS = 8.0, 20.0
_BARE = "bare Starlette, no journal"


class Course(NamedTuple):
    """So many runs at once, from their begin to their end."""

    hops: Hops
    """Of each delta."""
    cpu_s: dict[str, float]
    """Processor seconds by kind of process."""
    memory_mb: dict[str, float]
    """Resident at the end, of the worker and the API process."""
    held_s: dict[str, float]
    """Processor seconds per second and run in a model call that says next to nothing, by kind."""


async def measure(*, quick: bool) -> list[Figure]:
    """As `benchmarks.deltas` does it, on Postgres; also with deltas that wait for the disk."""
    seconds = 3 if quick else 8
    with TemporaryDirectory(prefix="relayline-bench-") as folder:
        bare = await floor(Path(folder), RUNS, seconds / 2)
        relaxed = await _course(Path(folder), seconds, relaxed=True)
        durable = await _course(Path(folder), seconds, relaxed=False)
    deltas = len(relaxed.hops.ms)
    return [
        *_figures("written → received", relaxed.hops.ms, bare, LIMIT_P50_MS, LIMIT_P95_MS),
        *_figures("deltas on disk: written → received", durable.hops.ms, bare),
        *_figures("token → received", relaxed.hops.tokens_ms),
        *_figures("deltas on disk: token → received", durable.hops.tokens_ms),
        Figure(BENCH, "deltas received", "1/s", relaxed.hops.per_s),
        *(
            Figure(BENCH, f"CPU of {kind} per delta", "µs", cpu_s / deltas * 1e6)
            for kind, cpu_s in relaxed.cpu_s.items()
        ),
        *(
            Figure(BENCH, f"CPU of {kind} per second and run in a model call", "ms", cpu_s * 1e3)
            for kind, cpu_s in relaxed.held_s.items()
        ),
        *(
            Figure(BENCH, f"memory of the {kind} process", "MB", memory_mb)
            for kind, memory_mb in relaxed.memory_mb.items()
        ),
    ]


async def _course(folder: Path, seconds: float, *, relaxed: bool) -> Course:
    env = {"RELAYLINE_RELAXED_DELTAS": str(relaxed)}
    async with running_apart(folder / f"relaxed-{relaxed}", apis=1, workers=1, env=env) as apart:
        before = apart.cpu_s()
        hops = await hops_of_runs(f"{apart.apis[0]}/v1/runs", RUNS, seconds)
        used = {kind: after - before[kind] for kind, after in apart.cpu_s().items()}
        pids = {kind: apart.cluster.pids_of(kind)[0] for kind in ("worker", "api")}
        memory_mb = {kind: rss_mb(pid) for kind, pid in pids.items()}
        return Course(hops, used, memory_mb, await _held(apart) if relaxed else {})


async def _held(apart: Apart) -> dict[str, float]:
    """Of `HELD` runs whose model says a word per second: what it costs to know that it lives."""
    say = {"say": "word " * (_BEGIN_S + _WINDOW_S + 2), "every_ms": 1000, "words_per_delta": 1}
    body = {"agent": "assistant", "input": json.dumps({"rehearse": [say]})}
    runs = [asyncio.create_task(fetch(f"{apart.apis[0]}/v1/runs", body=body)) for _ in range(HELD)]
    await asyncio.sleep(_BEGIN_S)
    before = apart.cpu_s()
    await asyncio.sleep(_WINDOW_S)
    used = {kind: after - before[kind] for kind, after in apart.cpu_s().items()}
    for _, reply in await asyncio.gather(*runs):
        assert reply.frames()[-1].type == "run.completed", reply
    return {kind: cpu_s / _WINDOW_S / HELD for kind, cpu_s in used.items()}


def _figures(
    what: str, ms: list[float], bare: Sequence[float] = (), *limits: float
) -> list[Figure]:
    figures = [
        Figure(
            BENCH,
            f"{what}, {RUNS} runs, {name}",
            "ms",
            part(ms),
            floor=part(bare) if bare else None,
            against=_BARE if bare else "",
        )
        for name, part in (("p50", p50), ("p95", p95))
    ]
    if not limits:
        return figures
    limited = zip(figures, limits, strict=True)
    return [figure._replace(limit=limit, rule=f"{limit:g}") for figure, limit in limited]
