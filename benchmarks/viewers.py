"""Many viewers of one run: is everything delivered, how fast, and what does it cost the API."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import NamedTuple

from benchmarks.audience import Applause
from benchmarks.measure import Figure, p50, p95
from benchmarks.processors import cpu_s, rss_mb
from benchmarks.provider import paced
from benchmarks.sse import fetch
from benchmarks.stack import ROOT, Stack, module
from relayline.contracts.envelope import NewEvent
from relayline.contracts.events import MessageDelta, RunCompleted, RunStarted
from relayline.contracts.runs import Limits
from relayline.dev.ports import free_port

BENCH = "viewers"
PER_S = 50
CLIENTS = 2
"""Processes that the viewers are spread over."""
TEXT = "a few words of an answer"
_LINE_S = 90
LIMIT_MS, LIMIT_MB = 400, 64
LIMIT_CPU = {1000: 1.5, 200: 1.25}
"""Times the floor, by the number of viewers."""


class Show(NamedTuple):
    """One performance, over all client processes."""

    viewers: int
    complete: int
    delivered: int
    hops_ms: list[float]
    cpu_us: float
    """Processor microseconds of the server per delivered event."""
    growth_mb: float
    """Resident memory of the server: greatest during, less that before."""
    busy: float
    """Processor seconds of the server per second of the performance."""


@contextlib.asynccontextmanager
async def _audience(
    url: str, viewers: int, last_seq: int
) -> AsyncIterator[asyncio.subprocess.Process]:
    arguments = ("-m", "benchmarks.audience", url, str(viewers), str(last_seq))
    child = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, cwd=ROOT, stdout=asyncio.subprocess.PIPE, limit=2**24
    )
    try:
        yield child
    finally:
        if child.returncode is None:
            child.kill()
        await child.wait()


async def _line(child: asyncio.subprocess.Process) -> bytes:
    assert child.stdout
    async with asyncio.timeout(_LINE_S):
        line = await child.stdout.readline()
    assert line, "an audience left early"
    return line


async def _peak_mb(pid: int, over: asyncio.Event) -> float:
    peak = rss_mb(pid)
    while not over.is_set():
        await asyncio.sleep(0.2)
        peak = max(peak, rss_mb(pid))
    return peak


async def perform(
    url: str, pid: int, viewers: int, last_seq: int, play: Callable[[], Awaitable[None]]
) -> Show:
    """Seat the viewers, play, and count what they saw and what it cost the process `pid`."""
    before_mb, over = rss_mb(pid), asyncio.Event()
    memory = asyncio.create_task(_peak_mb(pid, over))
    async with contextlib.AsyncExitStack() as stack:
        seats = [viewers // CLIENTS + (i < viewers % CLIENTS) for i in range(CLIENTS)]
        children = [
            await stack.enter_async_context(_audience(url, count, last_seq)) for count in seats
        ]
        await asyncio.gather(*(_line(child) for child in children))
        began, used = asyncio.get_running_loop().time(), cpu_s(pid)
        await play()
        await asyncio.sleep(1)
        took, used = asyncio.get_running_loop().time() - began, cpu_s(pid) - used
        lines = await asyncio.gather(*(_line(child) for child in children))
    over.set()
    applause = [Applause.model_validate_json(line) for line in lines]
    return _total(applause, used, took, await memory - before_mb)


def _total(applause: list[Applause], used_s: float, took_s: float, growth_mb: float) -> Show:
    tenths: Counter[int] = Counter()
    for part in applause:
        tenths.update(part.tenths_ms)
    delivered = sum(part.delivered for part in applause)
    return Show(
        viewers=sum(part.viewers for part in applause),
        complete=sum(part.complete for part in applause),
        delivered=delivered,
        hops_ms=[tenth / 10 for tenth in tenths.elements()],
        cpu_us=used_s * 1e6 / max(delivered, 1),
        growth_mb=growth_mb,
        busy=used_s / took_s,
    )


async def ours(stack: Stack, viewers: int, seconds: float, per_s: float = PER_S) -> Show:
    """A run whose events are appended to the journal from here, so many a second."""
    run_id, count = f"run_{uuid.uuid4().hex}", int(seconds * per_s)
    begun = RunStarted(agent="assistant", model="rehearsal", limits=Limits())
    async with stack.journal() as journal:
        await journal.append(run_id, [NewEvent(body=begun, key="0/started")])

        async def play() -> None:
            delta = NewEvent(body=MessageDelta(text=TEXT), step=1, attempt=1)
            async for _ in paced(count, 1 / per_s):
                await journal.append(run_id, [delta])
            await journal.append(run_id, [NewEvent(body=RunCompleted(), key="0/end")])

        return await perform(stack.events(run_id), stack.api_pid, viewers, count + 2, play)


async def floor(stack: Stack, viewers: int, seconds: float, per_s: float = PER_S) -> Show:
    """The same bytes from a bare broadcast."""
    base, count = f"http://127.0.0.1:{free_port()}", int(seconds * per_s)
    order = {"events": count, "per_s": per_s, "text": TEXT}

    async def play() -> None:
        await fetch(f"{base}/feed", body=order, stream=False)
        await asyncio.sleep(seconds)

    port, log = base.rpartition(":")[2], stack.data_dir / "broadcast.log"
    async with module("broadcast", port, log=log, url=f"{base}/healthz") as server:
        return await perform(f"{base}/feed", server.pid, viewers, count, play)


async def measure(stack: Stack, *, quick: bool) -> list[Figure]:
    """1,000 viewers, and 200, where the server has time to send every event by itself."""
    seconds = 3 if quick else 10
    figures: list[Figure] = []
    for viewers, length in zip(LIMIT_CPU, (seconds, seconds / 2), strict=True):
        show, bare = await ours(stack, viewers, length), await floor(stack, viewers, length)
        figures += _figures(show, bare)
    return figures


def _figures(show: Show, bare: Show) -> list[Figure]:
    against = "bare Starlette broadcast"
    assert bare.complete == bare.viewers, "the floor itself lost events"

    def row(name: str, unit: str, ours: float, floor: float) -> Figure:
        full = f"{show.viewers} viewers: {name}"
        return Figure(BENCH, full, unit, ours, floor=floor, against=against)

    memory = row("memory growth of the API", "MB", show.growth_mb, bare.growth_mb)._replace(
        limit=LIMIT_MB, rule=str(LIMIT_MB)
    )
    first = show.viewers == next(iter(LIMIT_CPU))  # later ones find memory that is free again
    return [
        row(
            "viewers that missed, doubled or reordered", "", show.viewers - show.complete, 0
        )._replace(limit=0, rule="none"),
        row("written → received, p50", "ms", p50(show.hops_ms), p50(bare.hops_ms)),
        row("written → received, p95", "ms", p95(show.hops_ms), p95(bare.hops_ms))._replace(
            limit=LIMIT_MS, rule=str(LIMIT_MS)
        ),
        *[memory][:first],
        row("CPU per delivered event", "µs", show.cpu_us, bare.cpu_us)._replace(
            limit=LIMIT_CPU[show.viewers] * bare.cpu_us, rule=f"{LIMIT_CPU[show.viewers]} x floor"
        ),
        row("share of one core", "", show.busy, bare.busy),
    ]
