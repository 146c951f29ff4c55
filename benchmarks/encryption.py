"""What encryption of Temporal's payloads adds to the processor time of a run.

Two stacks side by side, one with a key. They take turns of a second or two, so that whatever else
the machine does falls on both.
"""

from __future__ import annotations

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
from relayline.runtime.payloads.ring import new_key

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


class Pair(NamedTuple):
    """What runs of one kind took."""

    plain: Cost
    encrypted: Cost


async def measure(*, quick: bool, postgres: bool) -> list[Figure]:
    """Runs of each kind, in turns."""
    rounds, seconds = (QUICK_ROUNDS, QUICK_TURN_S) if quick else (ROUNDS, TURN_S)
    with TemporaryDirectory(prefix="relayline-bench-") as folder:
        async with AsyncExitStack() as stacks:
            plain, encrypted = [
                await stacks.enter_async_context(
                    stack_of(Path(folder) / name, env=env, postgres=postgres)
                )
                for name, env in (
                    ("plain", {}),
                    ("encrypted", {"RELAYLINE_PAYLOAD_KEYS": new_key().entry()}),
                )
            ]
            figures: list[Figure] = []
            for name, body in RUNS.items():
                taken: dict[bool, list[Cost]] = {False: [], True: []}
                for turn in range(rounds):
                    for second in (bool(turn % 2), not turn % 2):  # neither is always the first
                        stack = encrypted if second else plain
                        taken[second].append(await _turn(stack, body, seconds))
                figures += figures_of(name, Pair(_sum(taken[False]), _sum(taken[True])))
    return figures


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


def figures_of(name: str, pair: Pair) -> list[Figure]:
    """With encryption, against the same without."""
    against = "the same without encryption"

    def row(what: str, *kinds: str) -> Figure:
        ours, floor = pair.encrypted.per(*kinds) * 1e3, pair.plain.per(*kinds) * 1e3
        return Figure(
            BENCH, f"{name}, {AT_ONCE} at a time: CPU of {what}", "ms", ours, floor, against
        )

    whole = row("worker + API", *OURS)
    limit = (whole.floor or 0) * SHARE
    return [
        whole._replace(limit=limit, rule=f"floor + {SHARE - 1:.0%}"),
        *(row(kind, kind) for kind in pair.plain.cpu_s),
    ]
