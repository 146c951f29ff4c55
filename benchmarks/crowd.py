"""Several workers and API processes: are all runs whole, and does a second worker help."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import NamedTuple
from uuid import uuid4

import httpx

from benchmarks.cluster import Apart, running_apart
from benchmarks.deltas import script
from benchmarks.hopper import EVERY, hop, missed_and_doubled, unbounded_http
from benchmarks.measure import Figure
from benchmarks.sse import fetch
from benchmarks.submit import BODY
from relayline.journal.postgres.journal import PostgresJournal
from relayline.journal.terminal import read_all
from tests.chaos.agents import FOLDER, MARKING, MODULE, OUTPUTS, UNSAFE
from tests.chaos.checker import check
from tests.chaos.clients import eventually
from tests.chaos.observed import Connection, Observed, effects_of
from tests.chaos.plans import Plan, plan
from tests.chaos.replays import replayed

BENCH = "crowd"
APIS, WORKERS, RUNS = 2, 2, 200
AT_ONCE = 40
"""Short runs at a time while throughput is measured."""
LONELY = frozenset({"tokens", "tools", "failing", "unsafe"})
"""Kinds of runs that need nobody to go on."""
_SEED = 5


class Throughput(NamedTuple):
    """Short runs, one after the other, `AT_ONCE` at a time."""

    runs: int
    seconds: float
    cpu_s: dict[str, float]
    """Processor seconds by kind of process; the clients' as `clients`."""

    @property
    def per_s(self) -> float:
        """Runs that ended per second."""
        return self.runs / self.seconds

    @property
    def busy(self) -> float:
        """Part of all processors' time that was used by us."""
        return sum(self.cpu_s.values()) / self.seconds / (os.cpu_count() or 1)

    def cpu_ms(self, kind: str) -> float:
        """Processor milliseconds per run."""
        return self.cpu_s[kind] / self.runs * 1e3


class Seen(NamedTuple):
    """A run of the crowd, and what its client got."""

    run_id: str
    plan: Plan
    connections: Sequence[Connection]


class _Looking(NamedTuple):
    """Looks at what became of runs."""

    http: httpx.AsyncClient
    apart: Apart
    journal: PostgresJournal
    effects: Path

    async def at(self, seen: Seen) -> Observed:
        """All that is known of it."""
        view = (await self.http.get(f"{self.apart.apis[0]}/v1/runs/{seen.run_id}")).json()
        executions, complaint = await replayed(self.apart.temporal, seen.run_id)
        return Observed(
            seen.run_id,
            await read_all(self.journal, seen.run_id, facts=False),
            input=seen.plan.input,
            clients={"hopper": seen.connections},
            effects=effects_of(self.effects / seen.run_id),
            marking=MARKING,
            unsafe=UNSAFE,
            outputs=OUTPUTS,
            status=view["status"],
            waiting_for=view["waiting_for"],
            replay=complaint,
            executions=executions,
        )


async def measure(*, quick: bool) -> list[Figure]:
    """One worker, then two; with two a crowd, and a viewer that goes from API to API."""
    seconds, runs = (3, 50) if quick else (8, RUNS)
    with TemporaryDirectory(prefix="relayline-bench-") as folder:
        effects = Path(folder) / "effects"
        effects.mkdir()
        env = {"RELAYLINE_CATALOG": MODULE, FOLDER: str(effects)}
        start = partial(running_apart, apis=APIS, env=env)
        async with start(Path(folder) / "one", workers=1) as apart:
            one = await _throughput(apart, seconds)
        async with start(Path(folder) / "two", workers=WORKERS) as apart:
            two = await _throughput(apart, seconds)
            crowd = await _crowd(apart, runs, effects)
            return [*_speed(one, two), *crowd, *await _viewer(apart, seconds)]


async def _throughput(apart: Apart, seconds: float) -> Throughput:
    """Each client submits a run, sees its end, and submits the next."""
    loop = asyncio.get_running_loop()
    before, own, began = apart.cpu_s(), time.process_time(), loop.time()

    async def submit(url: str) -> int:
        ended = 0
        while loop.time() < began + seconds:
            _, reply = await fetch(f"{url}/v1/runs", body=BODY)
            assert reply.frames()[-1].type == "run.completed", reply
            ended += 1
        return ended

    clients = [submit(apart.apis[number % APIS]) for number in range(AT_ONCE)]
    ended = sum(await asyncio.gather(*clients))
    took = loop.time() - began
    used = {kind: after - before[kind] for kind, after in apart.cpu_s().items()}
    return Throughput(ended, took, {**used, "clients": time.process_time() - own})


