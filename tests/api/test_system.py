"""What the API tells of its server to those who operate it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from temporalio.client import Client

from relayline import __version__
from relayline.contracts.principals import Scope
from relayline.journal.sqlite.journal import SqliteJournal
from relayline.runtime.build import code_id
from relayline.runtime.settings import Settings
from relayline.wiring import provider_names
from tests.api.auth.keyed import issued, keyed
from tests.api.serving import SSE, Api, deltas, run_id, serving, started
from tests.api.test_openapi import check


async def system(api: Api) -> dict[str, Any]:
    answer = await api.http.get("/v1/system")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    check("SystemView", found)
    return found


async def test_it_tells_parts_version_and_limits(
    api: Api,
) -> None:
    found = await system(api)
    assert found["status"] == "ok"
    assert found["parts"] == {"journal": "ok", "temporal": "ok", "namespace": "ok"}
    assert (found["version"], found["build"]) == (__version__, code_id())
    assert (found["journal"], found["auth"], found["retention_days"]) == ("sqlite", [], 7)
    assert found["temporal_ui"] == f"http://ui.test/namespaces/{found['namespace']}/workflows"
    assert found["limits"]["streams_per_client"] == 2000
    assert found["providers"][0] == "rehearsal"


def test_of_providers_it_knows_names_and_no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "GOOGLE_API_KEY", "GEMINI_API_KEY", "OLLAMA_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-very-secret-value")
    settings = Settings(compatible_base_url="http://models.test", compatible_api_key="secret")
    assert provider_names(settings) == ("rehearsal", "anthropic", "compatible")


async def test_it_counts_the_open_streams_of_this_process(api: Api) -> None:
    run = run_id()
    await api.journal.append(run, [started(), *deltas(1)])
    before = (await system(api))["open_streams"]
    async with api.http.stream("GET", f"/v1/runs/{run}/events", headers=SSE) as stream:
        assert stream.status_code == 200
        await api.opened(before + 1)
        assert (await system(api))["open_streams"] == before + 1


async def test_it_names_the_workers_with_their_build_and_work(api: Api, working: None) -> None:
    async with asyncio.timeout(60):
        while not any(
            worker["work"] == ["runs", "models", "tools"]
            for worker in (await system(api))["workers"]
        ):
            await asyncio.sleep(0.1)
    worker = (await system(api))["workers"][0]
    assert "@" in worker["identity"]
    assert worker["build"] == code_id()


async def test_without_temporal_it_still_answers(lonely_api: Api) -> None:
    found = await system(lonely_api)
    assert (found["status"], found["workers"]) == ("unavailable", None)
    assert found["parts"]["journal"] == "ok"
    assert found["temporal_ui"] is None


async def test_it_needs_its_scope(journal: SqliteJournal, no_temporal: Client) -> None:
    async with serving(keyed(), journal, no_temporal) as api:
        plain = await issued(journal, "blue", [Scope.RUNS_READ])
        operator = await issued(journal, "blue", [Scope.SYSTEM_READ])
        answers = [
            await api.http.get("/v1/system", headers={"Authorization": f"Bearer {key.text}"})
            for key in (plain, operator)
        ]
    assert [answer.status_code for answer in answers] == [403, 200]
    assert answers[1].json()["auth"] == ["keys"]
