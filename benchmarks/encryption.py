"""What encryption adds to the processor time of a run.

Three stacks side by side: in plain, with encrypted payloads, and with a key of the tenant, too.
They take turns of a second or two, so that whatever else the machine does falls on all.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from benchmarks.alone import stack_of
from benchmarks.measure import Figure
from benchmarks.processor import AT_ONCE, OURS, Cost, again, used
from benchmarks.sse import fetch
from benchmarks.stack import Stack
from benchmarks.submit import BODY
from relayline.contracts.runs import DEFAULT_TENANT
from relayline.journal.access.audit import row_without_request
from relayline.journal.postgres.journal import PostgresJournal
from relayline.journal.sqlite.journal import SqliteJournal
from relayline.journal.tenants.tenant_keys import EFFECTIVE_S
from relayline.runtime.payloads.ring import ListedKeys, new_key

BENCH = "encryption"
ROUNDS, QUICK_ROUNDS = 12, 2
TURN_S, QUICK_TURN_S = 2.0, 1.0
SHARE = 1.10
"""Ours may take so many times the processor time of the run without encryption."""
STEPS = 5
_CALL = {"call": "calculate", "arguments": {"expression": "6*7"}}
RUNS: Mapping[str, dict[str, Any]] = {
    "a short run": BODY,
    f"a run of {STEPS} tool calls": {
        "agent": "assistant",
        "input": json.dumps({"rehearse": [*[_CALL] * STEPS, {"say": "42"}]}),
    },
}


class Kinds(NamedTuple):
    """What runs took, or where they are at work."""

    plain: Any
    encrypted: Any
    sealed: Any
    """With encrypted payloads, and a key of the tenant in the journal."""


async def measure(*, quick: bool, postgres: bool) -> list[Figure]:
    """Runs of each kind, in turns."""
    rounds, seconds = (QUICK_ROUNDS, QUICK_TURN_S) if quick else (ROUNDS, TURN_S)
    with TemporaryDirectory(prefix="relayline-bench-") as folder:
        async with AsyncExitStack() as entered:
            key = new_key()
            with_key = {"RELAYLINE_PAYLOAD_KEYS": key.entry()}
            stacks: list[Stack] = [
                await entered.enter_async_context(
                    stack_of(Path(folder) / name, env=env, postgres=postgres)
                )
                for name, env in zip(Kinds._fields, ({}, with_key, with_key), strict=True)
            ]
            await _seal(stacks[-1], ListedKeys([key]))
            figures: list[Figure] = []
            for name, body in RUNS.items():
                taken: list[list[Cost]] = [[] for _ in stacks]
                for turn in range(rounds):
                    for place in range(len(stacks)):  # none is always the first
                        which = (place + turn) % len(stacks)
                        taken[which].append(await _turn(stacks[which], body, seconds))
                figures += figures_of(name, Kinds(*map(_sum, taken)))
    return figures


async def _seal(stack: Stack, ring: ListedKeys) -> None:
    """Give the tenant of the runs a key, and wait until all processes use it."""
    path = stack.data_dir / "journal.db"
    opened = PostgresJournal(stack.dsn, ring=ring) if stack.dsn else SqliteJournal(path, ring)
    row = row_without_request("benchmark", "", DEFAULT_TENANT, "tenant-key.create", "")
    try:
        await opened.tenant_keys.create(DEFAULT_TENANT, row)
    finally:
        await opened.close()
    await asyncio.sleep(EFFECTIVE_S)


async def _turn(stack: Stack, body: dict[str, Any], seconds: float) -> Cost:
    async def run() -> None:
        _, reply = await fetch(stack.runs, body=body)
        assert reply.frames()[-1].type == "run.completed", reply

    return await used(stack, lambda: again(run, seconds))


def _sum(costs: list[Cost]) -> Cost:
    cpu_s: Counter[str] = Counter()
    for cost in costs:
        cpu_s.update(cost.cpu_s)
    return Cost(sum(cost.times for cost in costs), cpu_s)


def figures_of(name: str, took: Kinds) -> list[Figure]:
    """With encryption, against the same without."""

    def row(costs: tuple[Cost, Cost], against: str, what: str, *kinds: str) -> Figure:
        ours, floor = (cost.per(*kinds) * 1e3 for cost in costs)
        text = f"{name}, {AT_ONCE} at a time: CPU of {what}"
        return Figure(BENCH, text, "ms", ours, floor, against)

    payloads = (took.encrypted, took.plain), "the same without encryption"
    tenants = (took.sealed, took.encrypted), "the same with encrypted payloads alone"
    whole = row(*payloads, "worker + API", *OURS)
    limit = (whole.floor or 0) * SHARE
    return [
        whole._replace(limit=limit, rule=f"floor + {SHARE - 1:.0%}"),
        *(row(*payloads, kind, kind) for kind in took.plain.cpu_s),
        row(*tenants, "worker + API, with a tenant's key", *OURS),
    ]
