"""Calls that run and say nothing: what a second of one takes, and how often it heartbeats."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from temporalio.api.workflow.v1 import PendingActivityInfo

from benchmarks.course import post
from benchmarks.processors import more
from benchmarks.stack import Stack

CALLS = 20
IDLE_S, WINDOW_S, COUNTED_S = 15.0, 30.0, 60.0
"""Seconds without calls, of calls, and of calls whose heartbeats are counted."""
QUICK = 0.1
"""Part of these times for a quick look."""
_LOOK_S = 0.2
"""Between looks at heartbeats; the client of Temporal sends none sooner after another."""
_SETTLE_S = 3.0
_BEGIN_S = 30.0


class Silence(NamedTuple):
    """What silent calls took."""

    cpu_s: Mapping[str, float]
    """Processor seconds per second and call, by kind of process."""
    idle_s: Mapping[str, float]
    """The same while there were no calls, shared out among as many."""
    heartbeats_per_s: float
    """Of one call."""


async def silence(stack: Stack, *, quick: bool) -> Silence:
    """`CALLS` runs in a tool that sleeps, with nobody watching; their runs are cancelled then."""
    part = QUICK if quick else 1.0
    await asyncio.sleep(_SETTLE_S * part)
    idle = await _window(stack, IDLE_S * part)
    seconds = part * (WINDOW_S + COUNTED_S) + _SETTLE_S + 2 * _BEGIN_S
    run_ids = await asyncio.gather(*(_submitted(stack, seconds) for _ in range(CALLS)))
    try:
        async with asyncio.timeout(_BEGIN_S):
            while len(await pending(stack, run_ids)) < CALLS:
                await asyncio.sleep(_LOOK_S)
        await asyncio.sleep(_SETTLE_S * part)
        cpu_s = await _window(stack, WINDOW_S * part)
        heartbeats_per_s = await _heartbeats(stack, run_ids, COUNTED_S * part)
    finally:
        await asyncio.gather(*(post(f"{stack.runs}/{it}/cancel", {}) for it in run_ids))
    return Silence(cpu_s, idle, heartbeats_per_s)


async def _submitted(stack: Stack, seconds: float) -> str:
    call = {"call": "sleep", "arguments": {"seconds": seconds}}
    body = {"agent": "assistant", "input": json.dumps({"rehearse": [call]})}
    _, reply = await post(stack.runs, body)
    return str(reply.json()["run_id"])


async def pending(stack: Stack, run_ids: Iterable[str]) -> dict[str, PendingActivityInfo]:
    """The tool calls of these runs that a worker has begun, by run."""

    async def look(run_id: str) -> tuple[str, Sequence[PendingActivityInfo]]:
        found = await stack.temporal.get_workflow_handle(run_id).describe()
        return run_id, found.raw_description.pending_activities

    looked = await asyncio.gather(*map(look, run_ids))
    return {
        run_id: call
        for run_id, calls in looked
        for call in calls
        if call.activity_type.name == "call_tool" and call.HasField("last_started_time")
    }


async def _window(stack: Stack, seconds: float) -> dict[str, float]:
    began, before = time.monotonic(), stack.cpu_s()
    await asyncio.sleep(seconds)
    used, took = more(stack.cpu_s(), before), time.monotonic() - began
    return {kind: spent / took / CALLS for kind, spent in used.items()}


async def _heartbeats(stack: Stack, run_ids: Sequence[str], seconds: float) -> float:
    """Per second and call: Temporal is asked again and again for the newest of each."""
    began, looks = time.monotonic(), list[dict[str, int]]()
    while time.monotonic() < began + seconds:
        calls = await pending(stack, run_ids)
        looks.append(
            {
                run_id: call.last_heartbeat_time.ToMicroseconds()
                for run_id, call in calls.items()
                if call.HasField("last_heartbeat_time")
            }
        )
        await asyncio.sleep(_LOOK_S)
    return changes(looks) / (time.monotonic() - began) / len(run_ids)


def changes(looks: Sequence[Mapping[str, int]]) -> int:
    """How many heartbeats came between the first look and the last one.

    Args:
        looks: Each with the time of every call's newest heartbeat; a call without has had none.
    """
    found = 0
    for earlier, later in itertools.pairwise(looks):
        found += sum(earlier.get(run_id) != at for run_id, at in later.items())
    return found
