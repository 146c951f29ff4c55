"""Whether a flood delays others: by fairness key, by priority, and in the slots of a provider.

While a batch is at work, runs that it must not delay are submitted one by one, each followed by one
that has to wait like the batch's own. A run has begun when its first call has (`run.started`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from benchmarks import slots
from benchmarks.alone import stack_of
from benchmarks.measure import Figure, p50, p95
from benchmarks.sse import JsonBody, fetch
from benchmarks.stack import Stack
from benchmarks.submit import BODY
from relayline.journal.table import EVERY

BENCH = "fairness"
FLOOD, BACKLOG = 1000, 500
"""Runs of the flood, and of the backlog that urgent runs overtake."""
PROBES, QUICK_PROBES = 60, 15
"""Runs of each kind that are submitted beside them."""
QUICK_PART = 4
"""A quick flood has so many times fewer runs."""
TIMES, OVERTAKEN = 2.0, 0.1
"""Goals: how many times longer another key may wait than alone; which part of the backlog may begin
before an urgent run that is submitted after it."""
_SETTLE_S, _PAUSE_S, _LOOK_S, _END_S = 2.0, 0.05, 1.0, 600


class Probe(NamedTuple):
    """A run that was submitted beside others; seconds since 1970."""

    sent_at: float
    begun_at: float

    @property
    def ms(self) -> float:
        """From the request until the run had begun."""
        return (self.begun_at - self.sent_at) * 1e3


class Beside(NamedTuple):
    """What was seen while a batch was at work."""

    first: Sequence[Probe]
    """Runs that it must not delay."""
    like: Sequence[Probe]
    """Runs that wait like its own."""
    begun_at: Sequence[float]
    """When each of its runs had begun."""

    def waiting(self) -> list[int]:
        """How many of its runs waited when each of the first was submitted."""
        return [sum(at > probe.sent_at for at in self.begun_at) for probe in self.first]

    def overtook(self) -> list[int]:
        """How many of its runs began before each of the first, once that was submitted."""
        return [
            sum(probe.sent_at < at < probe.begun_at for at in self.begun_at) for probe in self.first
        ]


async def measure(*, quick: bool, postgres: bool) -> list[Figure]:
    """One after the other, with one worker."""
    probes, part = (QUICK_PROBES, QUICK_PART) if quick else (PROBES, 1)
    flood, backlog = FLOOD // part, BACKLOG // part
    other, like_flood = {"fairness_key": "other"}, {"fairness_key": "flood"}
    with TemporaryDirectory(prefix="relayline-bench-") as folder:
        env = {"RELAYLINE_PROVIDER_LIMITS": f"compatible={slots.SLOTS}"}
        async with stack_of(Path(folder), env=env, postgres=postgres) as stack:
            alone = await _probed(stack, probes, other)
            flooded = await _beside(stack, flood, probes, other, like_flood)
            urgent = await _beside(stack, backlog, probes, {"priority": 1}, {})
            shared = await slots.shared(stack, quick=quick)
    return [
        *flood_figures(flood, alone, flooded),
        *priority_figures(backlog, urgent),
        *slots.figures(BENCH, shared),
    ]


async def _probed(stack: Stack, count: int, fields: JsonBody) -> list[Probe]:
    """Runs that are submitted one by one while nothing else is at work."""
    sent = [await _sent(stack, fields) for _ in range(count)]
    return await _probes(stack, sent)


async def _beside(stack: Stack, count: int, probes: int, first: JsonBody, like: JsonBody) -> Beside:
    """Submit a batch, and runs of both kinds while its runs wait."""
    runs = [{**BODY, **like}] * count
    _, reply = await fetch(f"{stack.api}/v1/batches", body={"runs": runs}, stream=False)
    assert reply.status == 202, reply
    accepted = reply.json()["accepted"]
    assert isinstance(accepted, list)
    await asyncio.sleep(_SETTLE_S)
    sent = [(await _sent(stack, first), await _sent(stack, like)) for _ in range(probes)]
    ids = [str(each["run_id"]) for each in accepted]
    begun = await begun_at(stack, ids)
    return Beside(
        await _probes(stack, [pair[0] for pair in sent]),
        await _probes(stack, [pair[1] for pair in sent]),
        [*begun.values()],
    )


async def _sent(stack: Stack, fields: JsonBody) -> tuple[str, float]:
    """Submit a run; its id and when."""
    await asyncio.sleep(_PAUSE_S)
    sent_at, reply = await fetch(stack.runs, body={**BODY, **fields}, stream=False)
    assert reply.status == 202, reply
    return str(reply.json()["run_id"]), sent_at


async def _probes(stack: Stack, sent: Sequence[tuple[str, float]]) -> list[Probe]:
    begun = await begun_at(stack, [run for run, _ in sent])
    return [Probe(at, begun[run]) for run, at in sent]


async def begun_at(stack: Stack, runs: Sequence[str]) -> Mapping[str, float]:
    """When each of the runs had begun; waits until all have ended."""
    begun: dict[str, float] = {}
    async with asyncio.timeout(_END_S), stack.journal() as journal:
        for run in runs:
            while not (head := await journal.head(EVERY, run)) or not head.ended:
                await asyncio.sleep(_LOOK_S)
            facts = await journal.read(EVERY, run, facts=True)
            begun[run] = next(it.at_us for it in facts if it.type == "run.started") / 1e6
    return begun


def flood_figures(count: int, alone: Sequence[Probe], flooded: Beside) -> list[Figure]:
    """How much later runs of another key begin."""
    name = "runs of one key flood the queue: POST → begun, another key"
    quiet, first, like = ([it.ms for it in probes] for probes in (alone, *flooded[:2]))

    def row(name: str, ours: float, floor: float, against: str) -> Figure:
        return Figure(BENCH, name, "ms", ours, floor, against, load=count)

    return [
        row(f"{name}, p50", p50(first), p50(quiet), "the same without the flood"),
        row(f"{name}, p95", p95(first), p95(quiet), "the same without the flood")._replace(
            limit=TIMES * p95(quiet), rule=f"{TIMES:g} x floor"
        ),
        row(f"{name}, p95", p95(first), p95(like), "the flood's own key at the same time"),
    ]


def priority_figures(count: int, urgent: Beside) -> list[Figure]:
    """How many of the backlog begin before an urgent run."""
    name = "runs wait, then come some of priority 1"

    def row(name: str, unit: str, ours: float, floor: float, against: str) -> Figure:
        return Figure(BENCH, name, unit, ours, floor, against, load=count)

    first, like = ([it.ms for it in probes] for probes in urgent[:2])
    waited = p50(urgent.waiting())
    return [
        row(
            f"{name}: begin before one of these, p95",
            "runs",
            p95(urgent.overtook()),
            waited,
            "runs that waited when it came, p50",
        )._replace(limit=OVERTAKEN * count, rule=f"{OVERTAKEN:g} of the backlog"),
        row(
            f"{name}: POST → begun, p95",
            "ms",
            p95(first),
            p95(like),
            "priority 3 at the same time",
        ),
    ]
