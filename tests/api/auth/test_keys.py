"""`/v1/keys`: shown once, never more than their maker has, ended in time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from temporalio.client import Client

from relayline.contracts.principals import Scope
from relayline.journal.sqlite.journal import SqliteJournal
from relayline.runtime.settings import Settings
from tests.api.auth.keyed import bearer, headers_of, refused
from tests.api.serving import Api, serving

READ = [Scope.RUNS_READ.value]


async def made(api: Api, headers: dict[str, str], **fields: Any) -> httpx.Response:
    body = {"name": "ann", "scopes": READ, **fields}
    return await api.http.post("/v1/keys", json=body, headers=headers)


async def test_a_key_is_shown_once_and_works(keyed_api: Api) -> None:
    headers = await headers_of(keyed_api.journal)
    answer = await made(keyed_api, headers)
    assert answer.status_code == 201, answer.text
    key = answer.json()
    path = answer.headers["location"]
    assert (await keyed_api.http.get("/v1/runs", headers=bearer(key["key"]))).status_code == 200
    assert (await keyed_api.http.get("/v1/agents", headers=bearer(key["key"]))).status_code == 403
    shown = (await keyed_api.http.get(path, headers=headers)).json()
    assert {**shown, "key": key["key"]} == key
    assert (shown["tenant"], shown["created_by"], shown["scopes"]) == ("blue", "ann", READ)
    listed = await keyed_api.http.get("/v1/keys", params={"limit": 100}, headers=headers)
    assert shown in listed.json()["keys"]
    assert key["key"] not in listed.text


async def test_nobody_gives_what_they_do_not_have(keyed_api: Api) -> None:
    some = await headers_of(keyed_api.journal, "blue", Scope.KEYS_ADMIN, Scope.RUNS_READ)
    answer = await made(keyed_api, some, scopes=["runs:read", "runs:write"])
    assert (*refused(answer), answer.json()["scope"]) == (403, "forbidden", "runs:write")
    answer = await made(keyed_api, some, tenant="red")
    assert (*refused(answer), answer.json()["scope"]) == (403, "forbidden", "tenants:admin")
    admin = await headers_of(keyed_api.journal, "blue")
    strong = (await made(keyed_api, admin, scopes=["audit:read"])).json()
    rotate = f"/v1/keys/{strong['key_id']}/rotate"
    assert refused(await keyed_api.http.post(rotate, headers=some)) == (403, "forbidden")
    assert (await made(keyed_api, admin, tenant="red")).json()["tenant"] == "red"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"scopes": []}, "scopes"),
        ({"scopes": ["runs:everything"]}, "scopes.0"),
        ({"tenant": "Not A Tenant"}, "tenant"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
        ({"expires_at": "tomorrow"}, "expires_at"),
        ({"key": "mine"}, "key"),
    ],
)
async def test_a_bad_request_names_the_field(
    keyed_api: Api, fields: dict[str, Any], field: str
) -> None:
    answer = await made(keyed_api, await headers_of(keyed_api.journal), **fields)
    assert (*refused(answer), answer.json()["field"]) == (422, "invalid-field", field)


async def test_a_rotated_key_lets_both_in_until_the_grace_is_over(keyed_api: Api) -> None:
    headers = await headers_of(keyed_api.journal)
    old = (await made(keyed_api, headers)).json()
    path = f"/v1/keys/{old['key_id']}"
    answer = await keyed_api.http.post(f"{path}/rotate", json={"grace_s": 60}, headers=headers)
    new = answer.json()
    assert (answer.status_code, new["scopes"], new["name"]) == (201, READ, "ann")
    for key in (old, new):
        assert (await keyed_api.http.get("/v1/runs", headers=bearer(key["key"]))).is_success
    shown = (await keyed_api.http.get(path, headers=headers)).json()
    ends = datetime.fromisoformat(shown["expires_at"])
    assert timedelta(0) < ends - datetime.now(UTC) <= timedelta(seconds=60)
    unused = (await made(keyed_api, headers)).json()
    gone = f"/v1/keys/{unused['key_id']}"
    await keyed_api.http.post(f"{gone}/rotate", json={"grace_s": 0}, headers=headers)
    assert (await keyed_api.http.get("/v1/runs", headers=bearer(unused["key"]))).status_code == 401


async def test_a_revoked_key_is_refused_and_not_replaced(keyed_api: Api) -> None:
    headers = await headers_of(keyed_api.journal)
    key = (await made(keyed_api, headers)).json()
    path = f"/v1/keys/{key['key_id']}"
    for _ in range(2):
        assert (await keyed_api.http.delete(path, headers=headers)).status_code == 204
    assert (await keyed_api.http.get("/v1/runs", headers=bearer(key["key"]))).status_code == 401
    answer = await keyed_api.http.post(f"{path}/rotate", headers=headers)
    assert refused(answer) == (409, "key-revoked")
    assert (await keyed_api.http.get(path, headers=headers)).json()["revoked_at"]
    for call in ("get", "delete"):
        answer = await getattr(keyed_api.http, call)("/v1/keys/unknown", headers=headers)
        assert refused(answer) == (404, "unknown-key")
    cursor = {"cursor": "nonsense"}
    answer = await keyed_api.http.get("/v1/keys", params=cursor, headers=headers)
    assert refused(answer) == (400, "invalid-cursor")


async def test_an_administrator_of_tenants_sees_all_keys_page_by_page(keyed_api: Api) -> None:
    admin = await headers_of(keyed_api.journal, "blue")
    own = await headers_of(keyed_api.journal, "violet", Scope.KEYS_ADMIN, Scope.RUNS_READ)
    theirs = (await made(keyed_api, own)).json()
    found: list[dict[str, Any]] = []
    params: dict[str, Any] = {"limit": 5}
    while True:
        page = (await keyed_api.http.get("/v1/keys", params=params, headers=admin)).json()
        found += page["keys"]
        if page["cursor"] is None:
            break
        params["cursor"] = page["cursor"]
    assert len({it["key_id"] for it in found}) == len(found)
    assert theirs["key_id"] in {it["key_id"] for it in found}
    seen = (await keyed_api.http.get("/v1/keys", headers=own)).json()["keys"]
    assert {it["tenant"] for it in seen} == {"violet"}


async def test_without_a_secret_no_key_is_made(
    api_temporal: Client, journal: SqliteJournal, tmp_path_factory: pytest.TempPathFactory
) -> None:
    settings = Settings(data_dir=tmp_path_factory.mktemp("none"))
    async with serving(settings, journal, api_temporal) as api:
        answer = await made(api, {})
        assert refused(answer) == (409, "no-secret")
        assert "RELAYLINE_SECRET" in answer.json()["detail"]
        assert (await api.http.get("/v1/keys")).is_success
