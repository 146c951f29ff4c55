"""Every route of the OpenAPI document, asked by another tenant for what is not its own: 404."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

import httpx
import pytest
from temporalio.client import Client

from relayline.api.bodies import ScheduleRequest
from relayline.api.openapi import document
from relayline.contracts.access.audit import Action
from relayline.contracts.principals import Scope
from relayline.journal.postgres.journal import PostgresJournal
from relayline.journal.table import EVERY, Storage
from relayline.journal.webhooks import Receiver
from tests.api.asking import APPROVAL, QUESTION, asks
from tests.api.auth.keyed import EVERYTHING, bearer, issued, keyed, refused
from tests.api.serving import SSE, Api, completed, serving, started
from tests.journal.storage import ADAPTERS
from tests.postgres_server import MIGRATED, PostgresServer

GOOD: dict[str, Any] = {"agent": "assistant", "input": "hello"}
BODIES: dict[str, dict[str, Any]] = {
    "POST /v1/runs/{run_id}/redirect": {"message": "stop"},
    "POST /v1/runs/{run_id}/messages": {"content": "more"},
    "POST /v1/runs/{run_id}/fork": {"from_step": 1},
    "POST /v1/runs/{run_id}/approvals/{approval_id}": {"decision": "approve"},
    "POST /v1/runs/{run_id}/answer": {"request_id": QUESTION, "text": "this"},
    "PATCH /v1/schedules/{schedule_id}": {"paused": True},
}
"""Bodies of routes that need one; without it they would answer 422."""
OTHER_SCOPES = EVERYTHING - {Scope.TENANTS_ADMIN}


@dataclass(frozen=True)
class Apart:
    """What the first tenant has, and the credentials of both."""

    api: Api
    owner: dict[str, str]
    other: dict[str, str]
    has: dict[str, str]
    """Parameters of paths, by name."""

    def operations(self) -> list[tuple[str, str]]:
        """Method and path of each operation that takes an id."""
        paths = json.loads(document())["paths"]
        found = [(method.upper(), path) for path in paths for method in paths[path] if "{" in path]
        known = {*self.has}
        for _, path in found:
            used = {part.strip("{}") for part in path.split("/") if part.startswith("{")}
            assert used <= known, f"{path}: tell this test whose {used - known} it is"
        return found

    async def ask(
        self, headers: dict[str, str], operation: tuple[str, str], **has: str
    ) -> httpx.Response:
        method, path = operation
        body = BODIES.get(f"{method} {path}")
        filled = path.format(**(self.has | has))
        return await self.api.http.request(method, filled, headers=headers, json=body)


@pytest.fixture(scope="module", params=ADAPTERS)
def dsn(request: pytest.FixtureRequest) -> str:
    """Where the journal is in Postgres, for a role that owns nothing; empty: it is in SQLite."""
    if request.param == "sqlite":
        return ""
    server: PostgresServer = request.getfixturevalue("postgres")
    server.create_database(name := f"test_{uuid4().hex}", MIGRATED)
    return server.separate(name)[0]


@pytest.fixture(scope="module")
async def storage(dsn: str, journal: Storage) -> AsyncIterator[Storage]:
    opened = PostgresJournal(dsn) if dsn else journal
    yield opened
    if dsn:
        await opened.close()


@pytest.fixture(scope="module")
async def apart(api_temporal: Client, storage: Storage) -> AsyncIterator[Apart]:
    owner = await issued(storage, f"owner-{uuid4().hex[:8]}")
    other = await issued(storage, "other", OTHER_SCOPES)
    async with serving(keyed(webhook_loopback=True), storage, api_temporal) as api:
        has = await belongings(api, bearer(owner), owner.stored.tenant)
        more = {"key_id": owner.stored.key_id, "tenant": owner.stored.tenant}
        yield Apart(api, bearer(owner), bearer(other), has | more)
        await api.http.delete(f"/v1/schedules/{has['schedule_id']}", headers=bearer(owner))


async def belongings(api: Api, headers: dict[str, str], tenant: str) -> dict[str, str]:
    """One of everything that has an id."""

    async def post(path: str, body: dict[str, Any]) -> Any:
        answer = await api.http.post(path, json=body, headers=headers)
        assert answer.is_success, answer.text
        return answer.json()

    storage = api.journal
    receiver = Receiver(f"wh_{uuid4().hex}", tenant, "http://127.0.0.1:9/hook")
    await storage.webhooks.add(receiver, "whsec_" + "A" * 32)
    run = (await post("/v1/runs", GOOD))["run_id"]
    await storage.append(run, [started(), *asks()])
    command = (await post(f"/v1/runs/{run}/pause", {}))["command_id"]
    ended = (await post("/v1/runs", GOOD))["run_id"]
    await storage.append(ended, [started(), completed()])
    await storage.webhooks.plan(1000)
    delivery = (await storage.webhooks.deliveries(EVERY, receiver.webhook_id, (ended, None), 1))[0]
    schedule = {"schedule_id": f"of-{tenant}", "every_s": 86_400, "run": GOOD}
    file = await api.http.post("/v1/files", content=b"x", headers=headers)
    return {
        "file_id": file.json()["file_id"],
        "run_id": run,
        "ended": ended,
        "approval_id": APPROVAL,
        "command_id": command,
        "batch_id": (await post("/v1/batches", {"runs": [GOOD]}))["batch_id"],
        "schedule_id": (await post("/v1/schedules", schedule))["schedule_id"],
        "webhook_id": receiver.webhook_id,
        "delivery_id": delivery.delivery_id,
    }


async def test_no_route_gives_another_tenant_what_it_can_not_have(apart: Apart) -> None:
    nobodys = {
        "file_id": f"file_{uuid4().hex}",
        "run_id": f"run_{uuid4().hex}",
        "batch_id": f"batch_{uuid4().hex}",
        "schedule_id": f"sched_{uuid4().hex}",
        "webhook_id": f"wh_{uuid4().hex}",
        "delivery_id": f"dlv_{uuid4().hex}",
        "key_id": "0" * 16,
        "tenant": "nobody",
    }
    operations = apart.operations()
    assert len(operations) > 25
    for operation in operations:
        foreign = await apart.ask(apart.other, operation)
        status, slug = refused(foreign)
        for_admins = operation[1].startswith("/v1/tenants/")
        assert status == (403 if for_admins else 404), (operation, foreign.text)
        unknown = await apart.ask(apart.other, operation, **nobodys)
        assert (status, slug) == refused(unknown), operation
        assert {*foreign.json()} == {*unknown.json()}, operation
        assert foreign.headers.keys() == unknown.headers.keys(), operation


async def test_streams_of_another_tenant_are_404_too(apart: Apart) -> None:
    for run in (apart.has["run_id"], apart.has["ended"]):
        for path in (f"/v1/runs/{run}/events", f"/v1/runs/{run}/progress"):
            answer = await apart.api.http.get(path, headers=apart.other | SSE)
            assert refused(answer) == (404, "unknown-run")
        answer = await apart.api.http.get("/v1/live", params={"run": run}, headers=apart.other)
        assert refused(answer) == (404, "unknown-run")
        answer = await apart.api.http.delete(f"/v1/runs/{run}", headers=apart.other)
        assert refused(answer) == (404, "unknown-run")


def lists() -> list[str]:
    """Paths of lists, but of the audit log, which may name what was asked for."""
    paths: dict[str, Any] = json.loads(document())["paths"]
    asked = {
        path: methods["get"].get("parameters", ())
        for path, methods in paths.items()
        if "get" in methods
    }
    limited = [path for path, given in asked.items() if any(it["name"] == "limit" for it in given)]
    return [path for path in limited if "{" not in path and path != "/v1/audit"]


async def test_no_list_of_another_tenant_has_it(apart: Apart) -> None:
    found = lists()
    assert len(found) > 5
    for path in found:
        own = await apart.api.http.get(path, params={"limit": 100}, headers=apart.owner)
        assert [it for it in apart.has.values() if it in own.text], path
        answer = await apart.api.http.get(path, params={"limit": 100}, headers=apart.other)
        assert answer.status_code == 200
        assert not [it for it in apart.has.values() if it in answer.text], path
    audit = await apart.api.http.get("/v1/audit", params={"limit": 100}, headers=apart.other)
    done = [it for it in audit.json()["items"] if it["action"] != Action.DENIED]
    assert not [it for it in apart.has.values() if it in str(done)]  # it may name what it asked for
    batch = {"batch": apart.has["batch_id"]}
    counts = await apart.api.http.get("/v1/runs/counts", params=batch, headers=apart.other)
    assert counts.json()["total"] == 0


async def schedules(apart: Apart, headers: dict[str, str], method: str, **body: Any) -> int:
    """The status of a request about the owner's schedule, or one that is called the same."""
    path, name = "/v1/schedules", apart.has["schedule_id"]
    if method == "POST":
        body = {"schedule_id": name, "every_s": 86_400, "run": GOOD} | body
        return (await apart.api.http.post(path, json=body, headers=headers)).status_code
    return (await apart.api.http.request(method, f"{path}/{name}", headers=headers)).status_code


