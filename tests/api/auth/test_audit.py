"""`/v1/audit`: a row for whatever somebody does, in time, without content, to its tenant alone."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from temporalio.client import Client

from relayline.api.auth import trail
from relayline.api.auth.scopes import action_of
from relayline.contracts.access.audit import Action
from relayline.contracts.calls import arguments_sha256
from relayline.contracts.principals import Scope
from relayline.journal.access.chain import verify
from relayline.journal.sqlite.journal import SqliteJournal
from relayline.runtime.settings import Settings
from tests.api.asking import APPROVAL, asks
from tests.api.auth.keyed import bearer, issued, keyed, refused
from tests.api.flaky import FlakyJournal
from tests.api.serving import SSE, Api, completed, eventually, serving, started
from tests.docs.scopes import routes

GOOD: dict[str, Any] = {"agent": "assistant", "input": "the secret plan"}
READING = "/v1/tokens/stream"
"""Gives nobody more than they have, and changes nothing."""
Rows = list[dict[str, Any]]


async def rows(api: Api, headers: dict[str, str], count: int, **wanted: str) -> Rows:
    """At least so many rows of the sender's tenant, once they are sealed."""
    async with asyncio.timeout(60):
        while True:
            params: dict[str, Any] = {"limit": 1000, **wanted}
            answer = await api.http.get("/v1/audit", params=params, headers=headers)
            assert answer.status_code == 200, answer.text
            items: Rows = answer.json()["items"]
            if len(items) >= count:
                return items
            await asyncio.sleep(0.02)


@pytest.fixture
async def ann(keyed_api: Api) -> dict[str, str]:
    """The header of a key that may do everything, in a tenant of its own."""
    return bearer(await issued(keyed_api.journal, f"of-{uuid4().hex}"))


def test_whatever_changes_something_has_rows() -> None:
    found = {action_of(route.openapi_extra) for route in routes()}
    for route in routes():
        if route.path == READING:
            continue
        reads = {*(route.methods or ())} <= {"GET", "HEAD"}
        assert reads == (action_of(route.openapi_extra) is None), route.path
    of_the_terminal = {Action.TENANT_KEY_CREATE, Action.TENANT_KEY_ERASE, Action.TENANT_KEY_ERASED}
    assert found - {None} == {*Action} - {Action.DENIED} - of_the_terminal


