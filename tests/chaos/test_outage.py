"""Temporal is away for a minute: nothing is lost, nobody is thrown out, everything goes on."""

from __future__ import annotations

import asyncio
from pathlib import Path
from random import Random

import httpx
import pytest

from relayline.api.streams.watchdog import NO_TEMPORAL
from tests.chaos.campaign import Load
from tests.chaos.checker import check
from tests.chaos.cluster import Cluster
from tests.chaos.plans import plan
from tests.chaos.stacks import chaos_cluster
from tests.faults.watching import Watcher, refused, streaming

pytestmark = pytest.mark.stack

DOWN_S = 60.0
RUNS = 24
LONG = {"agent": "chaos", "input": '{"rehearse": [{"tokens": 300, "every_ms": 20}]}'}


@pytest.mark.chaos
@pytest.mark.timeout(2 * DOWN_S + 180)
async def test_runs_outlive_a_temporal_that_is_killed_and_comes_back_a_minute_later(
    tmp_path: Path,
) -> None:
    async with (
        chaos_cluster(tmp_path / "data", 2, 2) as stack,
        httpx.AsyncClient(timeout=30) as http,
    ):
        load = Load(stack, 1, at_once=RUNS)
        plans = [plan(Random(number)) for number in range(RUNS)]  # noqa: S311
        playing = [asyncio.create_task(load.run(it, number)) for number, it in enumerate(plans)]
        answer = await http.post(f"{stack.api_urls[0]}/v1/runs", json=LONG)
        watcher = Watcher(lambda: stack.api_urls[0], answer.json()["run_id"])
        following = asyncio.create_task(watcher.follow())
        await streaming(watcher)
        async with asyncio.timeout(60):
            while len(load.watched) < RUNS:
                await asyncio.sleep(0.05)
        await away(stack, http, watcher)
        await asyncio.gather(*playing, following)
        seen = await load.observe()
        await load.close()
    [stranger] = [it for it in seen if not it.accepted]
    assert stranger.events == watcher.events
    assert check([it for it in seen if it.accepted]) == []
    assert len(seen) == RUNS + 1
    assert watcher.broken == 0
    assert len(watcher.last_lines) == 1, "one connection was enough"
    assert NO_TEMPORAL in watcher.notices


async def away(stack: Cluster, http: httpx.AsyncClient, watcher: Watcher) -> None:
    """Kill Temporal, look around, and start it again, its database kept."""
    [temporal] = stack.children("temporal")
    await temporal.kill()
    beats = watcher.heartbeats
    try:
        refused(await http.post(f"{stack.api_urls[1]}/v1/runs", json=LONG), "temporal-unavailable")
        await asyncio.sleep(DOWN_S)  # that is what is promised to be outlived
        ready = await http.get(f"{stack.api_urls[0]}/readyz")
        assert (ready.status_code, ready.json()["parts"]["journal"]) == (503, "ok")
        assert ready.json()["parts"]["temporal"] != "ok"
        assert watcher.heartbeats > beats
        assert not watcher.over
    finally:
        await temporal.start()
