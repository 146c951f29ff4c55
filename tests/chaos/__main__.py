"""`python -m tests.chaos --runs 1000 --seed 7 --minutes 20`: a campaign, its figures, a verdict."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

from relayline.runtime.payloads.ring import new_key
from tests.chaos.attendance import attendance
from tests.chaos.campaign import Load
from tests.chaos.checker import check
from tests.chaos.checks import Violation
from tests.chaos.delays import Lookout, explained
from tests.chaos.faults import MIXES, Faults
from tests.chaos.figures import figures
from tests.chaos.mcp_agents import MODULE as SERVED_MODULE
from tests.chaos.plans import Plan, conversation, family, plan, served
from tests.chaos.stacks import Stack, chaos_cluster, chaos_stack, give_key, postgres_cluster

_log = logging.getLogger(__name__)
_MAX_SHOWN = 50
_DEV_WORKERS = 2
_LONG_DRAIN_S = "30"
"""Longer than any call of the load takes."""


def main() -> None:
    """Exit 1 on a violation, and say where the evidence is."""
    given = _arguments()
    logging.basicConfig(format="%(message)s", stream=sys.stdout)
    _log.setLevel(logging.INFO)
    _log.info("seed %d: %d runs, at most %g minutes", given.seed, given.runs, given.minutes)
    folder = Path(tempfile.mkdtemp(prefix="relayline-chaos-"))
    found, told = asyncio.run(campaign(folder, given))
    _log.info("%s", json.dumps(told, indent=1))
    for violation in found[:_MAX_SHOWN]:
        _log.info("VIOLATION %s", violation)
    if found:
        _log.info("evidence: %s (journal: data/journal.db, runs: evidence.json)", folder)
    else:
        shutil.rmtree(folder)
    _log.info("seed %d: %d violations", given.seed, len(found))
    logging.shutdown()
    os._exit(1 if found else 0)  # a short-lived Temporal client may abort at interpreter exit


async def campaign(
    folder: Path, given: argparse.Namespace
) -> tuple[list[Violation], dict[str, Any]]:
    """Load and faults until the runs have ended or time is up; what the checker says of it."""
    began, logs = time.monotonic(), folder / "data" / "logs"
    async with _prepared(folder / "data", given) as stack:
        load = Load(stack, given.seed, at_once=given.at_once, make=_plans(given.mix))
        await load.open_receiver()
        faults = Faults(stack, load, given.seed, given.fault_every_s, MIXES[given.mix])
        wanted = getattr(given, "wanted", ())
        explain_s = getattr(given, "explain_s", None)
        playing = asyncio.create_task(load.play(given.runs, until=lambda: faults.did(*wanted)))
        injecting = asyncio.create_task(faults.inject())
        lookout = Lookout(stack, load.open_runs if explain_s else list)
        looking = asyncio.create_task(lookout.look())
        await asyncio.wait({playing}, timeout=given.minutes * 60)
        if not injecting.cancel():
            injecting.result()  # it has failed
        load.close_the_door()
        await faults.settled()
        await load.ended(playing)
        looking.cancel()
        observed = await load.observe(drained_only=given.mix == "drains")
        await load.close()
    if explain_s:
        _explain(explained(observed, faults.done, lookout, logs, explain_s))
    found = check(observed)
    told = {"seed": given.seed, "seconds": round(time.monotonic() - began)}
    told |= figures(observed, faults.done, attendance(logs, faults.done)) | {
        "violations": len(found)
    }
    evidence = {**told, "fault_log": faults.report(), "violation_log": [str(it) for it in found]}
    evidence["run_ids"] = sorted({it.run_id for it in found})
    (folder / "evidence.json").write_text(json.dumps(evidence, indent=1))
    return found, told


def _plans(mix: str) -> Callable[[Random], Plan]:
    """What draws the plans of the runs."""
    return {"conversations": conversation, "families": family, "mcp": served}.get(mix, plan)


def _explain(lines: Iterable[str]) -> None:
    for line in lines:
        _log.info("%s", line)


def _stack(data: Path, given: argparse.Namespace) -> AbstractAsyncContextManager[Stack]:
    """What the campaign is played on."""
    drained = given.mix == "drains"
    env = {"RELAYLINE_DRAIN_S": _LONG_DRAIN_S} if drained else {}
    if given.mix == "mcp":
        env["RELAYLINE_CATALOG"] = SERVED_MODULE
    if ("kill", "journal") in MIXES[given.mix]:
        # a killed Postgres, other than a restarted one, may lose deltas that did not wait for it
        env["RELAYLINE_RELAXED_DELTAS"] = "false"
    if getattr(given, "encrypt", False):
        env["RELAYLINE_PAYLOAD_KEYS"] = f"{new_key('new').entry()},{new_key('old').entry()}"
        os.environ |= env  # for whoever here reads the journal
    if given.postgres:
        return postgres_cluster(data, given.api, given.workers, **env)
    if drained or given.api > 1 or given.workers != _DEV_WORKERS:
        return chaos_cluster(data, given.api, given.workers, **env)
    return chaos_stack(data, **env)


@asynccontextmanager
async def _prepared(data: Path, given: argparse.Namespace) -> AsyncIterator[Stack]:
    """The same; its one tenant has a key if everything must be encrypted."""
    async with _stack(data, given) as stack:
        if getattr(given, "encrypt", False):
            await give_key(stack)
        yield stack


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    parser.add_argument("--minutes", type=float, default=30, help="then no more runs are submitted")
    parser.add_argument("--at-once", type=int, default=10, help="runs at a time")
    parser.add_argument("--api", type=int, default=1, help="API processes; one: `relayline dev`")
    parser.add_argument("--workers", type=int, default=_DEV_WORKERS, help="workers")
    parser.add_argument("--postgres", action="store_true", help="the journal is in Postgres")
    parser.add_argument(
        "--encrypt", action="store_true", help="payloads, and the journal by a key of the tenant"
    )
    parser.add_argument("--fault-every-s", type=float, default=3.0, help="seconds, on average")
    parser.add_argument("--explain-s", type=float, help="tell of each recovery longer than this")
    parser.add_argument("--mix", choices=MIXES, default="heavy", help="which faults")
    return parser.parse_args()


if __name__ == "__main__":
    main()
