"""How two fairness keys share the slots of a provider: a flood of long calls, then short ones."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from benchmarks.measure import Figure
from benchmarks.provider import MODEL
from benchmarks.sse import fetch
from benchmarks.stack import Stack
from relayline.journal.table import EVERY

SLOTS = 8
"""Calls at a time that the worker makes to the provider."""
FLOOD, QUICK_FLOOD = 160, 60
OTHERS, QUICK_OTHERS = 80, 24
"""Runs of one call each."""
FLOOD_MS, OTHER_MS = 1000, 250
"""How long their calls take."""
_TOKENS = 5
_SETTLE_S, _LOOK_S, _END_S = 2.0, 0.5, 300


class Held(NamedTuple):
    """A call, from where it has its slot until its answer is there; seconds since 1970."""

    key: str
    since: float
    until: float


class Shared(NamedTuple):
    """What was seen of the slots."""

    calls: Sequence[Held]
    came_at: float
    """When the calls of the other key were submitted."""

    def waiting(self) -> tuple[float, float]:
        """From when to when calls of the other key waited, and slots were given by turns.

        No call is stopped: those of the flood that ran when the others came have ended by then. And
        a call waits for a slot only once its run has got so far, as the first of them has.
        """
        others = [it.since for it in self.calls if it.key == "other"]
        return max(self.came_at + FLOOD_MS / 1e3, min(others)), max(others)

    def of_flood(self) -> Iterator[tuple[float, int]]:
        """How many slots the flood had meanwhile: for how many seconds."""
        begin, end = self.waiting()
        flood = [it for it in self.calls if it.key == "flood"]
        moments = sorted({begin, end, *_within(begin, end, flood)})
        for since, until in itertools.pairwise(moments):
            yield until - since, sum(it.since <= since < it.until for it in flood)

    def mean(self) -> float:
        """Slots that the flood had, on average."""
        parts = [*self.of_flood()]
        return sum(s * held for s, held in parts) / sum(s for s, _ in parts)


def _within(begin: float, end: float, calls: Iterable[Held]) -> Iterator[float]:
    for call in calls:
        yield from (at for at in (call.since, call.until) if begin < at < end)


async def shared(stack: Stack, *, quick: bool) -> Shared:
    """Submit the flood, and the others once it has all slots; wait until all have ended."""
    flood, others = (QUICK_FLOOD, QUICK_OTHERS) if quick else (FLOOD, OTHERS)
    _, long = await _submit(stack, "flood", flood, FLOOD_MS)
    await asyncio.sleep(_SETTLE_S)
    came_at, short = await _submit(stack, "other", others, OTHER_MS)
    calls = [
        await _held(stack, key, run)
        for key, runs in (("flood", long), ("other", short))
        for run in runs
    ]
    return Shared(calls, came_at)


async def _submit(stack: Stack, key: str, count: int, ms: int) -> tuple[float, list[str]]:
    """Submit runs of one call that takes so long; when, and their ids."""
    order = json.dumps({"tokens": _TOKENS, "every_ms": ms / (_TOKENS - 1)})
    run = {"agent": "assistant", "model": f"compatible:{MODEL}", "input": order}
    body = {"runs": [{**run, "fairness_key": key}] * count}
    sent_at, reply = await fetch(f"{stack.api}/v1/batches", body=body, stream=False)
    assert reply.status == 202, reply
    accepted = reply.json()["accepted"]
    assert isinstance(accepted, list)
    return sent_at, [str(each["run_id"]) for each in accepted]


async def _held(stack: Stack, key: str, run: str) -> Held:
    """When the run's only call had its slot, by what it wrote first and last."""
    async with asyncio.timeout(_END_S), stack.journal() as journal:
        while not (head := await journal.head(EVERY, run)) or not head.ended:
            await asyncio.sleep(_LOOK_S)
        facts = {it.type: it.at_us / 1e6 for it in await journal.read(EVERY, run, facts=True)}
    return Held(key, facts["run.started"], facts["message.completed"])


def figures(bench: str, shared: Shared) -> list[Figure]:
    """What was seen, against the goal."""
    name = f"{SLOTS} slots of a provider, calls of another key wait: the flood has"
    return [
        Figure(bench, f"{name}, on average", "slots", shared.mean())._replace(
            floor=SLOTS / 2, against="half of them", limit=SLOTS / 2, rule="half of them"
        ),
        Figure(bench, f"{name}, at most", "slots", max(held for _, held in shared.of_flood())),
    ]
