"""How soon a command takes effect: what runs is stopped, the model is told, a tool may start."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import tempfile
from pathlib import Path
from typing import NamedTuple

from benchmarks.absence import Absence, absence
from benchmarks.course import COURSES, Busy, Times, submit, take
from benchmarks.measure import Figure, p50, p95
from benchmarks.no_push import no_push
from benchmarks.sse import fetch
from benchmarks.stack import Stack

BENCH = "steering"
RUNS, QUICK_RUNS = 50, 8
"""Runs of each course, so commands of each kind."""
FIRST_S = 120
"""How long the first run of a new worker may take on a busy machine."""
PUSH_MS, NO_PUSH_MS, TOLD_MS, APPROVED_MS, ACCEPTED_MS = 500, 300, 1000, 150, 50


class Pace(NamedTuple):
    """How the runs follow each other; with more at once they would measure each other."""

    at_once: int
    pause_s: float
    """A command comes at any moment of so much, once what it stops has begun."""


PUSH = Pace(at_once=3, pause_s=0.1)
NO_PUSH = Pace(at_once=8, pause_s=0.6)
"""Without push; a call may tell that it lives, and learn that it is cancelled, only so often."""


async def courses(runs: str, note: Path, rounds: int, pace: Pace) -> Times:
    """Every course so many times, a few runs at once.

    Args:
        runs: Where runs are submitted.
        note: What the names of all notes begin with.
        rounds: How often.
        pace: How close together.
    """
    chance = random.Random(rounds)  # noqa: S311  no secret
    turns = enumerate(itertools.chain(*itertools.repeat(COURSES, rounds)))
    times = Times()

    async def turn_by_turn() -> None:
        for number, course in turns:
            name = f"{note}-{number}"
            await take(runs, course, name, times, lambda: chance.uniform(0, pace.pause_s))

    async with asyncio.TaskGroup() as group:
        for _ in range(pace.at_once):
            group.create_task(turn_by_turn())
    return times


async def measure(stack: Stack, *, quick: bool) -> list[Figure]:
    """With push on the stack itself; without, and without a worker, on another."""
    rounds = QUICK_RUNS if quick else RUNS
    pushed = await _noted(stack.runs, stack.data_dir, rounds, PUSH)
    with tempfile.TemporaryDirectory(prefix="no-push-", dir=stack.data_dir) as data_dir:
        folder = Path(data_dir)
        async with no_push(folder, stack.provider) as other:
            async with other.worker():
                unpushed = await _noted(other.runs, folder, rounds, NO_PUSH)
            absent = await absence(other, folder, rounds)
    return [
        *_stops(pushed, "pushed", PUSH_MS),
        _figure("redirect → next model call has it, p95", pushed.told, TOLD_MS),
        _figure("approve → tool.started, p95", pushed.approved, APPROVED_MS),
        *_stops(unpushed, "no push", NO_PUSH_MS),
        _figure("no push: redirect → next model call has it, p95", unpushed.told),
        *_absent(absent),
    ]


async def _noted(runs: str, folder: Path, rounds: int, pace: Pace) -> Times:
    """The courses, once all of them were gone through before."""
    await _first(runs)
    await courses(runs, folder / "warm", 1, PUSH)
    return await courses(runs, folder / "course", rounds, pace)


async def _first(runs: str) -> None:
    """See a run of a worker that may just begin, and then imports the provider's library."""
    run = await submit(runs, json.dumps({"tokens": 1, "every_ms": 0}))
    async with asyncio.timeout(FIRST_S):
        while True:
            _, reply = await fetch(f"{run}?wait=30", stream=False)
            if reply.json()["status"] == "completed":
                return


def _stops(times: Times, how: str, limit: float) -> list[Figure]:
    rows: list[Figure] = []
    for name, kinds in (("redirect", times.redirected), ("cancel", times.cancelled)):
        everything = list(itertools.chain(*kinds.values()))
        rows += [
            _figure(f"{how}: {name} → all kinds stopped, p50", everything, at=50),
            *(
                _figure(f"{how}: {name} → {busy} stopped, p95", kinds[busy], limit)
                for busy in sorted(kinds, key=list(Busy).index)
            ),
        ]
    return rows


def _absent(absent: Absence) -> list[Figure]:
    return [
        _figure("no worker: redirect or cancel → 202, p95", absent.accepted, ACCEPTED_MS),
        Figure(BENCH, "no worker: not applied by the next", "", absent.lost, limit=0, rule="none"),
    ]


def _figure(name: str, values: list[float], limit: float | None = None, *, at: int = 95) -> Figure:
    ours = p95(values) if at == 95 else p50(values)
    rule = "" if limit is None else f"{limit:g}"
    return Figure(BENCH, name, "ms", ours, limit=limit, rule=rule)
