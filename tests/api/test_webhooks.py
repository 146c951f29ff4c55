"""Receivers of webhooks over HTTP: bad ones are named, secrets shown once, lists continued."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
from temporalio.client import Client

from relayline.api.webhooks.registry import MAX_RECEIVERS
from relayline.journal.port import JournalUnavailable
from relayline.journal.sqlite.journal import SqliteJournal
from relayline.journal.webhooks import Receiver
from relayline.runtime.settings import Settings
from tests.api.flaky import FlakyJournal
from tests.api.serving import Api, serving

URL = "https://93.184.215.14/hook"
GOOD = {"agent": "assistant", "input": "hello"}


@pytest.fixture(scope="module")
async def dev(api_temporal: Client, journal: SqliteJournal) -> AsyncIterator[Api]:
    """The API as `relayline dev` has it: receivers may be on this host."""
    async with serving(Settings(webhook_loopback=True), journal, api_temporal) as served:
        yield served


async def registered(api: Api, **fields: Any) -> dict[str, Any]:
    answer = await api.http.post("/v1/webhooks", json={"url": URL, **fields})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


@pytest.mark.parametrize(
    ("body", "slug", "field"),
    [
        ({}, "invalid-field", "url"),
        ({"url": 5}, "invalid-field", "url"),
        ({"url": "https://é.test/"}, "invalid-field", "url"),
        ({"url": "https://x.test/" + "x" * 2048}, "invalid-field", "url"),
        ({"url": "ftp://x.test/"}, "bad-webhook-url", "url"),
        ({"url": "http://93.184.215.14/"}, "bad-webhook-url", "url"),
        ({"url": "https://user:secret@93.184.215.14/"}, "bad-webhook-url", "url"),
        ({"url": "https://93.184.215.14/#x"}, "bad-webhook-url", "url"),
        ({"url": "https://93.184.215.14:8443/"}, "bad-webhook-url", "url"),
        ({"url": "https://10.0.0.1/"}, "bad-webhook-url", "url"),
        ({"url": "https://localhost/"}, "bad-webhook-url", "url"),
        ({"url": "https://no-such-host.invalid/"}, "bad-webhook-url", "url"),
        ({"url": URL, "events": []}, "invalid-field", "events"),
        ({"url": URL, "events": ["run.started"]}, "invalid-field", "events.0"),
        ({"url": URL, "events": "run.queued"}, "invalid-field", "events"),
        ({"url": URL, "agents": []}, "invalid-field", "agents"),
        ({"url": URL, "agents": [""]}, "invalid-field", "agents.0"),
        ({"url": URL, "tenant": ""}, "invalid-field", "tenant"),
        ({"url": URL, "secret": "mine"}, "invalid-field", "secret"),
    ],
)
async def test_a_bad_receiver_names_what_is_wrong(
    api: Api, body: Any, slug: str, field: str
) -> None:
    answer = await api.http.post("/v1/webhooks", json=body)
    problem = answer.json()
    assert (answer.status_code, problem["type"], problem["field"]) == (
        422,
        f"urn:relayline:problem:{slug}",
        field,
    )
    assert "secret@" not in answer.text


@pytest.mark.parametrize(
    ("webhook", "slug", "field"),
    [
        ({}, "invalid-field", "webhook"),
        ({"url": URL, "id": f"wh_{'0' * 32}"}, "invalid-field", "webhook"),
        ({"id": f"wh_{'0' * 32}", "events": ["run.failed"]}, "invalid-field", "webhook.events"),
        ({"id": "wh_x"}, "invalid-field", "webhook.id"),
        ({"id": f"wh_{'0' * 32}"}, "unknown-webhook", "webhook.id"),
        ({"url": "https://10.0.0.1/"}, "bad-webhook-url", "webhook.url"),
        ({"url": "http://127.0.0.1:9/"}, "bad-webhook-url", "webhook.url"),
        ({"url": URL, "events": ["no"]}, "invalid-field", "webhook.events.0"),
    ],
)
async def test_a_bad_receiver_of_a_run_is_named_and_no_run_starts(
    api: Api, webhook: Any, slug: str, field: str
) -> None:
    key = uuid4().hex
    headers = {"Idempotency-Key": key}
    answer = await api.http.post("/v1/runs", json={**GOOD, "webhook": webhook}, headers=headers)
    problem = answer.json()
    assert (answer.status_code, problem["type"], problem["field"]) == (
        422,
        f"urn:relayline:problem:{slug}",
        field,
    )
    assert (await api.http.post("/v1/runs", json=GOOD, headers=headers)).status_code == 202


async def test_a_receiver_of_another_tenant_can_not_be_named(api: Api) -> None:
    made = await registered(api, tenant="acme")
    webhook = {"id": made["webhook_id"]}
    refused = await api.http.post("/v1/runs", json={**GOOD, "webhook": webhook})
    assert refused.json()["type"].endswith("unknown-webhook")
    body = {**GOOD, "webhook": webhook, "metadata": {"tenant": "acme"}}
    assert (await api.http.post("/v1/runs", json=body)).status_code == 202


async def test_the_secret_is_in_no_answer_but_the_first(api: Api) -> None:
    made = await registered(api, events=["run.failed"], agents=["assistant"])
    secret = made.pop("secret")
    assert secret.startswith("whsec_")
    path = f"/v1/webhooks/{made['webhook_id']}"
    for answer in (await api.http.get(path), await api.http.get("/v1/webhooks")):
        assert secret not in answer.text
    assert (await api.http.get(path)).json() == made
    assert (made["events"], made["agents"]) == (["run.failed"], ["assistant"])


async def test_a_list_is_continued_and_a_foreign_cursor_refused(api: Api) -> None:
    made = [(await registered(api))["webhook_id"] for _ in range(3)]
    seen: list[str] = []
    params: dict[str, Any] = {"limit": 2}
    while "cursor" not in params or params["cursor"]:
        page = (await api.http.get("/v1/webhooks", params=params)).json()
        seen += [it["webhook_id"] for it in page["webhooks"]]
        params["cursor"] = page["cursor"]
    assert [it for it in seen if it in made] == made[::-1]
    answer = await api.http.get("/v1/webhooks", params={"cursor": "eA=="})
    assert answer.json()["type"].endswith("invalid-cursor")


async def test_what_is_removed_is_gone(api: Api) -> None:
    made = await registered(api)
    path = f"/v1/webhooks/{made['webhook_id']}"
    assert (await api.http.delete(path)).status_code == 204
    for answer in (
        await api.http.delete(path),
        await api.http.get(path),
        await api.http.post(f"{path}/rotate"),
        await api.http.post(f"{path}/test"),
        await api.http.post(f"{path}/enable"),
        await api.http.get(f"{path}/deliveries"),
    ):
        assert (answer.status_code, answer.json()["title"]) == (404, "There is no such webhook")
    answer = await api.http.post("/v1/deliveries/dlv_x/redeliver")
    assert (answer.status_code, answer.json()["title"]) == (404, "There is no such delivery")


async def test_a_tenant_has_so_many_receivers_and_no_more(api: Api) -> None:
    tenant = f"t-{uuid4().hex}"
    made = [Receiver(f"wh_{uuid4().hex}", tenant, URL) for _ in range(MAX_RECEIVERS)]
    await asyncio.gather(*(api.journal.webhooks.add(it, "whsec_") for it in made))
    answer = await api.http.post("/v1/webhooks", json={"url": URL, "tenant": tenant})
    assert (answer.json()["type"], answer.json()["limit"]) == (
        "urn:relayline:problem:too-many-webhooks",
        MAX_RECEIVERS,
    )


async def test_a_run_whose_receiver_can_not_be_kept_does_not_start(
    api_temporal: Client, journal: SqliteJournal
) -> None:
    flaky = FlakyJournal(journal)

    async def gone(*_: Any) -> Any:
        raise JournalUnavailable("the disk is gone")

    class Gone:
        def __getattr__(self, _name: str) -> Any:
            return gone

    flaky.webhooks = Gone()
    async with serving(Settings(webhook_loopback=True), flaky, api_temporal) as served:
        body = {**GOOD, "webhook": {"url": "http://127.0.0.1:9/"}}
        for headers in ({}, {"Accept": "text/event-stream"}):
            answer = await served.http.post("/v1/runs", json=body, headers=headers)
            assert answer.status_code == 503
            assert answer.json()["type"].endswith("journal-unavailable")


async def test_the_same_url_and_events_are_one_receiver(dev: Api) -> None:
    url = f"http://127.0.0.1:9/{uuid4().hex}"
    for _ in range(2):
        body = {**GOOD, "webhook": {"url": url}}
        assert (await dev.http.post("/v1/runs", json=body)).status_code == 202
    found = (await dev.http.get("/v1/webhooks", params={"limit": 100})).json()["webhooks"]
    [one] = [it for it in found if it["url"] == url]
    assert one["named_only"]
