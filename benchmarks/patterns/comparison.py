"""The comparison: each pattern is started, goes through its rounds, and is stopped."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from benchmarks.measure import Figure
from benchmarks.patterns import clients, serving
from benchmarks.patterns.clients import Client, Seen, Target, use
from benchmarks.patterns.environment import FACTOR
from benchmarks.patterns.figures import BENCH, Pattern, figures, unmeasured
from benchmarks.patterns.rounds import Plan, Round, Trouble, play
from benchmarks.patterns.serving import NotMeasured, Place, Serving
from benchmarks.stack import NotStarted, allow_many_files, answering, process
from relayline.dev.ports import free_port

__all__ = ["BENCH", "measure"]

FEW, MANY = 20, 200
"""Users at once in the middle of the load, and at its end."""


class Stage(NamedTuple):
    """Rounds between a start of everything and its stop, on one clock."""

    factor: float
    """How many times faster than its own clock the workload is played."""
    plans: Sequence[Plan]


FAULTS = (Plan(Trouble.KILL, FEW), Plan(Trouble.REDEPLOY, FEW))
STAGES = (
    Stage(5, (Plan(Trouble.OUTAGE, 1, 2), Plan(Trouble.OUTAGE, FEW), *FAULTS)),
    Stage(3, (Plan(Trouble.OUTAGE, MANY),)),
)
"""Slower with many, because processor time can't be compressed."""
QUICK = (Stage(8, (Plan(Trouble.OUTAGE, FEW // 2), Plan(Trouble.KILL, FEW // 2))),)
CARELESS = (Stage(5, (FAULTS[0],)),)
WARM = 4
"""Runs before the first round: everything is imported, connections are there."""
_PATIENT = 2.0
"""The clock of their clients: a new process may need its time."""


class Contender(NamedTuple):
    """A pattern, who serves it, who asks."""

    pattern: Pattern
    serving: Serving
    client: Client
    stages: Sequence[Stage]


def contenders(*, quick: bool, postgres: bool) -> list[Contender]:
    """Those that are compared, one after the other."""
    careful, careless = serving.queued(careful=True), serving.queued(careful=False)
    stages = QUICK if quick else STAGES
    return [
        Contender(Pattern.SYNC, serving.synchronous, clients.wait, stages),
        Contender(Pattern.QUEUE, careful, clients.poll, stages),
        *[Contender(Pattern.CARELESS, careless, clients.poll, CARELESS)][quick:],
        Contender(Pattern.STREAM, serving.streamed, clients.listen, stages),
        Contender(Pattern.OURS, serving.durable(postgres=postgres), clients.follow, stages),
    ]


async def measure(*, quick: bool, postgres: bool) -> list[Figure]:
    """All of them; one that can't be measured says why."""
    allow_many_files()
    told: list[Figure] = []
    with TemporaryDirectory(prefix="relayline-bench-") as folder:
        for each in contenders(quick=quick, postgres=postgres):
            try:
                rounds = await compete(each, Path(folder) / each.pattern.name)
            except NotMeasured as error:
                told.append(unmeasured(each.pattern, str(error)))
            else:
                told += [it for found in rounds for it in figures(each.pattern, found)]
    return told


@asynccontextmanager
async def provider(folder: Path, factor: float) -> AsyncIterator[str]:
    """The provider of all; its base URL.

    Raises:
        NotStarted: it did not come up.
    """
    port, log = free_port(), folder / "provider.log"
    command = (sys.executable, "-m", "benchmarks.patterns.provider", str(port))
    url = f"http://127.0.0.1:{port}"
    async with process(*command, log=log, env={FACTOR: str(factor)}) as child:
        await answering(f"{url}/healthz", child, log)
        yield url


async def compete(contender: Contender, folder: Path) -> list[Round]:
    """Go through the stages of one.

    Raises:
        NotMeasured: this machine lacks something that it needs.
        NotStarted: it did not come up.
    """
    rounds: list[Round] = []
    for number, stage in enumerate(contender.stages):
        own = folder / str(number)
        async with provider(own, stage.factor) as url:
            rounds += await _staged(contender, Place(own / "served", url, stage.factor), stage)
    return rounds


async def _staged(contender: Contender, place: Place, stage: Stage) -> list[Round]:
    """Start everything, play the rounds, stop it."""
    client = contender.client
    async with contender.serving(place) as served:
        target = Target(served.url, _PATIENT)
        warm = [Seen(f"warm-{number}") for number in range(WARM)]
        await asyncio.gather(*(use(client, target, it) for it in warm))
        if lost := [it for it in warm if it.ended is None]:
            raise NotStarted(f"{contender.pattern}: no answer, not even alone: {lost[0]}")
        return [
            await play(served, client, place.provider, place.factor, plan) for plan in stage.plans
        ]
