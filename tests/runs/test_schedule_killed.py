"""A schedule whose processes are killed around its times: each time is one run."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from relayline.api.runs.schedules import schedule_key
from relayline.api.signing.ids import new_run_id
from relayline.contracts.events import TERMINAL_TYPES
from relayline.contracts.submissions.schedules import SCHEDULE_PREFIX
from tests.dev_stack import DevStack

EVERY_S = 2
VICTIMS = ("worker", "temporal", "api", "worker", "temporal", "api", "temporal", "worker")
BOUND_S = 180


async def asked(stack: DevStack, method: str, path: str, **options: Any) -> dict[str, Any]:
    """The answer, however often the API or Temporal is away first."""
    async with asyncio.timeout(BOUND_S):
        while True:
            try:
                answer = await stack.client.request(method, path, **options)
            except httpx.HTTPError:
                await asyncio.sleep(0.1)
                continue
            if answer.is_success:
                found: dict[str, Any] = answer.json()
                return found
            assert answer.status_code == 503, answer.text
            await asyncio.sleep(0.1)


async def kill_at_the_next_time(stack: DevStack, target: str, offset_s: float) -> None:
    """SIGKILL so many seconds after a time of the schedule, or before it."""
    now = datetime.now(UTC).timestamp()
    await asyncio.sleep(2 * EVERY_S - now % EVERY_S + offset_s)
    for pid in stack.pids_of(target):
        os.kill(pid, signal.SIGKILL)


def due(first: datetime, last: datetime) -> list[datetime]:
    """The times of the schedule from one to another, both included."""
    count = int((last - first).total_seconds()) // EVERY_S + 1
    return [first + timedelta(seconds=EVERY_S * number) for number in range(count)]


def run_of(name: str, moment: datetime) -> str:
    """The id of the run of that time."""
    return new_run_id(schedule_key(f"{SCHEDULE_PREFIX}{name}-{moment:%Y-%m-%dT%H:%M:%SZ}"))


@pytest.mark.soak
@pytest.mark.stack
@pytest.mark.timeout(600)
async def test_kills_around_its_times_cost_a_schedule_no_run_and_double_none(
    tmp_path: Path,
) -> None:
    run = {
        "agent": "assistant",
        "input": json.dumps({"rehearse": [{"say": "done"}]}),
        "metadata": {"of": "tick"},
    }
    body = {"schedule_id": "tick", "every_s": EVERY_S, "overlap": "all", "run": run}
    async with DevStack(tmp_path / "dev") as stack:
        await asked(stack, "POST", "/v1/schedules", json=body)
        for number, target in enumerate(VICTIMS):
            await kill_at_the_next_time(stack, target, (-0.05, 0.0, 0.05)[number % 3])
        await asyncio.sleep(3 * EVERY_S)
        paused = await asked(stack, "PATCH", "/v1/schedules/tick", json={"paused": True})
        last = datetime.fromisoformat(paused["runs"][0]["scheduled_at"])
        await asyncio.sleep(EVERY_S)
        counted: dict[str, Any] = {}
        path = "/v1/runs/counts?metadata.of=tick"
        async with asyncio.timeout(BOUND_S):
            while not counted or set(counted["by_status"]) != {"completed"}:
                await asyncio.sleep(0.5)
                counted = await asked(stack, "GET", path)
        times = due(last - timedelta(seconds=EVERY_S * (counted["total"] - 1)), last)
        for moment in times:
            events = await stack.events(run_of("tick", moment))
            kinds = Counter(event["type"] for event in events)
            assert kinds["run.queued"] == kinds["run.started"] == 1, (moment, kinds)
            assert sum(kinds[kind] for kind in TERMINAL_TYPES) == 1
        assert len(times) >= 2 * len(VICTIMS)
