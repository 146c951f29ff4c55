"""Cursors of lists over HTTP: each is one of its tenant and its filter."""

from __future__ import annotations

import base64
from typing import Any
from uuid import uuid4

import httpx
import pytest

from relayline.journal.webhooks import Receiver
from tests.api.asking import asks
from tests.api.auth.keyed import bearer, issued, refused, submitted
from tests.api.serving import Api, completed, started

LISTS = ["/v1/runs", "/v1/inbox", "/v1/keys", "/v1/webhooks", "/v1/batches", "deliveries"]
FILTERED: dict[str, dict[str, str]] = {
    "/v1/runs": {"status": "waiting"},
    "/v1/inbox": {"kind": "approval"},
    "deliveries": {"state": "pending"},
}


@pytest.fixture(scope="module")
async def both(keyed_api: Api) -> list[tuple[dict[str, str], str]]:
    """Two tenants with two of everything that is listed: their headers, and a webhook of each."""
    return [await belongings(keyed_api, f"t-{uuid4().hex[:12]}") for _ in range(2)]


async def belongings(api: Api, tenant: str) -> tuple[dict[str, str], str]:
    key, storage = await issued(api.journal, tenant), api.journal
    await issued(storage, tenant)
    receivers = [Receiver(f"wh_{uuid4().hex}", tenant, "http://127.0.0.1:9/") for _ in range(2)]
    for receiver in receivers:
        await storage.webhooks.add(receiver, "whsec_" + "A" * 32)
    for _ in range(2):
        batch = {"runs": [{"agent": "assistant", "input": "hello"}]}
        await api.http.post("/v1/batches", json=batch, headers=bearer(key))
        run = await submitted(api, key.text)
        await storage.append(run, [started(), *asks()])
        await storage.append(await submitted(api, key.text), [started(), completed()])
    await storage.webhooks.plan(1000)
    return bearer(key), receivers[0].webhook_id


async def page(
    api: Api, of: tuple[dict[str, str], str], path: str, **params: Any
) -> httpx.Response:
    headers, webhook = of
    url = f"/v1/webhooks/{webhook}/deliveries" if path == "deliveries" else path
    return await api.http.get(url, params={"limit": 1, **params}, headers=headers)


@pytest.mark.parametrize("path", LISTS)
async def test_a_cursor_is_good_for_its_own_list_alone(
    keyed_api: Api, both: list[tuple[dict[str, str], str]], path: str
) -> None:
    own, other = both
    first = (await page(keyed_api, own, path)).json()
    cursor = first["cursor"]
    following = await page(keyed_api, own, path, cursor=cursor)
    assert following.status_code == 200, following.text
    assert following.json() != first
    place = base64.urlsafe_b64decode(cursor)
    altered = base64.urlsafe_b64encode(place[:-1] + bytes([place[-1] ^ 1])).decode()
    unsigned = base64.urlsafe_b64encode(place[16:]).decode()
    for asked in (
        await page(keyed_api, other, path, cursor=cursor),
        await page(keyed_api, own, path, cursor=altered),
        await page(keyed_api, own, path, cursor=unsigned),
        await page(keyed_api, own, path, cursor=cursor, **FILTERED[path])
        if path in FILTERED
        else await page(keyed_api, own, "/v1/runs", cursor=cursor, agent="assistant"),
    ):
        assert refused(asked) == (400, "invalid-cursor"), asked.text


async def test_a_place_in_temporals_own_list_is_no_cursor_of_schedules(
    keyed_api: Api, both: list[tuple[dict[str, str], str]]
) -> None:
    unsigned = base64.urlsafe_b64encode(b'{"a": 1}').decode()
    assert refused(await page(keyed_api, both[0], "/v1/schedules", cursor=unsigned)) == (
        400,
        "invalid-cursor",
    )