async def test_each_request_has_a_row_without_content(keyed_api: Api, ann: dict[str, str]) -> None:
    async def ask(method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        answer = await keyed_api.http.request(method, path, json=body, headers=ann)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    run = (await ask("POST", "/v1/runs", GOOD))["run_id"]
    journal = keyed_api.journal
    await journal.append(run, [started(), *asks()])
    pause = (await ask("POST", f"/v1/runs/{run}/pause", {"by": "bob"}))["command_id"]
    decision = {"decision": "approve", "note": "the secret note"}
    await ask("POST", f"/v1/runs/{run}/approvals/{APPROVAL}", decision)
    batch = (await ask("POST", "/v1/batches", {"runs": [GOOD]}))["batch_id"]
    made = await ask("POST", "/v1/keys", {"name": "ci", "scopes": ["runs:read"]})
    await ask("DELETE", f"/v1/keys/{made['key_id']}")
    ended = (await ask("POST", "/v1/runs", GOOD))["run_id"]
    await journal.append(ended, [started(), completed()])
    await ask("DELETE", f"/v1/runs/{ended}")
    found = await rows(keyed_api, ann, 8)
    assert {(it["action"], it["target"]) for it in found} == {
        ("run.submit", run),
        ("run.pause", run),
        ("approval.decide", run),
        ("batch.submit", batch),
        ("key.create", made["key_id"]),
        ("key.revoke", made["key_id"]),
        ("run.submit", ended),
        ("run.erase", ended),
    }
    by_action = {it["action"]: it for it in found}
    assert by_action["run.pause"]["detail"] == {"command_id": pause}
    assert by_action["key.create"]["detail"]["scopes"] == ["runs:read"]
    told = by_action["approval.decide"]["detail"]
    assert (told["decision"], told["of"]) == ("approve", [APPROVAL])
    assert told["arguments_sha256"] == arguments_sha256({"path": "a.txt"})
    for it in found:
        assert (it["subject"], it["via"], it["outcome"]) == ("ann", "key", "accepted")
        assert it["key_id"] in ann["Authorization"]
        assert it["address"] == "127.0.0.1"
    text = json.dumps(found)
    assert not [it for it in ("secret", made["key"], "bob") if it in text]


async def test_a_repetition_is_told_and_a_stream_is_a_submission(
    keyed_api: Api, ann: dict[str, str]
) -> None:
    headers = ann | {"Idempotency-Key": uuid4().hex, "X-Request-Id": "mine-1"}
    for status in (202, 200):
        answer = await keyed_api.http.post("/v1/runs", json=GOOD, headers=headers)
        assert answer.status_code == status
    async with keyed_api.http.stream("POST", "/v1/runs", json=GOOD, headers=ann | SSE) as stream:
        streamed = stream.headers["x-run-id"]
    found = await rows(keyed_api, ann, 3)
    assert [it["outcome"] for it in found] == ["accepted", "repeated", "accepted"]
    assert [it["request_id"] for it in found[:2]] == ["mine-1", "mine-1"]
    assert found[2]["target"] == streamed
    assert [it["seq"] for it in found] == [1, 2, 3]
    run = await rows(keyed_api, ann, 1, run_id=streamed)
    assert run == found[2:]
    assert await rows(keyed_api, ann, 0, action="run.pause") == []
    later = await keyed_api.http.get("/v1/audit", params={"after": 2, "limit": 1}, headers=ann)
    assert later.json() == {"items": found[2:], "next": 3}
    moment = {"from": found[1]["at"], "to": found[2]["at"]}
    assert await rows(keyed_api, ann, 1, **moment) == found[1:2]


async def test_denials_are_told_and_bounded(
    keyed_api: Api, ann: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant = f"of-{uuid4().hex}"
    weak = bearer(await issued(keyed_api.journal, tenant, [Scope.AUDIT_READ], "weak"))
    monkeypatch.setattr(trail, "DENIALS_A_MINUTE", 3)
    for _ in range(8):
        answer = await keyed_api.http.post("/v1/runs", json=GOOD, headers=weak)
        assert refused(answer) == (403, "forbidden")
    unknown = {"Authorization": ann["Authorization"][:-1] + "-"}
    assert (await keyed_api.http.get("/v1/runs", headers=unknown)).status_code == 401
    found = await rows(keyed_api, weak, 3)
    assert len(found) in range(3, 7)  # a minute may have begun in between
    first = found[0]
    assert (first["action"], first["target"]) == ("request.denied", "/v1/runs")
    assert (first["outcome"], first["subject"]) == ("forbidden", "weak")
    assert first["detail"] == {"method": "POST", "scope": "runs:write"}
    nobody = await rows(keyed_api, ann, 1, tenant="-", action="request.denied")
    assert "unauthenticated" in {it["outcome"] for it in nobody}


async def test_each_tenant_reads_its_own(keyed_api: Api, ann: dict[str, str]) -> None:
    await keyed_api.http.post("/v1/runs", json=GOOD, headers=ann)
    found = await rows(keyed_api, ann, 1)
    tenant = found[0]["tenant"]
    reader = bearer(await issued(keyed_api.journal, "other", [Scope.AUDIT_READ]))
    asked = {"tenant": tenant}
    answer = await keyed_api.http.get("/v1/audit", params=asked, headers=reader)
    assert (*refused(answer), answer.json()["scope"]) == (403, "forbidden", "tenants:admin")
    assert tenant not in (await keyed_api.http.get("/v1/audit", headers=reader)).text
    admin = bearer(await issued(keyed_api.journal, "other"))
    assert await rows(keyed_api, admin, 1, tenant=tenant) == found
    assert (await verify(keyed_api.journal.audit, tenant)).broken is None


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({"after": "-1"}, "after"),
        ({"limit": "1001"}, "limit"),
        ({"action": "run.anything"}, "action"),
        ({"run_id": "x"}, "run_id"),
        ({"from": "yesterday"}, "from"),
        ({"to": "2026-01-01T00:00:00"}, "to"),
        ({"tenant": "Not A Tenant"}, "tenant"),
        ({"subjcet": "ann"}, "subjcet"),
    ],
)
async def test_a_bad_filter_names_the_field(
    keyed_api: Api, ann: dict[str, str], wanted: dict[str, str], field: str
) -> None:
    answer = await keyed_api.http.get("/v1/audit", params=wanted, headers=ann)
    assert (*refused(answer), answer.json()["field"]) == (422, "invalid-field", field)


@pytest.fixture
async def away(api_temporal: Client, tmp_path: Path) -> AsyncIterator[tuple[Api, FlakyJournal]]:
    journal = FlakyJournal(SqliteJournal(tmp_path / "journal.db"))
    async with serving(keyed(data_dir=tmp_path), journal, api_temporal) as api:
        yield api, journal
    await journal.close()


@pytest.mark.slow
async def test_a_submission_while_the_journal_is_away_has_its_row_later(
    away: tuple[Api, FlakyJournal], tmp_path: Path
) -> None:
    api, journal = away
    ann = bearer(await issued(journal, "blue"))
    assert (await api.http.get("/v1/runs", headers=ann)).is_success  # the key is known
    journal.go_down()
    answer = await api.http.post("/v1/runs", json=GOOD, headers=ann)
    assert answer.status_code == 202
    assert [*(tmp_path / "audit").iterdir()]
    journal.come_back()
    found = await rows(api, ann, 1)
    assert [it["target"] for it in found] == [answer.json()["run_id"]]
    await eventually(lambda: not [*(tmp_path / "audit").iterdir()])


async def test_without_authentication_there_are_no_rows(
    api_temporal: Client, tmp_path: Path
) -> None:
    journal = SqliteJournal(tmp_path / "journal.db")
    async with serving(Settings(data_dir=tmp_path), journal, api_temporal) as api:
        assert (await api.http.post("/v1/runs", json=GOOD)).status_code == 202
        assert (await api.http.get("/v1/audit")).json() == {"items": [], "next": 0}
    assert await journal.audit.unsealed() == 0
    await journal.close()


async def test_rows_are_printed_where_that_is_set(
    api_temporal: Client, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    journal = SqliteJournal(tmp_path / "journal.db")
    settings = keyed(data_dir=tmp_path, audit_stdout=True)
    async with serving(settings, journal, api_temporal) as api:
        ann = bearer(await issued(journal, "blue"))
        run = (await api.http.post("/v1/runs", json=GOOD, headers=ann)).json()["run_id"]
    printed = [json.loads(it) for it in capsys.readouterr().out.splitlines() if "audit" in it]
    assert [it["audit"]["target"] for it in printed] == [run]
    await journal.close()
