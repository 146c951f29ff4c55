"""Commands to runs whose worker has died: taken at once, applied when there is one again."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from benchmarks import notes
from benchmarks.course import Busy, order, post, submit
from benchmarks.no_push import NoPush
from benchmarks.sse import Reply, fetch

_WAIT_S = 30
"""Longest that each answer is waited for."""


class _Sent(NamedTuple):
    run: str
    command_id: str
    told: str | None
    """The note of what a redirect tells the model; None: it is a cancel."""


@dataclass
class Absence:
    """What became of commands that came while there was no worker."""

    accepted: list[float] = field(default_factory=list)
    """Milliseconds from POST to 202."""
    lost: int = 0
    """Commands that took no effect when a worker was back."""


async def absence(stack: NoPush, folder: Path, count: int) -> Absence:
    """Kill the worker of so many runs, redirect or cancel each of them, start another worker."""
    names = [str(folder / f"absent-{index}") for index in range(count)]
    found = Absence()
    async with stack.worker() as worker:
        runs = [await submit(stack.runs, order(Busy.ASYNC, name)) for name in names]
        for name in names:
            await notes.wait(name, "started")
        worker.kill()
        await worker.wait()
    sent: list[_Sent] = []
    for index, (run, name) in enumerate(zip(runs, names, strict=True)):
        told = None if index % 2 else f"{name}-told"
        sent_at, reply = await _send(run, told)
        found.accepted.append((reply.headed_at - sent_at) * 1e3)
        sent.append(_Sent(run, str(reply.json()["command_id"]), told))
    async with stack.worker():
        took = await asyncio.gather(*map(_took_effect, sent))
    found.lost = took.count(False)
    return found


async def _send(run: str, told: str | None) -> tuple[float, Reply]:
    """Redirect or cancel the run."""
    if told is None:
        return await post(f"{run}/cancel", {})
    message = json.dumps({"note": told, "tokens": 1, "every_ms": 0})
    return await post(f"{run}/redirect", {"message": message})


async def _took_effect(sent: _Sent) -> bool:
    """Whether the command was applied, and the run has ended as that has it."""
    _, receipt = await fetch(f"{sent.run}/commands/{sent.command_id}?wait={_WAIT_S}", stream=False)
    _, ended = await fetch(f"{sent.run}?wait={_WAIT_S}", stream=False)
    known = sent.told is None or notes.find(sent.told, "asked") is not None
    status = "cancelled" if sent.told is None else "completed"
    return known and receipt.json()["state"] == "applied" and ended.json()["status"] == status
