"""A round: so many users at once, perhaps an outage, a kill or a redeploy, and what it came to."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple, cast

from benchmarks.patterns.clients import Client, Seen, Target, use
from benchmarks.patterns.serving import Served
from benchmarks.patterns.workload import LONGEST_S, OUTAGE_AFTER_S, OUTAGE_S
from benchmarks.processors import children, more, of_kinds, rss_mb
from benchmarks.sse import fetch

KILL_AFTER_S, REDEPLOY_AFTER_S = 10.0, 10.0
"""After the begin of their rounds, on the workload's clock."""
_RAMP_S = 1.0
"""All users begin within so much."""
_LOOK_S = 0.5
_QUIET_WITHIN_S = 30.0


class Trouble(StrEnum):
    """What happens in the middle of a round."""

    OUTAGE = "outage"
    KILL = "kill"
    REDEPLOY = "redeploy"


class Plan(NamedTuple):
    """What a round is."""

    trouble: Trouble
    load: int
    """Users at once."""
    each: int = 1
    """Runs of each, one after the other."""


class Ledger(NamedTuple):
    """What the provider counted."""

    calls: Mapping[str, int]
    tokens: Mapping[str, int]
    refused: int
    """Calls during the outage."""


class Peak(NamedTuple):
    """The most that the serving processes had at a time."""

    memory_mb: float = 0.0
    sockets: int = 0


class Round(NamedTuple):
    """What came of it."""

    trouble: Trouble
    load: int
    """Users at once."""
    factor: float
    seen: list[Seen]
    ledger: Ledger
    peak: Peak
    cpu_s: Mapping[str, float]
    """Processor seconds by kind of process; none of a round in which processes end."""


async def play(served: Served, client: Client, provider: str, factor: float, plan: Plan) -> Round:
    """Play a round until every user has the answer or has left.

    Args:
        served: What is asked.
        client: How it is asked.
        provider: Base URL of the provider.
        factor: How many times faster than its own clock the workload is played.
        plan: What happens in the middle, and how many users there are.
    """
    trouble, load, each = plan
    seen = [[Seen(f"{trouble}-{load}-{user}-{it}") for it in range(each)] for user in range(load)]
    outage_s = OUTAGE_S / factor if trouble is Trouble.OUTAGE else 0.0
    await _open_ledger(provider, OUTAGE_AFTER_S / factor, outage_s)
    before = of_kinds(served.pids()) if trouble is Trouble.OUTAGE else {}
    target = Target(served.url, factor)
    async with _watched(served) as peaks, asyncio.TaskGroup() as group:
        for user, runs in enumerate(seen):
            group.create_task(_user(client, target, runs, user * _RAMP_S / factor / load))
        if trouble is not Trouble.OUTAGE:
            group.create_task(_strike(served, trouble, factor))
    flat = [it for runs in seen for it in runs]
    if any(it.timed_out or it.ended is None for it in flat):
        await _quiet(provider, LONGEST_S / factor)
    used = more(of_kinds(served.pids()), before) if before else {}
    peak = Peak(max(it.memory_mb for it in peaks), max(it.sockets for it in peaks))
    return Round(trouble, load, factor, flat, await _ledger(provider), peak, used)


async def _user(client: Client, target: Target, runs: list[Seen], after_s: float) -> None:
    await asyncio.sleep(after_s)
    for seen in runs:
        await use(client, target, seen)


async def _strike(served: Served, trouble: Trouble, factor: float) -> None:
    if trouble is Trouble.KILL:
        await asyncio.sleep(KILL_AFTER_S / factor)
        served.kill()
    else:
        await asyncio.sleep(REDEPLOY_AFTER_S / factor)
        await served.redeploy()


@contextlib.asynccontextmanager
async def _watched(served: Served) -> AsyncIterator[list[Peak]]:
    """What the serving processes have, looked at now and then."""
    peaks: list[Peak] = [_now(served)]

    async def look() -> None:
        while True:
            await asyncio.sleep(_LOOK_S)
            peaks.append(_now(served))

    task = asyncio.create_task(look())
    try:
        yield peaks
    finally:
        task.cancel()


def _now(served: Served) -> Peak:
    pids = [it for kind in served.pids().values() for pid in kind for it in _tree(pid)]
    memory, sockets = 0.0, 0
    for pid in pids:
        with contextlib.suppress(OSError, StopIteration):  # it has ended meanwhile
            memory += rss_mb(pid)
            sockets += _sockets(pid)
    return Peak(memory, sockets)


def _tree(pid: int) -> list[int]:
    with contextlib.suppress(OSError):
        return [pid, *(it for child in children(pid) for it in _tree(child))]
    return []


def _sockets(pid: int) -> int:
    """Open sockets of the process, those that listen included."""
    found = 0
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):  # closed meanwhile
            found += os.readlink(descriptor).startswith("socket:")
    return found


async def _open_ledger(provider: str, after_s: float, outage_s: float) -> None:
    body = {"outage_after_s": after_s, "outage_s": outage_s}
    await fetch(f"{provider}/ledger", body=body, stream=False)


async def _ledger(provider: str) -> Ledger:
    _, reply = await fetch(f"{provider}/ledger", stream=False)
    return Ledger(**cast("dict[str, Any]", reply.json()))


async def _quiet(provider: str, longest_s: float) -> None:
    """Wait for the end of runs that nobody waits for: they are paid, and would be in the way."""
    deadline, last = time.monotonic() + _QUIET_WITHIN_S, -1
    while time.monotonic() < deadline:
        paid = sum((await _ledger(provider)).tokens.values())
        if paid == last:
            return
        last = paid
        await asyncio.sleep(longest_s + _LOOK_S)
