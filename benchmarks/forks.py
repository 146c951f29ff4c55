"""How soon a fork of a long run is accepted, and how soon it has its past."""

from __future__ import annotations

import json
import time

from benchmarks.measure import Figure, p50, p95
from benchmarks.sse import fetch
from benchmarks.stack import Stack

BENCH = "forks"
STEPS = 150
"""Of the run that is forked."""
ROUNDS, QUICK_ROUNDS = 30, 8
ACCEPTED_MS = 500
_CALL = {"call": "calculate", "arguments": {"expression": "6*7"}}
_RUN = {
    "agent": "assistant",
    "input": json.dumps({"rehearse": [_CALL] * (STEPS - 1) + [{"say": "done"}]}),
    "limits": {"max_steps": STEPS},
}
_FORK = {"from_step": STEPS}


async def measure(stack: Stack, *, quick: bool) -> list[Figure]:
    """Fork the same run again and again; each fork does its last step again."""
    _, run = await fetch(stack.runs, body=_RUN)
    frames = run.frames()
    assert frames[-1].type == "run.completed", frames[-1]
    run_id = json.loads(frames[-1].data)["run_id"]
    accepted: list[float] = []
    inherited: list[float] = []
    for _ in range(QUICK_ROUNDS if quick else ROUNDS):
        sent_at, reply = await fetch(f"{stack.runs}/{run_id}/fork", body=_FORK, stream=False)
        assert reply.status == 202, reply
        accepted.append((reply.headed_at - sent_at) * 1e3)
        inherited.append((await _past(stack, str(reply.json()["run_id"])) - sent_at) * 1e3)
    return [
        Figure(BENCH, f"{STEPS} steps: POST → 202, p50", "ms", p50(accepted)),
        Figure(
            BENCH,
            f"{STEPS} steps: POST → 202, p95",
            "ms",
            p95(accepted),
            limit=ACCEPTED_MS,
            rule=f"{ACCEPTED_MS}",
        ),
        Figure(BENCH, f"{STEPS} steps: POST → past, p50", "ms", p50(inherited)),
    ]


async def _past(stack: Stack, fork_id: str) -> float:
    """When a stream of the fork had all of its past; waits for the fork's end."""
    _, reply = await fetch(stack.events(fork_id))
    frames = reply.frames()
    forked = next(frame for frame in frames if frame.type == "run.forked")
    to_seq = json.loads(forked.data)["data"]["to_seq"]
    return next((frame.at for frame in frames if frame.id == to_seq), time.time())
