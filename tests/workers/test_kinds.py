"""Each kind of work can have workers of its own; what has none is named."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Self

import pytest
from temporalio.client import Client

from relayline.activities.model.providers.factory import ProviderConfig, provider_for
from relayline.contracts.queues import UnknownWork, Work, parse_work
from relayline.contracts.runs import TASK_QUEUE, AgentSpec, RunInput, ToolSpec
from relayline.journal.sqlite.journal import SqliteJournal
from relayline.runtime.settings import BadSettings, Settings, load_settings
from relayline.worker import build_worker
from relayline.workflows.agent_run import AgentRun
from tests.activities.model.providers.stand_in import serving as serving_models
from tests.api.serving import SSE, Api, frames, run_id, serving
from tests.console.test_cli import relayline

TOLD_S = 15
SCRIPT = {"rehearse": [{"call": "sleep", "arguments": {"seconds": 0}}, {"say": "done"}]}


@pytest.fixture
async def api(own_temporal: Client, journal: SqliteJournal) -> AsyncIterator[Api]:
    async with serving(Settings(), journal, own_temporal) as served:
        yield served


class Hiring:
    """Workers, hired one kind at a time, until the block ends."""

    def __init__(self, temporal: Client, journal: SqliteJournal, models_url: str) -> None:
        self._stack = AsyncExitStack()
        self._temporal, self._journal = temporal, journal
        self._providers = ProviderConfig(compatible_base_url=models_url)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def hire(self, kinds: str) -> None:
        providers = provider_for(self._providers)
        self._stack.push_async_callback(providers.aclose)
        settings = Settings(queues=kinds, drain_s=0.1)
        made = build_worker(self._temporal, self._journal, providers, settings)
        await self._stack.enter_async_context(made)


async def submitted(api: Api, model: str) -> str:
    body = {"agent": "assistant", "model": model, "input": json.dumps(SCRIPT)}
    answer = await api.http.post("/v1/runs", json=body)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["run_id"])


async def lacking(api: Api) -> dict[str, str]:
    answer = await api.http.get("/readyz")
    assert answer.status_code == 200, "runs are accepted whatever workers there are"
    told: dict[str, str] = answer.json()["lacking"]
    return told


async def first_notice(api: Api, run: str) -> str:
    path = f"/v1/runs/{run}/events"
    async with asyncio.timeout(TOLD_S), api.http.stream("GET", path, headers=SSE) as answer:
        async for _, kind, data in frames(answer):
            if kind == "worker.unavailable":
                return str(json.loads(data)["data"]["reason"])
    raise AssertionError("the stream ended")


async def attention(api: Api, run: str) -> str | None:
    told: str | None = (await api.http.get(f"/v1/runs/{run}")).json()["attention"]
    return told


async def ended(api: Api, run: str) -> str:
    answer = await api.http.get(f"/v1/runs/{run}", params={"wait": TOLD_S}, timeout=2 * TOLD_S)
    return str(answer.json()["status"])


@pytest.mark.slow
async def test_kinds_are_served_apart_and_one_without_workers_is_named(
    own_temporal: Client, journal: SqliteJournal, api: Api
) -> None:
    none = dict.fromkeys(("runs", "models", "tools"), "no worker")
    async with (
        serving_models() as models,
        Hiring(own_temporal, journal, models.url) as workers,
    ):
        assert await lacking(api) == none
        rehearsed = await submitted(api, "rehearsal")
        asked = await submitted(api, "compatible:text")
        await workers.hire("runs")
        told = [*await asyncio.gather(first_notice(api, rehearsed), first_notice(api, asked))]
        assert told == ["no worker for tools", "no worker for models-compatible"]
        assert await attention(api, rehearsed) == "no worker for tools"
        assert await attention(api, asked) == "no worker for models-compatible"
        del none["runs"]
        assert await lacking(api) == none
        await workers.hire("tools")
        assert await ended(api, rehearsed) == "completed"
        assert models.requests == []
        assert list(await lacking(api)) == ["models"]
        await workers.hire("models")
        assert await ended(api, asked) == "completed"
        assert await lacking(api) == {}
        assert [request["model"] for request in models.requests] == ["text"]


@pytest.mark.slow
async def test_a_worker_for_runs_alone_begins_the_runs_that_they_start(
    own_temporal: Client, journal: SqliteJournal, api: Api
) -> None:
    call = {"call": "ask_low", "arguments": {"message": json.dumps(SCRIPT)}}
    asks = ToolSpec(name="ask_low", agent="low")
    top = AgentSpec(name="top", model="rehearsal", tools=(asks,))
    low = AgentSpec(name="low", model="rehearsal", tools=(ToolSpec(name="sleep"),))
    script, run = json.dumps({"rehearse": [call, {"say": "over"}]}), run_id()
    given = RunInput(run_id=run, agent=top, agents={"low": low}, input=script)
    async with Hiring(own_temporal, journal, "") as workers:
        for kind in ("runs", "tools"):
            await workers.hire(kind)
        await own_temporal.start_workflow(AgentRun.run, given, id=run, task_queue=TASK_QUEUE)
        assert await ended(api, run) == "completed"
        below = (await api.http.get("/v1/runs", params={"parent": run})).json()["runs"]
        assert [it["status"] for it in below] == ["completed"]


def test_kinds_are_any_of_three() -> None:
    assert parse_work("tools, runs,tools,") == {Work.TOOLS, Work.RUNS}
    assert Settings().work == set(Work)
    for text, said in (
        ("runs,modles", "no queues 'modles': use any of runs, models, tools"),
        (" ,", "nothing to do: use any of runs"),
    ):
        with pytest.raises(UnknownWork, match=said):
            parse_work(text)


@pytest.mark.slow
async def test_an_unknown_kind_is_told_in_one_line() -> None:
    said = await relayline("worker", "--queues", "runs,modles")
    assert said.code == 1
    assert said.err == (
        "relayline worker: RELAYLINE_QUEUES is 'runs,modles': there are no queues 'modles': use "
        "any of runs, models, tools\n"
    )


def test_pollers_have_a_range(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELAYLINE_MIN_POLLERS", "9")
    monkeypatch.setenv("RELAYLINE_MAX_POLLERS", "3")
    with pytest.raises(BadSettings, match=r"MIN_POLLERS \(9\) is above .*MAX_POLLERS \(3\)"):
        load_settings()
