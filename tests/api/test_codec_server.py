"""Temporal's remote codec protocol, on loopback; what is wrong with a request is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from google.protobuf.json_format import MessageToDict

from relayline.api.access import credential_checks
from relayline.codec_server import CodecOptions, create_app, serve
from relayline.contracts.principals import Scope
from relayline.journal.sqlite.journal import SqliteJournal
from relayline.runtime.payloads.converter import converter_for
from relayline.runtime.payloads.ring import ListedKeys, new_key
from relayline.runtime.settings import BadSettings, Settings
from tests.api.auth.keyed import EVERYTHING, bearer, issued, keyed, refused

KEY, OTHER = new_key("ours"), new_key("other")
UI = "http://127.0.0.1:8233"


def asking(*origins: str) -> httpx.AsyncClient:
    app = create_app(ListedKeys([KEY]), "default", origins)
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://127.0.0.1:1", trust_env=False
    )


async def payloads(*values: Any, key: Any = KEY, namespace: str = "default") -> dict[str, Any]:
    made = await converter_for(ListedKeys([key]), namespace).encode(values)
    return {"payloads": [MessageToDict(it) for it in made]}


async def test_payloads_of_the_named_namespace_are_decrypted_the_rest_stays() -> None:
    of_other = await payloads("there", namespace="other")
    async with asking() as http:
        headers = {"X-Namespace": "other"}
        there = (await http.post("/decode", json=of_other, headers=headers)).json()
        assert there["payloads"][0]["metadata"] == {"encoding": "anNvbi9wbGFpbg=="}
        here = (await http.post("/decode", json=of_other)).json()
        assert here == of_other
        plain = (await http.post("/decode", json=there)).json()
        assert plain == there


async def test_what_cannot_be_decrypted_is_told_by_the_name_of_its_key() -> None:
    async with asking() as http:
        answer = await http.post("/decode", json=await payloads("it", key=OTHER))
    assert answer.status_code == 422
    assert "'other'" in answer.json()["detail"]


@pytest.mark.parametrize("body", [b"", b"{", b'{"payloads": 1}', b'{"other": []}', b"\xff"])
async def test_a_body_that_is_no_list_of_payloads_is_refused(body: bytes) -> None:
    async with asking() as http:
        answer = await http.post("/decode", content=body)
    assert answer.status_code == 400
    assert answer.json()["field"] == "body"


async def test_only_the_pages_of_listed_origins_may_ask() -> None:
    preflight = {
        "Origin": UI,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type,x-namespace,authorization",
    }
    async with asking(UI) as http:
        allowed = await http.options("/decode", headers=preflight)
        assert allowed.status_code == 200
        assert allowed.headers["access-control-allow-origin"] == UI
        assert "x-namespace" in allowed.headers["access-control-allow-headers"].lower()
        for foreign in ({"Origin": "http://127.0.0.1:9999"}, {"Sec-Fetch-Site": "same-site"}):
            answer = await http.post("/decode", json={"payloads": []}, headers=foreign)
            assert answer.status_code == 403, foreign
        rebound = await http.post(
            "/decode", json={"payloads": []}, headers={"Host": "evil.example"}
        )
        assert rebound.status_code == 403
        assert (await http.get("/decode")).status_code == 405


async def test_with_authentication_on_it_decrypts_for_who_has_the_scope(
    tmp_path: Path,
) -> None:
    journal = SqliteJournal(tmp_path / "journal.db")
    may = await issued(journal, scopes=[Scope.PAYLOADS_DECODE])
    may_not = await issued(journal, scopes=EVERYTHING - {Scope.PAYLOADS_DECODE})
    checks = credential_checks(keyed(), journal)
    app = create_app(ListedKeys([KEY]), "default", (UI,), checks.authenticators)
    body = await payloads("it")
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://127.0.0.1:1", trust_env=False
    ) as http:
        told = await http.post("/decode", json=body, headers=bearer(may))
        assert told.json()["payloads"][0]["metadata"] == {"encoding": "anNvbi9wbGFpbg=="}
        for path in ("/decode", "/encode"):
            denied = await http.post(path, json=body, headers=bearer(may_not))
            assert (*refused(denied), denied.json()["scope"]) == (
                403,
                "forbidden",
                "payloads:decode",
            )
            nobody = await http.post(path, json=body, headers={"Origin": UI})
            assert refused(nobody) == (401, "unauthenticated")
            assert nobody.headers["access-control-allow-origin"] == UI
        preflight = {"Origin": UI, "Access-Control-Request-Method": "POST"}
        assert (await http.options("/decode", headers=preflight)).status_code == 200
    await checks.close()
    await journal.close()


async def test_without_keys_or_with_a_bad_origin_it_does_not_start() -> None:
    with pytest.raises(BadSettings, match="RELAYLINE_PAYLOAD_KEYS is not set"):
        await serve(Settings(), CodecOptions(0))
    with pytest.raises(BadSettings, match="no origin"):
        await serve(Settings(payload_keys=KEY.entry()), CodecOptions(0, ("evil.example/x",)))
