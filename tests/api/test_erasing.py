"""`DELETE /v1/runs/{id}`: an ended run is gone for every reader, and its key starts no other."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from temporalio.client import Client

from relayline.api.bodies import RunRequest
from relayline.api.errors import ErasedRun, UnknownRun
from relayline.api.runs.validation import RequestLimits, RunValidator
from relayline.contracts.events.run import run_queued
from relayline.contracts.runs import AgentSpec, RunStatus
from tests.api.serving import SSE, Api, completed, ended_run, started
from tests.api.test_runs import submitted

READS = (
    ("GET", "", None),
    ("GET", "/events", None),
    ("GET", "/progress", None),
    ("GET", "/commands/c1", None),
)
WRITES: tuple[tuple[str, str, object], ...] = (
    ("POST", "/pause", {}),
    ("POST", "/resume", {}),
    ("POST", "/cancel", {"command_id": "mine"}),
    ("POST", "/redirect", {"message": "on"}),
    ("POST", "/answer", {"request_id": "r", "text": "t"}),
    ("POST", "/approvals/a1", {"decision": "approve"}),
)


async def test_an_ended_run_is_erased_and_again_and_nobody_finds_it(api: Api) -> None:
    run, path = await ended_run(api.journal), "/v1/runs/"
    for _ in range(2):
        answer = await api.http.delete(path + run)
        assert (answer.status_code, answer.content) == (204, b"")
    for method, part, body in READS:
        answer = await api.http.request(method, path + run + part, json=body)
        assert answer.status_code == 404, part
        assert answer.json()["type"] == "urn:relayline:problem:unknown-run"
    answer = await api.http.get(f"{path}{run}/events", headers=SSE)
    assert answer.status_code == 404
    for method, part, body in WRITES:
        answer = await api.http.request(method, path + run + part, json=body)
        assert answer.status_code == 410, part
        assert answer.json()["type"] == "urn:relayline:problem:run-erased"
        assert answer.json()["run_id"] == run


async def test_an_erased_run_is_in_no_list_and_no_count(api: Api) -> None:
    label = uuid4().hex
    run = await submitted(api, metadata={"label": label})
    await api.journal.append(run, [started(), completed()])
    query = {"metadata.label": label}
    assert (await api.http.get("/v1/runs/counts", params=query)).json()["total"] == 1
    assert (await api.http.delete(f"/v1/runs/{run}")).status_code == 204
    assert (await api.http.get("/v1/runs/counts", params=query)).json()["total"] == 0
    assert (await api.http.get("/v1/runs", params=query)).json()["runs"] == []


async def test_an_open_run_is_not_erased(api: Api) -> None:
    run = await submitted(api)
    answer = await api.http.delete(f"/v1/runs/{run}")
    assert answer.status_code == 409
    problem = answer.json()
    assert problem["type"] == "urn:relayline:problem:run-open"
    assert (problem["run_id"], problem["run_status"]) == (run, RunStatus.QUEUED)
    assert (await api.http.get(f"/v1/runs/{run}")).status_code == 200


async def test_a_run_that_temporal_has_closed_without_a_word_is_erased(
    api: Api, api_temporal: Client
) -> None:
    run = await submitted(api)
    await api_temporal.get_workflow_handle(run).terminate()
    assert (await api.http.delete(f"/v1/runs/{run}")).status_code == 204
    assert (await api.http.get(f"/v1/runs/{run}")).status_code == 404


@pytest.mark.parametrize("run", ["run_0000000000000000", "no-run-at-all"])
async def test_a_run_that_never_was_can_not_be_erased(api: Api, run: str) -> None:
    answer = await api.http.delete(f"/v1/runs/{run}")
    assert answer.status_code == 404
    assert answer.json()["type"] == "urn:relayline:problem:unknown-run"


async def test_the_key_of_an_erased_run_starts_no_other(api: Api) -> None:
    key = {"Idempotency-Key": uuid4().hex}
    body = {"agent": "assistant", "input": "hello"}
    run = (await api.http.post("/v1/runs", json=body, headers=key)).json()["run_id"]
    await api.journal.append(run, [completed()])
    await api.http.delete(f"/v1/runs/{run}")
    for headers in (key, key | SSE):
        answer = await api.http.post("/v1/runs", json=body, headers=headers)
        assert answer.status_code == 410, answer.text
        assert answer.json()["type"] == "urn:relayline:problem:run-erased"


async def test_an_ended_run_is_erased_while_temporal_is_away(lonely_api: Api) -> None:
    run = await ended_run(lonely_api.journal)
    assert (await lonely_api.http.delete(f"/v1/runs/{run}")).status_code == 204
    assert (await lonely_api.http.get(f"/v1/runs/{run}")).status_code == 404
    assert run in [it.run_id for it in await lonely_api.journal.unfinished(1000)]


async def test_an_erasure_leaves_a_line_for_the_audit(
    api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    run = await submitted(api, metadata={"tenant": "acme"})
    await api.journal.append(run, [completed()])
    with caplog.at_level(logging.INFO, "relayline.audit"):
        for _ in range(2):
            await api.http.delete(f"/v1/runs/{run}")
    records = [it for it in caplog.records if it.name == "relayline.audit"]
    assert [record.message for record in records] == ["run erased"] * 2
    for said in map(vars, records):
        assert (said["run_id"], said["tenant"], said["address"]) == (run, "acme", "127.0.0.1")


async def test_another_tenant_learns_nothing_of_an_erased_run(api: Api) -> None:

    run = await submitted(api, metadata={"tenant": "ours"})
    await api.journal.append(run, [completed()])
    with pytest.raises(UnknownRun):
        await api.services.erasing.erase("theirs", run, "")
    await api.services.erasing.erase("ours", run, "")
    for act in (api.services.erasing.erase("theirs", run, ""), _find(api, "theirs", run)):
        with pytest.raises(UnknownRun) as caught:
            await act
        assert not isinstance(caught.value, ErasedRun)
    with pytest.raises(ErasedRun):
        await _find(api, "ours", run)


async def _find(api: Api, tenant: str, run: str) -> object:
    return await api.services.events.page(tenant, run, 0, 10)


@pytest.mark.parametrize(
    ("asked", "of_agent", "most", "kept"),
    [
        (None, None, 7, None),
        (2, None, 7, 2),
        (None, 3, 7, 3),
        (2, 3, 7, 2),
        (5, 3, 7, 5),
        (None, 30, 7, 7),
        (None, 30, 0, 30),
        (400, None, 0, 400),
    ],
)
def test_a_run_is_kept_as_long_as_it_asks_then_as_its_agent_and_never_longer_than_the_deployment(
    asked: float | None, of_agent: float | None, most: float, kept: float | None
) -> None:
    agent = AgentSpec(name="assistant", model="rehearsal", retention_days=of_agent)
    validator = RunValidator({"assistant": agent}, RequestLimits(1000, 16, most))
    request = RunRequest(agent="assistant", input="hi", retention_days=asked)
    run = validator.check(request, "run_0000000000000000")
    assert run.retention_days == kept
    assert run_queued(run, datetime.now(UTC)).retention_days == kept
