"""Many viewers in one process: `python -m benchmarks.audience URL VIEWERS LAST_SEQ`.

Prints `ready` when all are connected, and at the end one line of JSON, an `Applause`.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections import Counter

import uvloop
from pydantic import BaseModel

from benchmarks.measure import in_order
from benchmarks.sse import Recorder, open_stream, written_at

_AT_A_TIME = 50
_DEADLINE_S = 60


class Applause(BaseModel):
    """What an audience has seen."""

    viewers: int
    complete: int
    """Viewers that got every event, once, in order."""
    delivered: int
    tenths_ms: dict[int, int]
    """How many deltas took how long from written to received, in tenths of a millisecond."""
    ended_at: float
    """When the last viewer had all, seconds since 1970."""


async def watch(url: str, viewers: int) -> list[Recorder]:
    """Connect all; return when the server has ended every stream."""
    recorders: list[Recorder] = []
    for start in range(0, viewers, _AT_A_TIME):
        count = min(_AT_A_TIME, viewers - start)
        opened = await asyncio.gather(*(open_stream(url) for _ in range(count)))
        recorders += [recorder for _, recorder in opened]
        await asyncio.gather(*(recorder.begun for recorder in recorders[start:]))
    print("ready", flush=True)
    async with asyncio.timeout(_DEADLINE_S):
        await asyncio.gather(*(recorder.closed for recorder in recorders))
    return recorders


def applause(recorders: list[Recorder], last_seq: int) -> Applause:
    """Parse everything that came."""
    complete = delivered = 0
    tenths: Counter[int] = Counter()
    ended_at = 0.0
    for recorder in recorders:
        frames = recorder.reply().frames()
        recorder.arrivals.clear()
        delivered += len(frames)
        complete += in_order((frame.id or 0 for frame in frames), last_seq)
        ended_at = max([ended_at, *(frame.at for frame in frames[-1:])])
        for frame in frames:
            if frame.type == "message.delta":
                tenths[round((frame.at - written_at(frame.data)) * 1e4)] += 1
    return Applause(
        viewers=len(recorders),
        complete=complete,
        delivered=delivered,
        tenths_ms=dict(tenths),
        ended_at=ended_at or time.time(),
    )


if __name__ == "__main__":
    _, _url, _viewers, _last_seq = sys.argv
    print(applause(uvloop.run(watch(_url, int(_viewers))), int(_last_seq)).model_dump_json())
