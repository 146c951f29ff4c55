"""Who sends: runs are their tenant's, `by` is their name, and what they claim is told beside it."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from uuid import uuid4

import httpx
import pytest
from temporalio.client import Client

from relayline.contracts.principals import Scope
from relayline.journal.sqlite.journal import SqliteJournal
from relayline.journal.table import EVERY
from tests.api.asking import APPROVAL, QUESTION, asks
from tests.api.auth.keyed import bearer, headers_of, issued, keyed, refused
from tests.api.serving import Api, envelopes, serving, started

GOOD = {"agent": "assistant", "input": "hello"}
SLOW = {"rehearse": [{"say": "one two", "every_ms": 60_000}]}


async def submitted(api: Api, headers: dict[str, str], **fields: Any) -> str:
    answer = await api.http.post("/v1/runs", json={**GOOD, **fields}, headers=headers)
    assert answer.status_code == 202, answer.text
    found: str = answer.json()["run_id"]
    return found


async def tenant_of(api: Api, run: str) -> str:
    listed = await api.journal.listed(EVERY, run)
    assert listed is not None
    return listed.row.tenant


async def test_a_run_belongs_to_the_tenant_of_its_key(keyed_api: Api) -> None:
    headers = await headers_of(keyed_api.journal)
    for metadata in ({}, {"tenant": "blue"}):
        run = await submitted(keyed_api, headers, metadata=metadata)
        assert await tenant_of(keyed_api, run) == "blue"
    for tenant in ("red", "default", ""):
        body = {**GOOD, "metadata": {"tenant": tenant}}
        answer = await keyed_api.http.post("/v1/runs", json=body, headers=headers)
        assert (*refused(answer), answer.json()["field"]) == (
            422,
            "invalid-field",
            "metadata.tenant",
        )


async def test_two_tenants_may_use_the_same_key_of_their_own(keyed_api: Api) -> None:
    key = {"Idempotency-Key": uuid4().hex}
    blue, red = [await headers_of(keyed_api.journal, it) | key for it in ("blue", "red")]
    runs = [await submitted(keyed_api, headers) for headers in (blue, red)]
    assert runs[0] != runs[1]
    again = await keyed_api.http.post("/v1/runs", json=GOOD, headers=blue)
    assert (again.status_code, again.json()["run_id"]) == (200, runs[0])
    batches = []
    for headers in (blue, red):
        body = {"runs": [GOOD, {**GOOD, "metadata": {"tenant": "green"}}]}
        answer = await keyed_api.http.post("/v1/batches", json=body, headers=headers)
        assert [it["index"] for it in answer.json()["rejected"]] == [1]
        batches.append(answer.json()["batch_id"])
        path = f"/v1/batches/{batches[-1]}"
        assert (await keyed_api.http.get(path, headers=headers)).status_code == 200
    assert batches[0] != batches[1]


@pytest.mark.parametrize(
    ("body", "scope"),
    [
        ({"limits": {"max_steps": 51}}, "runs:unlimited"),
        ({"limits": {"max_wall_s": 3601}}, "runs:unlimited"),
        ({"webhook": {"url": "https://93.184.215.14/hook"}}, "webhooks:admin"),
        ({"limits": {"max_steps": 50, "on_limit": "ask"}}, None),
        ({"limits": {"max_tool_calls": 0}}, None),
    ],
)
async def test_higher_limits_and_urls_need_a_scope(
    keyed_api: Api, body: dict[str, Any], scope: str | None
) -> None:
    headers = await headers_of(keyed_api.journal, "blue", Scope.RUNS_WRITE)
    answer = await keyed_api.http.post("/v1/runs", json={**GOOD, **body}, headers=headers)
    if scope is None:
        assert answer.status_code == 202, answer.text
    else:
        assert (*refused(answer), answer.json()["scope"]) == (403, "forbidden", scope)


async def applied(api: Api, headers: dict[str, str], run: str, answer: httpx.Response) -> None:
    assert answer.status_code == 202, answer.text
    path = f"/v1/runs/{run}/commands/{answer.json()['command_id']}"
    while (await api.http.get(path, params={"wait": 10}, headers=headers)).json()[
        "state"
    ] == "accepted":
        await asyncio.sleep(0.05)


@pytest.mark.usefixtures("working")
async def test_by_is_the_name_of_the_key_and_the_claim_stands_beside_it(keyed_api: Api) -> None:
    headers = bearer(await issued(keyed_api.journal, name="ops"))
    run = await submitted(keyed_api, headers, input=json.dumps(SLOW))
    for kind, body in (
        ("redirect", {"message": json.dumps(SLOW), "by": "ann"}),
        ("cancel", {"by": "bob", "reason": "enough"}),
    ):
        answer = await keyed_api.http.post(f"/v1/runs/{run}/{kind}", json=body, headers=headers)
        await applied(keyed_api, headers, run, answer)
    told: dict[str, list[Any]] = {}
    while "run.cancelled" not in told:
        await asyncio.sleep(0.05)
        told = {}
        for event in await envelopes(keyed_api.journal, run):
            it = event["data"]
            told.setdefault(event["type"], []).append((it.get("by"), it.get("on_behalf_of")))
    sent = [("ops", "ann"), ("ops", "bob")]
    assert told["command.accepted"] == sent
    assert sorted(told["command.applied"], key=str) == sorted(sent, key=str)
    assert told["message.user"] == [(None, None), ("ops", "ann")]
    assert told["run.cancelled"] == [("ops", None)]


async def test_decisions_and_answers_tell_both_names(keyed_api: Api, api_temporal: Client) -> None:
    headers = bearer(await issued(keyed_api.journal, name="ops"))
    run = await submitted(keyed_api, headers)
    await keyed_api.journal.append(run, [started(), *asks()])
    decision, answer = {"decision": "deny", "by": "ann"}, {"request_id": QUESTION, "text": "this"}
    for path, body in ((f"approvals/{APPROVAL}", decision), ("answer", answer)):
        url = f"/v1/runs/{run}/{path}"
        taken = await keyed_api.http.post(url, json=body, headers=headers)
        assert taken.status_code == 202, taken.text
    history = await api_temporal.get_workflow_handle(run).fetch_history()
    sent = [
        json.loads(signal.input.payloads[0].data)
        for event in history.events
        if (signal := event.workflow_execution_signaled_event_attributes).signal_name
    ]
    assert [(it["by"], it.get("on_behalf_of")) for it in sent] == [("ops", "ann"), ("ops", None)]


async def test_a_schedule_submits_for_the_tenant_of_its_maker(
    keyed_api: Api, api_temporal: Client, working: None
) -> None:
    headers = await headers_of(keyed_api.journal, "blue")
    body = {"every_s": 86_400, "run": GOOD}
    made = await keyed_api.http.post("/v1/schedules", json=body, headers=headers)
    assert made.status_code == 201, made.text
    path = f"/v1/schedules/{made.json()['schedule_id']}"
    try:
        await keyed_api.http.post(f"{path}/trigger", headers=headers)
        async with asyncio.timeout(60):
            while not (runs := (await keyed_api.http.get(path, headers=headers)).json()["runs"]):
                await asyncio.sleep(0.1)
            while await keyed_api.journal.listed(EVERY, runs[0]["run_id"]) is None:
                await asyncio.sleep(0.1)
        assert await tenant_of(keyed_api, runs[0]["run_id"]) == "blue"
    finally:
        await keyed_api.http.delete(path, headers=headers)


async def test_with_authentication_off_nothing_changes(
    api_temporal: Client, journal: SqliteJournal
) -> None:
    async with serving(keyed().model_copy(update={"auth": "off"}), journal, api_temporal) as api:
        run = await submitted(api, {}, metadata={"tenant": "Any Name"})
        assert await tenant_of(api, run) == "Any Name"
        assert (await api.http.get(f"/v1/runs/{run}", headers=bearer("nonsense"))).is_success
