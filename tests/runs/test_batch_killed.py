"""A batch whose processes are all killed while it starts: no run is lost, none runs twice."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest

from relayline.contracts.events import TERMINAL_TYPES
from tests.dev_stack import DevStack

RUNS = 60
KEY = {"Idempotency-Key": "all-of-it"}


async def submitted(stack: DevStack) -> dict[str, Any]:
    """The receipt, however often the API dies before it answers."""
    run = {"agent": "assistant", "input": json.dumps({"rehearse": [{"say": "done"}]})}
    async with asyncio.timeout(60):
        while True:
            try:
                answer = await stack.client.post(
                    "/v1/batches", json={"runs": [run] * RUNS}, headers=KEY
                )
            except httpx.HTTPError:
                await asyncio.sleep(0.05)
                continue
            if answer.status_code in {200, 202}:
                receipt: dict[str, Any] = answer.json()
                return receipt


def kill(stack: DevStack, target: str) -> None:
    for pid in stack.pids_of(target):
        os.kill(pid, signal.SIGKILL)


async def counts(stack: DevStack, batch: str) -> dict[str, int]:
    """The batch's runs by status; empty while the API does not answer."""
    try:
        answer = await stack.client.get(f"/v1/batches/{batch}")
    except httpx.HTTPError:
        return {}
    found: dict[str, int] = answer.json().get("by_status", {})
    return found


@pytest.mark.stack
@pytest.mark.timeout(240)
async def test_kills_at_any_moment_lose_no_run_of_a_batch_and_double_none(tmp_path: Path) -> None:
    async with DevStack(tmp_path / "dev") as stack:
        first = asyncio.create_task(submitted(stack))
        await asyncio.sleep(0.05)
        kill(stack, "api")
        receipt = await first
        assert await submitted(stack) == receipt, "the same key is the same batch"
        batch = receipt["batch_id"]
        for target in ("worker", "temporal", "worker", "api"):
            await asyncio.sleep(1)
            kill(stack, target)
        done: dict[str, int] = {}
        async with asyncio.timeout(180):
            while done != {"completed": RUNS}:
                await asyncio.sleep(0.5)
                done = await counts(stack, batch) or done
        for run in receipt["accepted"]:
            kinds = Counter(event["type"] for event in await stack.events(run["run_id"]))
            assert kinds["run.queued"] == kinds["run.started"] == 1
            assert sum(kinds[kind] for kind in TERMINAL_TYPES) == 1
