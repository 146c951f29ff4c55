"""Which runs go first where many wait for a worker: by priority, then in turns by fairness key."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

import pytest
from temporalio.client import Client

from relayline.activities.model.providers.factory import ProviderConfig, provider_for
from relayline.journal.sqlite.journal import SqliteJournal
from relayline.runtime.settings import Settings
from relayline.worker import build_worker
from tests.api.serving import Api, envelopes

FLOOD = 60


async def submitted(api: Api, **fields: Any) -> str:
    answer = await api.http.post("/v1/runs", json={"agent": "brief", "input": "hi", **fields})
    run_id: str = answer.json()["run_id"]
    return run_id


@pytest.mark.slow
async def test_a_flood_of_one_key_delays_neither_another_key_nor_an_urgent_run(
    api: Api, api_temporal: Client, journal: SqliteJournal
) -> None:
    flood = [await submitted(api, fairness_key="flood") for _ in range(FLOOD)]
    last = await submitted(api, fairness_key="flood", priority=5)
    others = [await submitted(api, fairness_key=f"other-{number}") for number in range(2)]
    urgent = await submitted(api, fairness_key="flood", priority=1)
    runs = [*flood, last, *others, urgent]
    settings = Settings(
        drain_s=0.1, max_workflow_tasks=2, max_activities=1, max_model_calls=1, max_pollers=2
    )
    async with (
        aclosing(provider_for(ProviderConfig())) as providers,
        build_worker(api_temporal, journal, providers, settings),
        asyncio.timeout(80),
    ):
        for run in runs:
            await api.http.get(f"/v1/runs/{run}", params={"wait": 60}, timeout=90)
    begun = {run: (await started_at(journal, run)) for run in runs}
    order = sorted(runs, key=begun.__getitem__)
    assert order.index(urgent) < 10
    assert all(order.index(other) < 20 for other in others)
    assert order.index(last) > FLOOD // 2


async def started_at(journal: SqliteJournal, run: str) -> str:
    """When the run started."""
    events = await envelopes(journal, run)
    at: str = next(event["at"] for event in events if event["type"] == "run.started")
    return at
