"""Many runs with one viewer each: what a stream takes, and what an event costs, where."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

from benchmarks.cluster import Apart, running_apart
from benchmarks.measure import Figure, in_order, p50, p95
from benchmarks.processors import rss_mb
from benchmarks.provider import paced
from benchmarks.sse import Frame, Recorder, open_stream, written_at
from benchmarks.viewers import TEXT
from relayline.contracts.envelope import NewEvent
from relayline.contracts.events import MessageDelta, RunCompleted, RunStarted
from relayline.contracts.runs import Limits
from relayline.journal.postgres.journal import PostgresJournal

BENCH = "streams"
RUNS = 1000
PER_S = 2
"""Events per second and run, evenly spread over all runs."""
_AT_A_TIME = 50


async def measure(*, quick: bool) -> list[Figure]:
    """Runs whose events are appended from here, each followed by a client of one API process.

    The worker has nothing to do; it tells the API what agents there are.
    """
    with TemporaryDirectory(prefix="relayline-bench-") as folder:
        async with running_apart(Path(folder) / "data", apis=1, workers=1) as apart:
            return await _measure(apart, 100 if quick else RUNS, 3 if quick else 8)


async def _measure(apart: Apart, count: int, seconds: int) -> list[Figure]:
    journal = PostgresJournal(apart.dsn)
    runs = [f"run_{uuid4().hex}" for _ in range(count)]
    begun = RunStarted(agent="assistant", model="rehearsal", limits=Limits())
    await _to_all(journal, runs, NewEvent(body=begun, key="0/started"))
    [api] = apart.cluster.pids_of("api")
    before_mb = rss_mb(api)
    viewers = await _seat([f"{apart.apis[0]}/v1/runs/{run}/events" for run in runs])
    grown_mb = rss_mb(api) - before_mb
    before = apart.cpu_s()
    delta = NewEvent(body=MessageDelta(text=TEXT), step=1, attempt=1)
    appends = [
        asyncio.create_task(journal.append(runs[number % count], [delta]))
        async for number in paced(count * seconds * PER_S, 1 / count / PER_S)
    ]
    await asyncio.gather(*appends)
    used = {kind: after - before[kind] for kind, after in apart.cpu_s().items()}
    await _to_all(journal, runs, NewEvent(body=RunCompleted(), key="0/end"))
    await asyncio.gather(*(viewer.closed for viewer in viewers))
    await journal.close()
    seen = [viewer.reply().frames() for viewer in viewers]
    return figures(seen, seconds * PER_S, used, grown_mb)


async def _to_all(journal: PostgresJournal, runs: list[str], event: NewEvent) -> None:
    await asyncio.gather(*(journal.append(run, [event]) for run in runs))


async def _seat(urls: list[str]) -> list[Recorder]:
    """One viewer at each URL; returns when all have got something."""
    viewers: list[Recorder] = []
    for start in range(0, len(urls), _AT_A_TIME):
        part = urls[start : start + _AT_A_TIME]
        seated = [viewer for _, viewer in await asyncio.gather(*map(open_stream, part))]
        await asyncio.gather(*(viewer.begun for viewer in seated))
        viewers += seated
    return viewers


def figures(
    seen: Sequence[Sequence[Frame]], deltas: int, used: Mapping[str, float], grown_mb: float
) -> list[Figure]:
    """Of viewers that were to see so many deltas between two facts each."""
    whole = sum(in_order((frame.id or 0 for frame in it), deltas + 2) for it in seen)
    hops_ms = [
        (frame.at - written_at(frame.data)) * 1e3
        for frames in seen
        for frame in frames
        if frame.type == "message.delta"
    ]
    events = len(seen) * deltas
    name = f"{len(seen)} runs, one viewer each"

    def row(what: str, unit: str, value: float) -> Figure:
        return Figure(BENCH, f"{name}: {what}", unit, value)

    return [
        row("not seen whole", "", len(seen) - whole)._replace(limit=0, rule="none"),
        row("memory of the API per stream", "KB", grown_mb * 1e3 / len(seen)),
        row("CPU of the API per event", "µs", used["api"] / events * 1e6),
        row("CPU of Postgres per event", "µs", used["postgres"] / events * 1e6),
        row("written → received, p50", "ms", p50(hops_ms)),
        row("written → received, p95", "ms", p95(hops_ms)),
    ]