def _speed(one: Throughput, two: Throughput) -> list[Figure]:
    def row(name: str, unit: str, ours: float, floor: float) -> Figure:
        return Figure(BENCH, f"short runs: {name}", unit, ours, floor, "the same with 1 worker")

    return [
        row("2 workers", "1/s", two.per_s, one.per_s),
        row("part of all cores in use", "", two.busy, one.busy),
        *(
            row(f"CPU of {kind} per run", "ms", two.cpu_ms(kind), one.cpu_ms(kind))
            for kind in two.cpu_s
        ),
    ]


def plans(count: int) -> list[Plan]:
    """So many runs of the chaos suite's load that nobody has to help on."""
    random, made = Random(_SEED), list[Plan]()  # noqa: S311
    while len(made) < count:
        drawn = plan(random)
        made += [drawn] * (drawn.kind in LONELY)
    return made


async def _crowd(apart: Apart, runs: int, effects: Path) -> list[Figure]:
    """All at once, each with a client that goes to the other API at every 20th event."""
    journal = PostgresJournal(apart.dsn)
    began = time.monotonic()
    async with unbounded_http() as http:
        todo = [_one(http, apart.apis, it, number) for number, it in enumerate(plans(runs))]
        seen = await asyncio.gather(*todo)
        took = time.monotonic() - began
        looking = _Looking(http, apart, journal, effects)
        observed = [await looking.at(each) for each in seen]
    await journal.close()
    found = check(observed)
    for violation in found[:10]:
        print(f"VIOLATION {violation}")
    at_once = f"{runs} runs at once, {APIS} APIs, {WORKERS} workers"
    events = sum(len(it.stored) for it in observed)
    return [
        Figure(BENCH, f"{at_once}: violations", "", len(found), limit=0, rule="none"),
        Figure(BENCH, f"{at_once}: not ended", "", _open(observed), limit=0, rule="none"),
        Figure(BENCH, f"{at_once}: streams turned away (503)", "", _turned_away(seen)),
        Figure(BENCH, f"{at_once}: until all had ended", "s", took),
        Figure(BENCH, f"{at_once}: events", "1/s", events / took),
    ]


def _turned_away(seen: Sequence[Seen]) -> int:
    return sum(not connection.frames for it in seen for connection in it.connections)


def _open(observed: Sequence[Observed]) -> int:
    return sum(not (it.stored and it.stored[-1].ends_run) for it in observed)


async def _one(http: httpx.AsyncClient, apis: Sequence[str], made: Plan, number: int) -> Seen:
    """One run from submission to end."""
    starting = [*apis[number % len(apis) :], *apis[: number % len(apis)]]
    run_id = await _submit(http, starting[0], "chaos", made.input)
    return Seen(run_id, made, await hop(http, starting, run_id))


async def _submit(http: httpx.AsyncClient, url: str, agent: str, told: str) -> str:
    headers = {"Idempotency-Key": uuid4().hex}
    body = {"agent": agent, "input": told}
    answer = await eventually(lambda: http.post(f"{url}/v1/runs", json=body, headers=headers))
    assert answer.is_success, answer.text  # 200: it was accepted before, and the answer lost
    run_id: str = answer.json()["run_id"]
    return run_id


async def _viewer(apart: Apart, seconds: float) -> list[Figure]:
    """One run that speaks for so long, and one client that goes back and forth."""
    journal = PostgresJournal(apart.dsn)
    async with unbounded_http() as http:
        body = script(seconds)
        run_id = await _submit(http, apart.apis[0], body["agent"], body["input"])
        connections = await hop(http, apart.apis, run_id)
    stored = await read_all(journal, run_id, facts=False)
    await journal.close()
    missed, doubled = missed_and_doubled(connections, len(stored))
    name = f"viewer that goes to the other API at every {EVERY}th event"
    return [
        Figure(BENCH, f"{name}: events", "", len(stored) - missed, len(stored), "the journal"),
        Figure(BENCH, f"{name}: connections", "", len(connections)),
        Figure(BENCH, f"{name}: missed + doubled", "", missed + doubled, limit=0, rule="none"),
    ]
