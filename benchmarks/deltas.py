"""How long a delta that is in the journal takes to a client.

The clock starts where the journal gives the delta its number and its time: what it waited before,
up to 25 ms for others to be written with it and then for its turn, is not in these figures, but in
those of tokens, whose clock starts when the script has them said.
"""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import NamedTuple

from benchmarks.measure import Figure, in_order, p50, p95
from benchmarks.sse import Frame, fetch, written_at
from benchmarks.stack import Stack, module
from relayline.dev.ports import free_port

BENCH = "deltas"
EVERY_MS = 20
RUNS = 50
_WORD = re.compile(rb"word-(\d+)")
FLOOR_TEXT = "word-0001 "


def script(seconds: float, every_ms: int = EVERY_MS) -> dict[str, str]:
    """A run that says a word so often, for so long."""
    words = " ".join(f"word-{index:04}" for index in range(int(seconds * 1000 / every_ms)))
    say = {"say": words, "every_ms": every_ms, "words_per_delta": 1}
    return {"agent": "assistant", "input": json.dumps({"rehearse": [say]})}


def hops_ms(frames: list[Frame]) -> list[float]:
    """Milliseconds from written to received, of each delta."""
    return [
        (frame.at - written_at(frame.data)) * 1e3
        for frame in frames
        if frame.type == "message.delta"
    ]


class Hops(NamedTuple):
    """Deltas of several runs."""

    ms: list[float]
    """Of each one, from written to received."""
    tokens_ms: list[float]
    """Of each token in them, from when it was due to received."""
    seconds: float
    """From the first that was received to the last."""

    @property
    def per_s(self) -> float:
        """Deltas received per second, as it was."""
        return len(self.ms) / self.seconds


def waits_ms(frames: list[Frame]) -> list[float]:
    """Milliseconds from when each word of a run was due, by the script, to when it was received.

    The script keeps its pace without drift; when it began is reckoned from the delta that was in
    the journal most quickly, so that what even this one took (about a millisecond) is left out.
    """
    deltas = [
        (frame, [int(number) for number in _WORD.findall(frame.data)])
        for frame in frames
        if frame.type == "message.delta"
    ]
    every_s = EVERY_MS / 1000
    began = min(written_at(frame.data) - words[-1] * every_s for frame, words in deltas)
    return [(frame.at - began - word * every_s) * 1e3 for frame, words in deltas for word in words]


async def hops_of_runs(url: str, count: int, seconds: float) -> Hops:
    """That many runs at once, submitted to `url`, one client each; the hops of all of them."""
    body = script(seconds)
    replies = await asyncio.gather(*(fetch(url, body=body) for _ in range(count)))
    hops: list[float] = []
    tokens: list[float] = []
    received: list[float] = []
    for _, reply in replies:
        frames = reply.frames()
        assert in_order((frame.id or 0 for frame in frames), len(frames)), "gap or double"
        assert frames[-1].type == "run.completed", frames[-1]
        hops += hops_ms(frames)
        tokens += waits_ms(frames)
        received += [frame.at for frame in frames if frame.type == "message.delta"]
    return Hops(hops, tokens, max(received) - min(received))


async def floor(data_dir: Path, viewers: int, seconds: float) -> list[float]:
    """The same number of deliveries from a bare broadcast."""
    base = f"http://127.0.0.1:{free_port()}"
    log = data_dir / "broadcast.log"
    async with module("broadcast", base.rpartition(":")[2], log=log, url=f"{base}/healthz"):
        watching = [asyncio.create_task(fetch(f"{base}/feed")) for _ in range(viewers)]
        await asyncio.sleep(0.3)
        order = {"events": int(seconds * 50), "per_s": 50, "text": FLOOR_TEXT}
        await fetch(f"{base}/feed", body=order, stream=False)
        replies = await asyncio.gather(*watching)
    return [hop for _, reply in replies for hop in hops_ms(reply.frames())]


async def measure(stack: Stack, *, quick: bool) -> list[Figure]:
    """One run, then 50 at once; the floors are a bare broadcast to as many viewers."""
    seconds = 3 if quick else 8
    one = await hops_of_runs(stack.runs, 1, seconds)
    many = await hops_of_runs(stack.runs, RUNS, seconds)
    floor_one = await floor(stack.data_dir, 1, seconds / 2)
    floor_many = await floor(stack.data_dir, RUNS, seconds / 2)
    bare = "bare Starlette, no journal"

    def row(name: str, ours: float, floor: float) -> Figure:
        return Figure(BENCH, name, "ms", ours, floor=floor, against=bare)

    return [
        row("written → received, 1 run, p50", p50(one.ms), p50(floor_one))._replace(
            limit=6, rule="6"
        ),
        row("written → received, 1 run, p95", p95(one.ms), p95(floor_one))._replace(
            limit=15, rule="15"
        ),
        row(f"written → received, {RUNS} runs, p50", p50(many.ms), p50(floor_many)),
        row(f"written → received, {RUNS} runs, p95", p95(many.ms), p95(floor_many))._replace(
            limit=25, rule="25"
        ),
        Figure(BENCH, f"token → received, {RUNS} runs, p50", "ms", p50(many.tokens_ms)),
        Figure(BENCH, f"token → received, {RUNS} runs, p95", "ms", p95(many.tokens_ms)),
        Figure(BENCH, f"deltas received, {RUNS} runs", "1/s", many.per_s),
    ]
