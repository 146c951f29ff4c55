"""What a further turn of a conversation costs, against a run of its own or a further step."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from benchmarks.history import whole_history
from benchmarks.measure import Figure, p50
from benchmarks.sse import Reply, fetch
from benchmarks.stack import Stack

BENCH = "turns"
ROUNDS, QUICK_ROUNDS = 60, 15
STEPS = 10
DEEP, QUICK_DEEP = 200, 50
"""Turns of a long conversation before anything is measured in it."""
PAUSE_S = 0.05
SAYS = '{"rehearse":[{"say":"hello world"}]}'
_CALL = {"call": "calculate", "arguments": {"expression": "6*7"}}


def _first_delta_at(reply: Reply) -> float:
    return next(frame.at for frame in reply.frames() if frame.type == "message.delta")


async def _opened(stack: Stack) -> tuple[str, float]:
    """A conversation, and the ms to the first delta of its first turn."""
    body = {"agent": "assistant", "input": SAYS, "open": True}
    sent_at, reply = await fetch(stack.runs, body=body)
    run_id = str(json.loads(reply.frames()[0].data)["run_id"])
    return run_id, (_first_delta_at(reply) - sent_at) * 1e3


async def _followed(stack: Stack, run_id: str) -> float:
    """The ms from a message to the first delta of its turn."""
    sent_at, reply = await fetch(f"{stack.runs}/{run_id}/messages", body={"content": SAYS})
    return (_first_delta_at(reply) - sent_at) * 1e3


async def _over_a_socket(stack: Stack, run_id: str, turn: int) -> float:
    """The same on a socket that is open already; `turn`: the one before."""
    url = f"{stack.runs}/{run_id}/socket".replace("http://", "ws://")
    async with connect(url, subprotocols=[Subprotocol("relayline.v1")], proxy=None) as socket:
        await _until(socket, "turn.completed", turn)
        await asyncio.sleep(PAUSE_S)
        frame = {"command": "message", "command_id": "on-a-socket", "content": SAYS}
        sent_at = time.time()
        await socket.send(json.dumps(frame))
        await _until(socket, "message.delta", None)
        return (time.time() - sent_at) * 1e3


async def _until(socket: Any, kind: str, turn: int | None) -> None:
    async with asyncio.timeout(60):
        while True:
            event = json.loads(await socket.recv())
            if event.get("type") == kind and turn in {None, event["data"].get("turn")}:
                return


async def _events_of_turns(stack: Stack) -> int:
    """Events of history of a conversation of `STEPS` turns, each of one step."""
    run_id = await _long(stack, STEPS)
    await fetch(f"{stack.runs}/{run_id}/close", body={}, stream=False)
    await stack.temporal.get_workflow_handle(run_id).result()
    return (await whole_history(stack, run_id))[0]


async def _events_of_steps(stack: Stack) -> int:
    """The same of a run with as many steps."""
    script = json.dumps({"rehearse": [*[_CALL] * (STEPS - 1), {"say": "done"}]})
    _, reply = await fetch(stack.runs, body={"agent": "assistant", "input": script})
    run_id = str(json.loads(reply.frames()[0].data)["run_id"])
    await stack.temporal.get_workflow_handle(run_id).result()
    return (await whole_history(stack, run_id))[0]


async def _long(stack: Stack, turns: int) -> str:
    """A conversation of so many turns."""
    run_id, _ = await _opened(stack)
    for _ in range(turns - 1):
        await _followed(stack, run_id)
    return run_id


async def measure(stack: Stack, *, quick: bool) -> list[Figure]:
    """First deltas of first and further turns, side by side, and events of history."""
    firsts, further, on_socket, deep = [], [], [], []
    depth = QUICK_DEEP if quick else DEEP
    long_id = await _long(stack, depth)
    for _ in range(QUICK_ROUNDS if quick else ROUNDS):
        run_id, first = await _opened(stack)
        firsts.append(first)
        await asyncio.sleep(PAUSE_S)
        further.append(await _followed(stack, run_id))
        await asyncio.sleep(PAUSE_S)
        on_socket.append(await _over_a_socket(stack, run_id, 2))
        await asyncio.sleep(PAUSE_S)
        deep.append(await _followed(stack, long_id))
    turns, steps = await _events_of_turns(stack), await _events_of_steps(stack)
    first, rule = p50(firsts), "the first turn's"

    def delta(name: str, ours: float) -> Figure:
        return Figure(BENCH, name, "ms", ours, first, "the first turn", limit=first, rule=rule)

    return [
        delta("message to first delta, p50", p50(further)),
        delta("the same on a socket, p50", p50(on_socket)),
        delta(f"the same after {depth} turns, p50", p50(deep)),
        Figure(
            BENCH, f"{STEPS} turns of one step", "events", turns, steps, f"a run of {STEPS} steps"
        ),
    ]
