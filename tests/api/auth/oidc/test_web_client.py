"""Where a page signs people in: only places to which a code and a token may travel."""

from __future__ import annotations

import json

import pytest

from relayline.api.auth.jwks import IssuerKeys
from relayline.api.auth.sign_in import SignIn, WebClient

ISSUER = "https://login.example"


def signing_in(endpoint: str | None) -> SignIn:
    """With an issuer whose both endpoints are this one."""

    async def fetch(url: str) -> bytes:
        if url.endswith("/keys"):
            return b'{"keys": []}'
        named = {"authorization_endpoint": endpoint, "token_endpoint": endpoint}
        found = {"issuer": ISSUER, "jwks_uri": f"{ISSUER}/keys", **named}
        return json.dumps(found).encode()

    return SignIn(["oidc"], WebClient(ISSUER, "page", "openid", IssuerKeys(ISSUER, fetch)))


@pytest.mark.parametrize(
    ("endpoint", "origin"),
    [
        ("https://login.example/token", "https://login.example"),
        ("https://tokens.example:8443/t?x=y", "https://tokens.example:8443"),
        ("http://127.0.0.1:9/token", "http://127.0.0.1:9"),
        ("https://login.example", "https://login.example"),
    ],
)
async def test_the_page_may_ask_the_token_endpoint(endpoint: str, origin: str) -> None:
    sign_in = signing_in(endpoint)
    told = (await sign_in.view(None)).oidc
    assert told
    assert told.authorization_endpoint == told.token_endpoint == endpoint
    assert await sign_in.token_origin() == origin


@pytest.mark.parametrize(
    "endpoint",
    [
        None,
        "",
        "http://login.example/token",
        "javascript:alert(1)",
        "https://a.example; script-src *",
        "https://a.example;script-src/x",
        "https://user@a.example/token",
        "https://*/token",
        "https:///token",
        "https://a.example/\n",
    ],
)
async def test_nothing_else_is_told_or_allowed(endpoint: str | None) -> None:
    sign_in = signing_in(endpoint)
    told = (await sign_in.view(None)).oidc
    assert told
    assert told.authorization_endpoint is told.token_endpoint is None
    assert await sign_in.token_origin() is None


async def test_without_a_client_there_is_no_origin() -> None:
    assert await SignIn(["keys"]).token_origin() is None
