"""How soon a run that another one has started speaks; the floor is a run that a client submits.

Both from the moment that asks for it, the parent's whole answer or the submission, to the first
word in the run's own journal. Bare workflows, a child and a start, show what Temporal itself takes.
"""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from benchmarks.bare import QUEUE, Bare, BareParent
from benchmarks.measure import Figure, p50
from benchmarks.sse import fetch
from benchmarks.stack import Stack

BENCH = "family"
GOAL = 1.5
"""Times the floor."""
_COUNT, _QUICK = 60, 10
_WORD = {"rehearse": [{"say": "word"}]}
_LOOK_S = 0.05


async def measure(stack: Stack, *, quick: bool) -> list[Figure]:
    """Runs one after the other, by turns of either kind; the medians."""
    plain, below = [], []
    bare: list[tuple[float, float]] = []
    for _ in range(_QUICK if quick else _COUNT):
        events = await events_of(stack, await submitted(stack, "assistant", _WORD))
        plain.append(first_word_ms(events))
        call = {"call": "ask_speaker", "arguments": {"message": json.dumps(_WORD)}}
        script = {"rehearse": [call, {"say": "done"}]}
        events = await events_of(stack, await submitted(stack, "chief", script))
        [child] = [it["data"]["run_id"] for it in events if it["type"] == "child.started"]
        child_events = await events_of(stack, child)
        below.append(_ms(events, "message.completed", child_events))
        bare.append(await _bare(stack))
    return figures(plain, below, bare)


async def _bare(stack: Stack) -> tuple[float, float]:
    """From a start to the code of its activity, and from an activity to that of a child's; ms."""
    id_ = f"bench-family-{uuid.uuid4().hex}"
    began = time.time()
    ran_at = await stack.temporal.execute_workflow(Bare.run, id=id_, task_queue=QUEUE)
    asked, spoke = await stack.temporal.execute_workflow(
        BareParent.run, id=f"{id_}-parent", task_queue=QUEUE
    )
    return (ran_at - began) * 1000, (spoke - asked) * 1000


def figures(
    plain: Sequence[float], below: Sequence[float], bare: Sequence[tuple[float, float]]
) -> list[Figure]:
    """The medians of what was measured, in milliseconds."""
    floor = p50(plain)
    starts, children = zip(*bare, strict=True)
    return [
        Figure(
            bench=BENCH,
            name="from the call of another agent to its first word, p50",
            unit="ms",
            ours=p50(below),
            floor=floor,
            against="from a submission to the run's first word",
            limit=GOAL * floor,
            rule=f"{GOAL:g} times the floor",
        ),
        Figure(
            bench=BENCH,
            name="from an activity to that of a bare child workflow, p50",
            unit="ms",
            ours=p50(children),
            floor=p50(starts),
            against="from a bare start to its activity",
        ),
    ]


async def submitted(stack: Stack, agent: str, script: dict[str, Any]) -> str:
    """Submit a rehearsal; the run's id."""
    body = {"agent": agent, "model": "rehearsal", "input": json.dumps(script)}
    _, reply = await fetch(stack.runs, body=body, stream=False)
    return str(reply.json()["run_id"])


async def events_of(stack: Stack, run_id: str) -> list[dict[str, Any]]:
    """All events of the run, once it has ended."""
    while True:
        _, reply = await fetch(f"{stack.events(run_id)}?limit=1000", stream=False)
        page: dict[str, Any] = reply.json()
        if page["ended"]:
            events: list[dict[str, Any]] = page["events"]
            return events
        await asyncio.sleep(_LOOK_S)


def first_word_ms(events: list[dict[str, Any]]) -> float:
    """From the submission of a run to its first word, by the journal's clock."""
    return _ms(events, "run.queued", events, submitted=True)


def _ms(
    asked: list[dict[str, Any]],
    kind: str,
    spoken: list[dict[str, Any]],
    *,
    submitted: bool = False,
) -> float:
    """From the first event of that kind to the first word, by the journal's clock."""
    first = next(it for it in asked if it["type"] == kind)
    began = first["data"]["submitted_at"] if submitted else first["at"]
    word = next(it for it in spoken if it["type"] in {"message.delta", "message.completed"})
    taken = datetime.fromisoformat(word["at"]) - datetime.fromisoformat(began)
    return taken.total_seconds() * 1000
