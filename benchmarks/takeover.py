"""kill -9 of one of two workers: how soon the calls that it had run again.

A call runs again when its second attempt writes to the journal that the first one was lost. The
floor knows of the loss at once: a bare activity that is failed by hand, until its code runs again.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
import uuid
from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

from temporalio.exceptions import ApplicationError

from benchmarks.alone import stack_of
from benchmarks.bare import QUEUE, Held
from benchmarks.course import post
from benchmarks.measure import Figure, p50, p95
from benchmarks.sse import fetch
from benchmarks.stack import Stack, peers

BENCH = "takeover"
KILLS, QUICK_KILLS = 20, 3
CALLS = 6
"""Calls at a time, half of them of tools and half of models; both workers have some."""
P50_S, P95_S = 1.0, 2.0
_LASTS_S = 60
_TOOL = {"call": "sleep", "arguments": {"seconds": _LASTS_S}}
_MODEL = {"say": "word " * _LASTS_S, "every_ms": 1000, "words_per_delta": 1}
_BEGIN_S, _EVENT_S, _LOOK_S = 60, 60, 0.05


async def measure(*, quick: bool, postgres: bool) -> list[Figure]:
    """Kill a worker again and again; whoever keeps workers starts another in its place."""
    kills = QUICK_KILLS if quick else KILLS
    again: list[float] = []
    with TemporaryDirectory(prefix="relayline-bench-") as folder:
        async with stack_of(Path(folder), workers=2, postgres=postgres) as stack:
            async with peers(stack):  # ended before anything is killed
                floor = [await _failed_by_hand(stack) for _ in range(kills)]
            for _ in range(kills):
                again += await _kill(stack)
    return figures(again, floor)


def figures(again: list[float], floor: list[float]) -> list[Figure]:
    """Of seconds from a kill until a call ran again."""
    name = "kill -9 of one of two workers → its calls run again"
    against = "a bare activity, failed by hand"
    return [
        *(
            Figure(
                BENCH, f"{name}, {part}", "s", of(again), of(floor), against, limit, f"{limit:g}"
            )
            for part, of, limit in (("p50", p50, P50_S), ("p95", p95, P95_S))
        ),
        Figure(BENCH, "calls that ran again", "", len(again)),
    ]


async def _failed_by_hand(stack: Stack) -> float:
    """Seconds until the second attempt's code runs."""
    handle = await stack.temporal.start_workflow(
        Held.run, id=f"bench-held-{uuid.uuid4().hex}", task_queue=QUEUE
    )
    async with asyncio.timeout(_BEGIN_S):
        while True:
            calls = (await handle.describe()).raw_description.pending_activities
            if calls and calls[0].HasField("last_heartbeat_time"):
                break
            await asyncio.sleep(_LOOK_S)
    call = stack.temporal.get_async_activity_handle(
        workflow_id=handle.id,
        run_id=handle.first_execution_run_id,
        activity_id=calls[0].activity_id,
    )
    began = time.time()
    await call.fail(ApplicationError("lost"))
    return await handle.result() - began


async def _kill(stack: Stack) -> list[float]:
    """Seconds from the kill until each call of the killed worker runs again."""
    run_ids: list[str] = []
    try:
        async with asyncio.timeout(_BEGIN_S):
            run_ids += await asyncio.gather(*(_submitted(stack, each) for each in range(CALLS)))
            while len(holders := await _holders(stack, run_ids)) < 2:
                await asyncio.sleep(1)
                run_ids.append(await _submitted(stack, len(run_ids)))
        pid, lost = max(holders.items(), key=lambda it: len(it[1]))
        at = time.time()
        os.kill(pid, signal.SIGKILL)
        again = await asyncio.gather(*(_event(stack, it, "attempt.lost") for it in lost))
        return [when - at for when in again]
    finally:
        await asyncio.gather(*(post(f"{stack.runs}/{it}/cancel", {}) for it in run_ids))
        for run_id in run_ids:
            await fetch(f"{stack.runs}/{run_id}?wait=30", stream=False)


async def _submitted(stack: Stack, number: int) -> str:
    script = json.dumps({"rehearse": [_MODEL if number % 2 else _TOOL]})
    _, reply = await post(stack.runs, {"agent": "assistant", "input": script})
    return str(reply.json()["run_id"])


async def _holders(stack: Stack, run_ids: list[str]) -> Mapping[int, list[str]]:
    """Runs by the process of the worker that is at work on them, once all are worked on."""
    await asyncio.gather(*(_event(stack, it, "tool.started", "message.delta") for it in run_ids))
    found: defaultdict[int, list[str]] = defaultdict(list)
    for run_id in run_ids:
        description = await stack.temporal.get_workflow_handle(run_id).describe()
        [call] = description.raw_description.pending_activities
        found[int(call.last_worker_identity.partition("@")[0])].append(run_id)
    return found


async def _event(stack: Stack, run_id: str, *kinds: str) -> float:
    """When the run's first event of these kinds was written, seconds since 1970."""
    async with asyncio.timeout(_EVENT_S):
        while True:
            _, reply = await fetch(f"{stack.events(run_id)}?after=0", stream=False)
            events = cast("list[dict[str, str]]", reply.json()["events"])
            if found := [event["at"] for event in events if event["type"] in kinds]:
                return datetime.fromisoformat(found[0]).timestamp()
            await asyncio.sleep(_LOOK_S)