async def test_two_tenants_may_call_their_schedules_the_same(apart: Apart) -> None:
    assert await schedules(apart, apart.other, "POST", every_s=7200) == 201
    assert await schedules(apart, apart.other, "POST") == 409
    assert await schedules(apart, apart.owner, "POST") == 200
    listed = await apart.api.http.get("/v1/schedules", headers=apart.other)
    same = [
        it for it in listed.json()["schedules"] if it["schedule_id"] == apart.has["schedule_id"]
    ]
    assert [it["every_s"] for it in same] == [7200]
    assert await schedules(apart, apart.other, "DELETE") == 204
    assert await schedules(apart, apart.other, "GET") == 404
    assert await schedules(apart, apart.owner, "GET") == 200


async def test_a_schedule_of_the_time_without_authentication_stays_its_tenants(
    apart: Apart,
) -> None:
    name, tenant = f"old-{uuid4().hex}", apart.has["tenant"]
    run = GOOD | {"metadata": {"tenant": tenant}}
    body = {"schedule_id": name, "every_s": 86_400, "run": run}
    await apart.api.services.schedules.create(ScheduleRequest.model_validate(body))
    old = replace(apart, has=apart.has | {"schedule_id": name})
    assert await schedules(old, apart.owner, "POST", **body) == 200
    assert await schedules(old, apart.other, "GET") == 404
    assert await schedules(old, apart.other, "DELETE") == 404
    assert await schedules(old, apart.owner, "GET") == 200
    assert await schedules(old, apart.owner, "DELETE") == 204


@pytest.mark.slow
async def test_the_owner_still_has_everything_at_the_end(apart: Apart) -> None:
    """Runs last: it uses what the others must not have touched."""
    for operation in apart.operations():
        if operation[0] == "GET":
            answer = await apart.ask(apart.owner, operation)
            assert answer.status_code == 200, (operation, answer.text)
    gone = f"/v1/runs/{apart.has['ended']}"
    assert (await apart.api.http.delete(gone, headers=apart.owner)).status_code == 204
    for headers in (apart.owner, apart.other):
        assert refused(await apart.api.http.get(gone, headers=headers)) == (404, "unknown-run")
    assert (await apart.api.http.delete(gone, headers=apart.owner)).status_code == 204
    assert (await apart.api.http.delete(gone, headers=apart.other)).status_code == 404
