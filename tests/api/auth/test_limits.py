"""Rates and quotas, as tenants meet them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from temporalio.client import Client

from relayline.contracts.access.quotas import Quotas
from relayline.contracts.principals import Scope
from relayline.journal.sqlite.journal import SqliteJournal
from tests.api.auth.keyed import bearer, keyed, new_key, refused, submitted
from tests.api.serving import SSE, Api, completed, serving, started

ORIGIN = "https://page.example"
JSON_BODY = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
async def api(api_temporal: Client, journal: SqliteJournal) -> AsyncIterator[Api]:
    settings = keyed(tenant_rates="read=100000/s,submit=3/h", allowed_origins=(ORIGIN,))
    async with serving(settings, journal, api_temporal) as served:
        yield served


async def test_a_rate_is_told_before_and_after_it_is_used_up(
    api: Api, journal: SqliteJournal
) -> None:
    key = await new_key(journal, "t-rate")
    body = {"agent": "assistant", "input": "hello"}
    answers = [await api.http.post("/v1/runs", json=body, headers=bearer(key)) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [202, 202, 202, 429]
    assert answers[0].headers["ratelimit"].startswith('"tenant-submit";r=2;t=')
    assert answers[0].headers["ratelimit-policy"] == '"tenant-submit";q=3;w=3600'
    answer = answers[-1]
    assert refused(answer) == (429, "rate-limited")
    assert answer.json()["limit"] == 3
    assert 0 < int(answer.headers["retry-after"]) <= 1200
    assert answer.headers["ratelimit"] == f'"tenant-submit";r=0;t={answer.headers["retry-after"]}'
    origin = {"Origin": ORIGIN}
    seen = await api.http.get("/v1/runs", headers=bearer(key) | origin)
    assert seen.status_code == 200
    assert {"RateLimit", "RateLimit-Policy"} <= {
        *seen.headers["access-control-expose-headers"].split(", ")
    }


async def test_quotas_are_set_seen_and_kept_to(api: Api, journal: SqliteJournal) -> None:
    root = await new_key(journal, "t-root")
    key = await new_key(journal, "t-quota", Scope.RUNS_WRITE, Scope.RUNS_READ)
    url, quotas = "/v1/tenants/t-quota/quotas", {"open_runs": 1, "models": ["rehearsal"]}
    denied = await api.http.put(url, json=quotas, headers=bearer(key))
    assert refused(denied) == (403, "forbidden")
    put = await api.http.put(url, json=quotas, headers=bearer(root))
    assert put.status_code == 200
    run = await submitted(api, key)
    body = {"agent": "assistant", "input": "hello"}
    answer = await api.http.post("/v1/runs", json=body, headers=bearer(key))
    assert refused(answer) == (429, "quota-exceeded")
    assert answer.json()["quota"] == "open_runs"
    assert answer.headers["retry-after"]
    streamed = await api.http.post("/v1/runs", json=body, headers=bearer(key) | SSE)
    assert streamed.status_code == 429
    view = (await api.http.get(url, headers=bearer(root))).json()
    assert view["used"]["open_runs"] == view["used"]["runs_today"] == 1
    assert view["quotas"]["open_runs"] == 1
    assert not view["default"]
    await journal.append(run, [started(), completed()])
    gone = await api.http.delete(url, headers=bearer(root))
    assert gone.status_code == 204
    assert (await api.http.get(url, headers=bearer(root))).json()["default"]


async def test_the_same_request_is_answered_whatever_the_quota(
    api: Api, journal: SqliteJournal
) -> None:
    key = await new_key(journal, "t-again")
    await journal.quotas.set("t-again", Quotas(open_runs=1), 1, "root")
    body = {"agent": "assistant", "input": "hello"}
    headers = bearer(key) | {"Idempotency-Key": "once"}
    first = await api.http.post("/v1/runs", json=body, headers=headers)
    again = await api.http.post("/v1/runs", json=body, headers=headers)
    assert (first.status_code, again.status_code) == (202, 200)
    assert first.json()["run_id"] == again.json()["run_id"]


async def test_a_batch_that_is_too_large_is_refused_whole_and_runs_of_other_models_one_by_one(
    api: Api, journal: SqliteJournal
) -> None:
    key = await new_key(journal, "t-batch")
    quotas = Quotas(open_runs=2, models=("rehearsal",))
    await journal.quotas.set("t-batch", quotas, 1, "root")
    run = {"agent": "assistant", "input": "hello"}
    headers = bearer(key) | {"Idempotency-Key": "batch"}
    answer = await api.http.post("/v1/batches", json={"runs": [run] * 3}, headers=headers)
    assert refused(answer) == (429, "quota-exceeded")
    runs = [run, {**run, "model": "openai:gpt-5"}, run]
    for expected in (202, 200):
        taken = await api.http.post("/v1/batches", json={"runs": runs}, headers=headers)
        assert taken.status_code == expected, taken.text
        told = taken.json()
        assert [it["index"] for it in told["accepted"]] == [0, 2]
        [rejected] = told["rejected"]
        assert rejected["index"] == 1
        assert rejected["problem"]["type"] == "urn:relayline:problem:model-not-allowed"


async def test_the_streams_of_a_tenant_are_counted(api: Api, journal: SqliteJournal) -> None:
    key = await new_key(journal, "t-streams")
    await journal.quotas.set("t-streams", Quotas(open_streams=1), 1, "root")
    run = await submitted(api, key)
    url, headers = f"/v1/runs/{run}/events", bearer(key) | SSE
    async with api.http.stream("GET", url, headers=headers) as first:
        assert first.status_code == 200
        answer = await api.http.get(url, headers=headers)
        assert refused(answer) == (429, "quota-exceeded")
        assert answer.json()["quota"] == "open_streams"
    await api.quiet()
    async with asyncio.timeout(30), api.http.stream("GET", url, headers=headers) as again:
        assert again.status_code == 200


async def test_a_body_of_quotas_names_what_is_wrong(api: Api, journal: SqliteJournal) -> None:
    root = await new_key(journal, "t-root")
    url = "/v1/tenants/t-any/quotas"
    for body, field in [
        ({"open_runs": -1}, "open_runs"),
        ({"open_runs": "3"}, "open_runs"),
        ({"runs": 3}, "runs"),
        ({"models": ["a b"]}, "models.0"),
    ]:
        answer = await api.http.put(url, content=json.dumps(body), headers=bearer(root) | JSON_BODY)
        assert refused(answer) == (422, "invalid-field")
        assert answer.json()["field"] == field
    bad = await api.http.get("/v1/tenants/No%20Tenant/quotas", headers=bearer(root))
    assert bad.status_code == 422
