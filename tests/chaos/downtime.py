"""`python -m tests.chaos.downtime`: a receiver is down for an hour, everything is killed in turn.

The clock of deliveries is compressed: with `--factor 60` all pauses between tries are a sixtieth of
the usual ones, and the hour takes a minute. A second receiver is up all the time. The checker says
whether each of them was told of everything, in order, signed, and under one id per event.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import math
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

import httpx

from relayline.runtime.settings import Settings
from tests.chaos import told
from tests.chaos.attendance import attendance
from tests.chaos.campaign import Load
from tests.chaos.checker import check
from tests.chaos.checks import Violation
from tests.chaos.clients import eventually
from tests.chaos.faults import Faults
from tests.chaos.figures import figures
from tests.chaos.observed import Observed
from tests.chaos.plans import Plan, brief, plan
from tests.chaos.receiver import ChaosReceiver
from tests.chaos.stacks import Stack, chaos_cluster, postgres_cluster

HOUR_S = 3600.0
TARGETS = ("api", "worker", "temporal")
AT_ONCE = 10
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Hour:
    """What is played."""

    seed: int
    runs: int = 200
    factor: float = 60
    """How much shorter all times of deliveries are."""
    every_s: float = 4
    """Seconds from one kill to the next, at least."""
    rounds: int = 4
    """How often a process of each kind is killed."""
    apis: int = 1
    workers: int = 2
    postgres: bool = False
    make: Callable[[Random], Plan] = plan

    @property
    def down_s(self) -> float:
        """The hour, compressed."""
        return HOUR_S / self.factor

    @property
    def told_s(self) -> float:
        """How long deliveries may take once the receiver is up: 5 h, the pause of who has failed
        for most of the hour, and what a busy machine adds."""
        return 5 * self.down_s + 120

    def stack(self, data_dir: Path) -> AbstractAsyncContextManager[Stack]:
        """Processes with the compressed pauses."""
        env = compressed(self.factor)
        make = postgres_cluster if self.postgres else chaos_cluster
        return make(data_dir, self.apis, self.workers, **env)


def compressed(factor: float) -> dict[str, str]:
    """The settings of all pauses between tries, that much shorter than usual."""
    usual = Settings()
    pauses = [each / factor for each in usual.webhook_retry_s]
    return {
        "RELAYLINE_WEBHOOK_RETRY_S": ",".join(f"{pause:.9f}" for pause in pauses),
        "RELAYLINE_WEBHOOK_REST_S": f"{usual.webhook_rest_s / factor:.6f}",
        "RELAYLINE_WEBHOOK_GIVE_UP_S": f"{usual.webhook_give_up_s / factor:.6f}",
    }


async def played(folder: Path, hour: Hour) -> tuple[list[Violation], dict[str, Any]]:
    """What the checker says after such an hour, and the figures."""
    async with hour.stack(folder / "data") as stack:
        load = Load(stack, hour.seed, at_once=AT_ONCE, make=hour.make, told_s=hour.told_s)
        await load.open_receiver(down_s=math.inf)
        other = await registered(stack, hour.seed)
        faults = Faults(stack, load, hour.seed, hour.every_s, {})
        began = time.monotonic()
        await asyncio.gather(
            load.play(hour.runs),
            faults.in_turn("kill", TARGETS * hour.rounds),
            asyncio.sleep(hour.down_s),
        )
        back = time.monotonic()
        await load.all_told()
        heard = time.monotonic()
        observed = await load.observe()
        await heard_by(other, observed, hour.told_s)
        await load.close()
        await other.close()
    found = [*check(observed), *complaints(other, observed)]
    return found, {
        "seed": hour.seed,
        "factor": hour.factor,
        "down_s": round(back - began),
        "all_told_after_s": round(heard - back, 1),
        "taken_again": sum(map(taken_again, observed)),
        **figures(observed, faults.done, attendance(folder / "data" / "logs", faults.done)),
        "violations": len(found),
    }


async def registered(stack: Stack, seed: int) -> ChaosReceiver:
    """A receiver that is up, and told of every run."""
    receiver = ChaosReceiver(seed + 1, down_s=0)
    await receiver.open()
    async with httpx.AsyncClient(base_url=stack.api_urls[0]) as http:
        answer = await eventually(lambda: http.post("/v1/webhooks", json={"url": receiver.url}))
    receiver.secret = answer.json()["secret"]
    return receiver


async def heard_by(receiver: ChaosReceiver, observed: Sequence[Observed], seconds: float) -> None:
    """Return once it has taken everything; the checker says if it has not in time."""
    receiver.recover()
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            for run in observed:
                await receiver.hears(run)


def complaints(receiver: ChaosReceiver, observed: Sequence[Observed]) -> list[Violation]:
    """What was wrong with what a receiver other than that of the runs was told."""
    return [
        Violation(broken, run.run_id, f"the other receiver: {what}")
        for run in observed
        for broken, what in told.complaints(replace(run, told=receiver.told_of(run.run_id)))
    ]


def taken_again(run: Observed) -> int:
    """How many requests came after one of the same id had been taken."""
    taken = Counter(it.id for it in run.told or () if it.taken)
    return taken.total() - len(taken)


def main() -> None:
    """Exit 1 on a violation, and say where the evidence is."""
    hour = _arguments()
    logging.basicConfig(format="%(message)s", stream=sys.stdout)
    _log.setLevel(logging.INFO)
    folder = Path(tempfile.mkdtemp(prefix="relayline-downtime-"))
    found, said = asyncio.run(played(folder, hour))
    _log.info("%s", json.dumps(said, indent=1))
    for violation in found[:50]:
        _log.info("VIOLATION %s", violation)
    if found:
        _log.info("evidence: %s", folder)
    else:
        shutil.rmtree(folder)
    logging.shutdown()
    os._exit(1 if found else 0)  # a short-lived Temporal client may abort at interpreter exit


def _arguments() -> Hour:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.downtime", description=__doc__)
    parser.add_argument("--runs", type=int, default=200, help="at least so many are told of")
    parser.add_argument("--factor", type=float, default=60, help="60: the hour takes a minute")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    parser.add_argument("--every-s", type=float, default=4, help="seconds from kill to kill")
    parser.add_argument("--rounds", type=int, default=4, help="kills of each kind of process")
    parser.add_argument("--api", type=int, default=1, help="API processes")
    parser.add_argument("--workers", type=int, default=2, help="workers")
    parser.add_argument("--postgres", action="store_true", help="the journal is in Postgres")
    parser.add_argument("--brief", action="store_true", help="runs of a moment instead of a mix")
    it = parser.parse_args()
    return Hour(
        seed=it.seed,
        runs=it.runs,
        factor=it.factor,
        every_s=it.every_s,
        rounds=it.rounds,
        apis=it.api,
        workers=it.workers,
        postgres=it.postgres,
        make=brief if it.brief else plan,
    )


if __name__ == "__main__":
    main()
