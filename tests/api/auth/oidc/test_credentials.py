"""The API as holders of keys, of access tokens and of stream tokens meet it."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from temporalio.client import Client

from relayline.api.auth import api_keys
from relayline.contracts.principals import Scope
from relayline.journal.sqlite.journal import SqliteJournal
from relayline.runtime.settings import Settings
from tests.api.auth.keyed import SECRET, bearer, issued, new_key, refused, submitted
from tests.api.auth.oidc.issuer import AUDIENCE, Issuer, running_issuer
from tests.api.serving import SSE, Api, completed, serving, started

JSON_BODY = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def provider() -> Iterator[Issuer]:
    with running_issuer() as running:
        yield running


@pytest.fixture(scope="module")
async def api(api_temporal: Client, journal: SqliteJournal, provider: Issuer) -> AsyncIterator[Api]:
    settings = Settings(
        auth="keys,oidc",
        secret=SECRET,
        oidc_issuer=provider.url,
        oidc_audience=AUDIENCE,
        oidc_client_id="page",
        oidc_scope="openid relayline",
    )
    async with serving(settings, journal, api_temporal) as served:
        yield served


async def stream_token(api: Api, credential: str, run: str, **fields: Any) -> httpx.Response:
    return await api.http.post(
        "/v1/tokens/stream", json={"run_id": run, **fields}, headers=bearer(credential)
    )


async def test_a_token_of_the_issuer_is_as_good_as_a_key(
    api: Api, journal: SqliteJournal, provider: Issuer
) -> None:
    token = provider.token(sub="ada", tenant="t-oidc")
    run = await submitted(api, token)
    seen = await api.http.get(f"/v1/runs/{run}", headers=bearer(token))
    assert seen.status_code == 200
    key = await new_key(journal, "t-other")
    hidden = await api.http.get(f"/v1/runs/{run}", headers=bearer(key))
    assert refused(hidden) == (404, "unknown-run")
    denied = await api.http.post(f"/v1/runs/{run}/cancel", headers=bearer(token))
    assert refused(denied) == (403, "forbidden")
    assert denied.json()["scope"] == "runs:cancel"


async def test_bad_tokens_all_get_the_same_answer(api: Api, provider: Issuer) -> None:
    bad = [
        provider.token(aud="other"),
        provider.token(exp=1, iat=1),
        provider.token(iss="https://other.example"),
        provider.token().rpartition(".")[0] + ".",
        "garbage",
        "rl_test_garbage",
    ]
    answers = [await api.http.get("/v1/runs", headers=bearer(it)) for it in bad]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.content for answer in answers}) == 1
    assert {answer.headers["www-authenticate"] for answer in answers} == {"Bearer"}
    no_tenant = await api.http.get("/v1/runs", headers=bearer(provider.token(tenant=None)))
    assert refused(no_tenant) == (403, "forbidden")


async def test_auth_tells_how_and_who(api: Api, provider: Issuer) -> None:
    open_ = (await api.http.get("/v1/auth")).json()
    assert open_ == {
        "modes": ["keys", "oidc"],
        "oidc": {
            "issuer": provider.url,
            "authorization_endpoint": provider.url + "/authorize",
            "token_endpoint": provider.url + "/token",
            "client_id": "page",
            "scope": "openid relayline",
        },
        "principal": None,
    }
    token = provider.token(sub="ada", tenant="t-auth", scope="runs:write runs:read")
    known = (await api.http.get("/v1/auth", headers=bearer(token))).json()["principal"]
    assert known.pop("expires_at")
    assert known == {"subject": "ada", "tenant": "t-auth", "scopes": ["runs:read", "runs:write"]}
    bad = await api.http.get("/v1/auth", headers=bearer("garbage"))
    assert refused(bad) == (401, "unauthenticated")


async def test_without_authentication_auth_says_so(lonely_api: Api) -> None:
    answer = (await lonely_api.http.get("/v1/auth")).json()
    assert (answer["modes"], answer["oidc"]) == ([], None)
    assert answer["principal"]["tenant"] is None


async def test_a_stream_token_reads_the_events_of_its_run_and_nothing_else(
    api: Api, journal: SqliteJournal
) -> None:
    key = await new_key(journal, "t-stream")
    run = await submitted(api, key)
    answer = await stream_token(api, key, run)
    assert answer.status_code == 201
    token = answer.json()["token"]
    await journal.append(run, [started(), completed()])
    for _ in range(2):  # a reconnect comes with the same URL
        query = {"access_token": token, "after": "1"}
        events = await api.http.get(f"/v1/runs/{run}/events", params=query, headers=SSE)
        assert events.status_code == 200
        assert "run.completed" in events.text
    page = await api.http.get(f"/v1/runs/{run}/events", headers=bearer(token))
    assert page.json()["ended"]
    for path in (f"/v1/runs/{run}", f"/v1/runs/{run}/progress", "/v1/runs", "/v1/keys"):
        assert (await api.http.get(path, headers=bearer(token))).status_code == 401
        told = await api.http.get(path, params={"access_token": token})
        assert told.status_code == 401
    again = await stream_token(api, token, run)
    assert again.status_code == 401
    cancel = await api.http.post(f"/v1/runs/{run}/cancel", headers=bearer(token))
    assert cancel.status_code == 401


async def test_a_stream_token_of_one_run_opens_no_other(api: Api, journal: SqliteJournal) -> None:
    key = await new_key(journal, "t-two")
    run, other = await submitted(api, key), await submitted(api, key)
    token = (await stream_token(api, key, run)).json()["token"]
    answer = await api.http.get(f"/v1/runs/{other}/events", params={"access_token": token})
    assert refused(answer) == (404, "unknown-run")


async def test_only_one_s_own_runs_give_a_stream_token(api: Api, journal: SqliteJournal) -> None:
    key = await new_key(journal, "t-mine")
    foreign = await new_key(journal, "t-theirs")
    run = await submitted(api, key)
    theirs = await stream_token(api, foreign, run)
    never = await stream_token(api, foreign, "run_" + "0" * 32)
    assert refused(theirs) == refused(never) == (404, "unknown-run")
    assert theirs.json().keys() == never.json().keys()
    writer = await new_key(journal, "t-mine", Scope.RUNS_WRITE)
    assert refused(await stream_token(api, writer, run)) == (403, "forbidden")
    assert refused(await stream_token(api, key, run, ttl_s=13 * 3600)) == (422, "invalid-field")
    assert refused(await stream_token(api, key, "no run")) == (422, "invalid-field")


async def test_a_stream_token_ends_with_its_key(
    api: Api, journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_keys, "FRESH_S", 0.0)
    made = await issued(journal, "t-revoked")
    key_id, key = made.stored.key_id, made.text
    run = await submitted(api, key)
    token = (await stream_token(api, key, run)).json()["token"]
    url, query = f"/v1/runs/{run}/events", {"access_token": token}
    assert (await api.http.get(url, params=query)).status_code == 200
    admin = await new_key(journal, "t-revoked")
    gone = await api.http.delete(f"/v1/keys/{key_id}", headers=bearer(admin))
    assert gone.status_code == 204
    assert (await api.http.get(url, params=query)).status_code == 401


async def test_credentials_in_a_url_are_in_no_log(
    api: Api, journal: SqliteJournal, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)
    key = await new_key(journal, "t-logged")
    run = await submitted(api, key)
    token = (await stream_token(api, key, run)).json()["token"]
    for shown in (token, token + "x"):
        await api.http.get(f"/v1/runs/{run}/events?after=z&access_token={shown}", headers=SSE)
    unheard = ("httpx", "httpcore", "uvicorn.access")  # the last one by pytest alone
    assert not logging.getLogger("uvicorn.access").propagate
    ours = [it for it in caplog.records if not it.name.startswith(unheard)]
    assert token not in "".join(f"{it.getMessage()} {vars(it)}" for it in ours)
    metrics = await api.http.get("/metrics", headers=bearer(key))
    assert token not in metrics.text
