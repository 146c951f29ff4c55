"""Submission: bad requests are named, good ones start one run each."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

import pytest
from temporalio.client import Client

from relayline.api.signing.ids import new_run_id
from relayline.contracts.runs import MEMO_PROGRESS, RunMemo, RunStatus
from tests.api.serving import SSE, Api, completed, frames, said, started

GOOD = {"agent": "assistant", "input": "hello"}


@pytest.mark.parametrize(
    ("body", "status", "slug", "field"),
    [
        ({"input": "x"}, 422, "invalid-field", "agent"),
        ({"agent": "assistant"}, 422, "invalid-field", "input"),
        ({**GOOD, "input": ""}, 422, "invalid-field", "input"),
        ({**GOOD, "input": 5}, 422, "invalid-field", "input"),
        ({**GOOD, "agent": "nobody"}, 422, "unknown-agent", "agent"),
        ({**GOOD, "model": "gpt-9"}, 422, "unknown-model", "model"),
        ({**GOOD, "input": '{"rehearse": [{"shout": "hi"}]}'}, 422, "bad-script", "input"),
        ({**GOOD, "model": ["rehearsal"]}, 422, "invalid-field", "model"),
        ({**GOOD, "limits": {"max_step": 3}}, 422, "invalid-field", "limits.max_step"),
        ({**GOOD, "limits": {"max_steps": 0}}, 422, "invalid-field", "limits.max_steps"),
        ({**GOOD, "limits": {"max_steps": "3"}}, 422, "invalid-field", "limits.max_steps"),
        ({**GOOD, "limits": {"max_cost": 0}}, 422, "invalid-field", "limits.max_cost"),
        ({**GOOD, "limits": {"max_cost": 1}}, 422, "unknown-price", "limits.max_cost"),
        ({**GOOD, "limits": {"max_cost": "1"}}, 422, "invalid-field", "limits.max_cost"),
        ({**GOOD, "metadata": {"k": 1}}, 422, "invalid-field", "metadata.k"),
        ({**GOOD, "metadata": {str(n): "" for n in range(17)}}, 422, "invalid-field", "metadata"),
        ({**GOOD, "metadata": {"tenant": "x" * 256}}, 422, "invalid-field", "metadata.tenant"),
        ({**GOOD, "metadata": {"tenant": "😀" * 171}}, 422, "invalid-field", "metadata.tenant"),
        ({**GOOD, "model": "compatible:" + "x" * 190}, 422, "invalid-field", "model"),
        ({**GOOD, "model": "compatible:é"}, 422, "invalid-field", "model"),
        ({**GOOD, "model": "compatible:a b"}, 422, "invalid-field", "model"),
        ({**GOOD, "model": ""}, 422, "invalid-field", "model"),
        ({**GOOD, "metadata": {"tenant": "a\0"}}, 422, "invalid-field", "metadata.tenant"),
        ({**GOOD, "metadata": {"tenant": "a\n"}}, 422, "invalid-field", "metadata.tenant"),
        ({**GOOD, "retention_days": 0}, 422, "invalid-field", "retention_days"),
        ({**GOOD, "retention_days": 8}, 422, "invalid-field", "retention_days"),
        ({**GOOD, "webhook": "http://x.test"}, 422, "invalid-field", "webhook"),
        ({**GOOD, "surprise": 1}, 422, "invalid-field", "surprise"),
        ({**GOOD, "input": "é" * 131_073}, 413, "input-too-large", "input"),
        ([], 422, "invalid-field", "body"),
    ],
)
async def test_a_bad_request_names_what_is_wrong(
    api: Api, body: Any, status: int, slug: str, field: str
) -> None:
    answer = await api.http.post("/v1/runs", json=body)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["type"] == f"urn:relayline:problem:{slug}"
    assert problem["field"] == field
    assert problem["status"] == status
    assert problem["title"]
    assert field in problem["detail"]


async def test_limits_are_named_with_their_value(api: Api) -> None:
    many = {str(n): "" for n in range(17)}
    answer = await api.http.post("/v1/runs", json={**GOOD, "metadata": many})
    assert answer.json()["limit"] == 16
    answer = await api.http.post("/v1/runs", json={**GOOD, "input": "x" * (256 * 1024 + 1)})
    assert answer.json()["limit"] == 256 * 1024
    answer = await api.http.post("/v1/runs", content=b" " * (1024 * 1024 + 1))
    told = answer.json()
    assert (answer.status_code, told["field"], told["limit"]) == (413, "body", 1024 * 1024)
    assert told["type"] == "urn:relayline:problem:too-large"
    answer = await api.http.post("/v1/runs", json={**GOOD, "agent": "nobody"})
    assert answer.json()["known"] == ["assistant", "brief", "choosy"]


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        (b'{"agent":"assistant","input":"\\ud800"}', "application/json", 422),
        (b"[" * 100_000, "application/json", 400),
        (b"{}", "text/plain", 415),
        (b"a=b", "application/x-www-form-urlencoded", 415),
        (b"", "application/json", 422),
        (b" " * (1024 * 1024 + 1), "application/json", 413),
    ],
)
async def test_a_body_that_is_no_request_is_refused(
    api: Api, content: bytes, kind: str, status: int
) -> None:
    answer = await api.http.post("/v1/runs", content=content, headers={"Content-Type": kind})
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"]


@pytest.mark.parametrize("tenant", ["é" * 255, "😀" * 170, '"' * 255])
async def test_the_longest_tenant_and_any_other_label_are_taken(api: Api, tenant: str) -> None:
    metadata = {"tenant": tenant, "other": "\0" + "x" * 511}
    answer = await api.http.post("/v1/runs", json={**GOOD, "metadata": metadata})
    assert answer.status_code == 202, answer.text


async def test_paths_and_methods_that_do_not_exist_are_problems_too(api: Api) -> None:
    assert (await api.http.get("/v1/nothing")).json()["type"].endswith(":not-found")
    answer = await api.http.delete("/v1/runs")
    assert answer.status_code == 405
    assert answer.json()["type"].endswith(":method-not-allowed")
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_run_is_accepted_with_links_and_is_what_temporal_got(
    api: Api, api_temporal: Client
) -> None:
    body = {
        "agent": "brief",
        "input": "count the *sheep*\n" * 40,
        "limits": {"max_tool_calls": 7},
        "metadata": {"tenant": "acme", "k": "v"},
    }
    answer = await api.http.post("/v1/runs", json=body)
    assert answer.status_code == 202
    accepted = answer.json()
    run = accepted["run_id"]
    assert re.fullmatch(r"run_[0-9a-f]{32}", run)
    assert accepted["status"] == "queued"
    assert accepted["links"] == {
        "self": f"/v1/runs/{run}",
        "events": f"/v1/runs/{run}/events",
        "progress": f"/v1/runs/{run}/progress",
        "page": f"/runs/{run}",
        "temporal_ui": f"http://ui.test/namespaces/default/workflows/{run}",
    }
    assert answer.headers["location"] == f"/v1/runs/{run}"
    described = await api_temporal.get_workflow_handle(run).describe()
    memo = await described.memo_value(MEMO_PROGRESS, RunMemo(), type_hint=RunMemo)
    assert memo.status is RunStatus.QUEUED
    found = {pair.key.name: pair.value for pair in described.typed_search_attributes}
    assert found["RunStatus"] == "queued"
    assert found["AgentName"] == "brief"
    assert found["Tenant"] == "acme"
    summary = await described.static_summary()
    assert summary is not None
    assert summary.startswith("brief: count the *sheep*")
    assert len(summary.encode()) <= 200
    view = (await api.http.get(f"/v1/runs/{run}")).json()
    assert view["status"] == "queued"
    assert view["limits"]["max_steps"] == 3
    assert view["limits"]["max_tool_calls"] == 7
    assert view["metadata"] == {"tenant": "acme", "k": "v"}
    assert view["model"] == "rehearsal"
    assert view["created_at"]
    assert view["ended_at"] is None


async def test_ids_sort_by_the_time_they_were_made() -> None:
    made = []
    for _ in range(3):
        made.append(new_run_id(None))
        await asyncio.sleep(0.003)
    assert made == sorted(made)


async def test_fifty_identical_submissions_with_one_key_make_one_run(
    api: Api, api_temporal: Client
) -> None:
    headers = {"Idempotency-Key": "fifty"}
    answers = await asyncio.gather(
        *(api.http.post("/v1/runs", json=GOOD, headers=headers) for _ in range(50))
    )
    assert sorted(answer.status_code for answer in answers) == [200] * 49 + [202]
    assert len({answer.json()["run_id"] for answer in answers}) == 1
    run = answers[0].json()["run_id"]
    count = 0
    async with asyncio.timeout(5):
        while not count:
            await asyncio.sleep(0.1)
            count = (await api_temporal.count_workflows(f"WorkflowId = '{run}'")).count
    assert count == 1


async def test_a_key_with_another_body_is_refused_and_null_is_like_absent(api: Api) -> None:
    headers = {"Idempotency-Key": "reused"}
    first = await api.http.post("/v1/runs", json=GOOD, headers=headers)
    same = await api.http.post("/v1/runs", json={**GOOD, "model": None}, headers=headers)
    assert same.status_code == 200
    assert same.json()["run_id"] == first.json()["run_id"]
    other = await api.http.post("/v1/runs", json={**GOOD, "input": "other"}, headers=headers)
    assert other.status_code == 422
    assert other.json()["type"] == "urn:relayline:problem:idempotency-key-reused"
    for key in ("", "k" * 256):
        answer = await api.http.post("/v1/runs", json=GOOD, headers={"Idempotency-Key": key})
        assert answer.status_code == 422
        assert answer.json()["field"] == "Idempotency-Key"


async def test_a_key_holds_after_temporal_has_forgotten_the_run(api: Api, lonely_api: Api) -> None:
    run = new_run_id("forgotten")
    await api.journal.append(run, [started(metadata={"a": "b"}), said("hello"), completed()])
    headers = {"Idempotency-Key": "forgotten"}
    body = {**GOOD, "metadata": {"a": "b"}, "limits": {"max_steps": 50}}
    for server in (api, lonely_api):
        same = await server.http.post("/v1/runs", json=body, headers=headers)
        assert same.status_code == 200, same.text
        assert same.json()["run_id"] == run
        assert same.json()["status"] == "completed"
        others: list[dict[str, Any]] = [
            {"input": "x"},
            {"metadata": {}},
            {"limits": {"max_steps": 9}},
        ]
        for other in others:
            refused = await server.http.post("/v1/runs", json={**body, **other}, headers=headers)
            assert refused.status_code == 422


async def test_the_answer_can_be_the_stream_itself(api: Api) -> None:
    headers = {**SSE, "Idempotency-Key": "streamed"}
    run = new_run_id("streamed")
    async with api.http.stream("POST", "/v1/runs", json=GOOD, headers=headers) as answer:
        assert answer.status_code == 200
        assert answer.headers["x-run-id"] == run
        assert answer.headers["location"] == f"/v1/runs/{run}"
        assert answer.headers["content-type"].startswith("text/event-stream")
        await api.journal.append(run, [started(), said("hello"), completed()])
        seqs = [int(seq) async for seq, _, _ in frames(answer)]
    assert seqs == [1, 2, 3, 4]
    async with api.http.stream("POST", "/v1/runs", json=GOOD, headers=headers) as again:
        assert [json.loads(data)["run_id"] async for _, _, data in frames(again)] == [run] * 4
    refused = await api.http.post("/v1/runs", json={**GOOD, "agent": "x"}, headers=SSE)
    assert refused.status_code == 422
    await api.quiet()


async def test_without_temporal_a_submission_is_503_and_holds_nothing(lonely_api: Api) -> None:
    for headers in ({}, SSE, {"Idempotency-Key": "down"}):
        answer = await lonely_api.http.post("/v1/runs", json=GOOD, headers=headers)
        assert answer.status_code == 503
        assert answer.headers["retry-after"]
        assert answer.json()["type"] == "urn:relayline:problem:temporal-unavailable"
    await lonely_api.quiet()
