"""A stream cut anywhere and resumed gives exactly the journal."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.dev_stack import DevStack

CUTS = 200


async def stream(
    stack: DevStack, run_id: str, after: int, stop_after: int | None = None
) -> list[dict[str, Any]]:
    """Envelopes of one connection: to its end, or cut after that many."""
    headers = {"Accept": "text/event-stream"}
    if after:
        headers["Last-Event-ID"] = str(after)
    got: list[dict[str, Any]] = []
    async with stack.client.stream("GET", f"/v1/runs/{run_id}/events", headers=headers) as answer:
        if answer.status_code == 204:
            return got
        assert answer.status_code == 200
        last_id = 0
        async for line in answer.aiter_lines():
            if line.startswith("id:"):
                last_id = int(line[3:])
            elif line.startswith("data:"):
                got.append(json.loads(line[5:]))
                assert got[-1]["seq"] == last_id
                if len(got) == stop_after:
                    break
    return got


async def with_cuts(stack: DevStack, run_id: str, seed: random.Random, cuts: int) -> list[Any]:
    """The whole stream, cut at random points and resumed by `Last-Event-ID`."""
    got: list[dict[str, Any]] = []
    for _ in range(cuts):
        after = got[-1]["seq"] if got else 0
        piece = await stream(stack, run_id, after, seed.randint(1, 6))
        got += piece
        if not piece or piece[-1]["type"].startswith("run.completed"):
            return got
    return got + await stream(stack, run_id, got[-1]["seq"])


@pytest.mark.representative
async def test_two_hundred_cuts_of_a_live_run_lose_and_repeat_nothing(stack: DevStack) -> None:
    seed = random.Random(20261123)  # noqa: S311
    run_id = await stack.submit(
        {"tokens": 250, "every_ms": 10},
        {"call": "calculate", "arguments": {"expression": "6*7"}},
        {"say": "it is forty-two, as ever " * 20, "every_ms": 5},
    )
    pieces = await asyncio.gather(
        *(with_cuts(stack, run_id, random.Random(seed.random()), CUTS // 4) for _ in range(8))  # noqa: S311
    )
    journal = await stack.events(run_id)
    assert [event["seq"] for event in journal] == list(range(1, len(journal) + 1))
    assert journal[-1]["type"] == "run.completed"
    for got in pieces:
        assert got == journal


async def test_cuts_of_an_ended_run_and_a_reconnect_past_its_end(stack: DevStack) -> None:
    run_id = await stack.submit({"say": "one two three four five six seven eight nine ten"})
    await stack.ended(run_id)
    journal = await stack.events(run_id)
    for after in range(len(journal) + 1):
        assert await stream(stack, run_id, after) == journal[after:]


@pytest.mark.stack
async def test_streams_go_on_without_workers_and_without_temporal(tmp_path: Path) -> None:
    async with DevStack(tmp_path / "dev") as stack:
        run_id = await stack.submit({"say": "a b c d e f g h i j k l m n o p"})
        await stack.ended(run_id)
        journal = await stack.events(run_id)
        # stopped, not killed: the supervisor would start dead ones again
        for pid in (stack.state["temporal"]["pid"], stack.state["workers"][0]["pid"]):
            os.kill(pid, signal.SIGSTOP)
        try:
            seed = random.Random(7)  # noqa: S311
            assert await with_cuts(stack, run_id, seed, 50) == journal
            run = (await stack.client.get(f"/v1/runs/{run_id}")).json()
            assert run["status"] == "completed"
        finally:
            for pid in (stack.state["temporal"]["pid"], stack.state["workers"][0]["pid"]):
                os.kill(pid, signal.SIGCONT)
