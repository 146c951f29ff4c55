"""People sign in at an OpenID provider, in a real browser, and come back to where they were."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import pytest
from playwright.async_api import Browser, Page, expect
from temporalio.client import Client

from relayline.journal.sqlite.journal import SqliteJournal
from relayline.runtime.settings import Settings
from relayline.runtime.temporal import data_converter
from tests.api.auth.keyed import SECRET, issued
from tests.api.auth.oidc.issuer import AUDIENCE
from tests.api.auth.oidc.issuer import serving as serving_issuer
from tests.api.auth.oidc.provider import CLIENT, Provider
from tests.api.serving import Api, serving
from tests.web.chromium import PATIENCE_MS, PLAIN_HOST, opened

pytestmark = pytest.mark.slow
expect.set_options(timeout=PATIENCE_MS)
SCOPES = "openid runs:read agents:read"
HELD_S = 20
"""Seconds for which a token of the test of its end holds."""
LEEWAY_S = 30


class Signing(NamedTuple):
    """An API and its provider."""

    api: Api
    provider: Provider

    @property
    def url(self) -> str:
        return f"http://{self.api.host}:{self.api.port}"


def settings(issuer: str) -> Settings:
    return Settings(
        auth="keys,oidc",
        secret=SECRET,
        oidc_issuer=issuer,
        oidc_audience=AUDIENCE,
        oidc_client_id=CLIENT,
        allowed_hosts=(PLAIN_HOST,),
    )


@pytest.fixture(scope="module")
async def nowhere() -> Client:
    return await Client.connect("127.0.0.1:1", lazy=True, data_converter=data_converter)


@pytest.fixture(scope="module")
async def signing(page_journal: SqliteJournal, nowhere: Client) -> AsyncIterator[Signing]:
    with serving_issuer(Provider) as provider:
        async with serving(settings(provider.url), page_journal, nowhere) as api:
            made = Signing(api, provider)
            provider.page = made.url
            provider.signed_in = {"scope": SCOPES}
            yield made


async def sign_in(page: Page) -> None:
    await page.get_by_role("button", name=re.compile("Sign in with 127.0.0.1")).click()


async def test_signing_in_leads_back_and_leaves_no_trace(
    chromium: Browser, signing: Signing
) -> None:
    provider = signing.provider
    async with opened(chromium, signing.url, also=provider.url) as page:
        tokens, asked = list[str](), list[str]()
        page.on("request", lambda request: asked.append(request.url))
        page.on(
            "request",
            lambda request: tokens.append(request.headers.get("authorization", "")[7:]),
        )
        await page.goto("/runs?status=failed")
        await sign_in(page)
        who = page.get_by_title(re.compile("ada: sign out"))
        await expect(who).to_be_visible()
        await expect(page).to_have_url(f"{signing.url}/runs?status=failed")
        [token] = {*filter(None, tokens)}
        assert not [url for url in asked if token in url]
        [back] = [url for url in asked if "code=" in url and url.startswith(signing.url)]
        assert back.startswith(f"{signing.url}/signed-in?")
        kept = await page.evaluate("JSON.stringify([{...localStorage}, document.cookie])")
        assert token not in kept
        assert "verifier" not in await page.evaluate("JSON.stringify({...sessionStorage})")
        await page.go_back()
        assert "code=" not in page.url
        await page.goto("/agents")
        await expect(who).to_be_visible()
        await who.click()
        await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


async def test_the_end_of_a_token_is_told_and_the_next_sign_in_leads_back(
    chromium: Browser, signing: Signing
) -> None:
    provider = signing.provider
    async with opened(chromium, signing.url, also=provider.url) as page:
        await page.goto("/agents")
        until = int(time.time()) + HELD_S - LEEWAY_S
        provider.signed_in = {"scope": SCOPES, "exp": until, "iat": until - 60}
        await sign_in(page)
        await expect(page.get_by_title(re.compile("ada: sign out"))).to_be_visible()
        provider.signed_in = {"scope": SCOPES}
        ended = page.get_by_text("Your sign-in has ended")
        while time.time() < until + LEEWAY_S + 1:
            await page.wait_for_timeout(500)
        await page.reload()
        await expect(ended).to_be_visible()
        await sign_in(page)
        await expect(page.get_by_title(re.compile("ada: sign out"))).to_be_visible()
        await expect(page).to_have_url(re.compile(r"/agents$"))
        await expect(ended).to_have_count(0)


BAD: list[tuple[str, dict[str, str], dict[str, Any], bool]] = [
    ("its state is wrong", {"state": "another"}, {}, True),
    (
        "The provider refused: access_denied, no entry",
        {"code": "", "error": "access_denied", "error_description": "no entry"},
        {},
        True,
    ),
    ("comes from another provider", {"iss": "https://other.example"}, {}, True),
    ("gave no token: invalid_grant", {"code": "another"}, {}, True),
    ("must be a JWT with the audience", {}, {"aud": "another"}, True),
    ("names no tenant", {}, {"tenant": None}, True),
    ("Does it allow this page's origin", {}, {}, False),
]


async def test_each_way_to_fail_has_its_own_words(chromium: Browser, signing: Signing) -> None:
    provider = signing.provider
    async with opened(chromium, signing.url, also=provider.url, expected="CORS policy") as page:
        alert = page.get_by_role("alert")
        await page.goto("/signed-in?code=abc&state=def")
        await expect(alert).to_contain_text("has not begun to sign in")
        assert page.url == f"{signing.url}/runs"
        await page.goto("/agents")
        for words, changes, claims, allows_page in BAD:
            provider.changes, provider.allows_page = changes, allows_page
            provider.signed_in = {"scope": SCOPES, **claims}
            await sign_in(page)
            await expect(alert).to_contain_text(words)
            await expect(page).to_have_url(f"{signing.url}/agents")
        provider.changes, provider.allows_page = {}, True
        provider.signed_in = {"scope": SCOPES}
        await sign_in(page)
        await expect(page.get_by_title(re.compile("ada: sign out"))).to_be_visible()
        await expect(page).to_have_url(f"{signing.url}/agents")


async def test_only_where_people_come_back_the_page_may_ask_the_provider(
    signing: Signing,
) -> None:
    for path, wanted in (("/signed-in", f"'self' {signing.provider.url}"), ("/runs", "'self'")):
        answer = await signing.api.http.get(path, params={"code": "abc"})
        policy = answer.headers["content-security-policy"].split("; ")
        assert dict(part.partition(" ")[::2] for part in policy)["connect-src"] == wanted
    answer = await signing.api.http.get("/signed-in", params={"code": "abc"})
    assert answer.headers["cache-control"] == "no-store"


async def test_without_https_there_are_keys_only_and_the_page_says_so(
    chromium: Browser, signing: Signing
) -> None:
    key = await issued(signing.api.journal)
    ignored = "Cross-Origin-Opener-Policy header has been ignored"
    url = f"http://{PLAIN_HOST}:{signing.api.port}"
    async with opened(chromium, url, expected=ignored) as page:
        await page.goto("/runs")
        await expect(page.get_by_text("needs https")).to_be_visible()
        await expect(page.get_by_role("button", name=re.compile("Sign in with"))).to_have_count(0)
        await page.get_by_label("API key or access token").fill(key.text)
        await page.get_by_role("button", name="Sign in").click()
        await expect(page.get_by_title(re.compile("sign out"))).to_be_visible()


async def test_a_provider_that_does_not_answer_is_said_so(
    chromium: Browser, page_journal: SqliteJournal, nowhere: Client
) -> None:
    async with serving(settings("http://127.0.0.1:9"), page_journal, nowhere) as api:
        url = f"http://{api.host}:{api.port}"
        async with opened(chromium, url) as page:
            await page.goto("/runs")
            await expect(page.get_by_text("127.0.0.1:9 does not answer")).to_be_visible()
            await expect(page.get_by_label("API key or access token")).to_be_visible()
