"""API keys and the audit log on the page, in a real browser."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from playwright.async_api import Browser, Page, expect

from relayline.contracts.principals import Scope
from tests.api.auth.keyed import bearer, issued
from tests.api.serving import Api
from tests.web.chromium import PATIENCE_MS, opened

pytestmark = pytest.mark.slow
expect.set_options(timeout=PATIENCE_MS)
MINE = (Scope.KEYS_ADMIN, Scope.AUDIT_READ, Scope.RUNS_READ)


async def enter(page: Page, key: str, path: str) -> None:
    await page.goto(path)
    await page.get_by_label("API key or access token").fill(key)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_title(re.compile("sign out"))).to_be_visible()


async def made_key(page: Page) -> str:
    """The key in the dialog; the button copies it."""
    dialog = page.get_by_role("dialog")
    key = await dialog.get_by_label("Shown this once").input_value()
    await dialog.get_by_role("button", name="Copy").click()
    await expect(page.locator("#toast")).to_contain_text("copied")
    assert await page.evaluate("navigator.clipboard.readText()") == key
    await dialog.get_by_role("button", name="I have stored it").click()
    assert key not in await page.content()
    return key


@pytest.fixture
async def as_admin(chromium: Browser, keyed_page: Api) -> AsyncIterator[Page]:
    """The page of somebody who looks after keys, in a tenant with one that may do more."""
    tenant = f"of-{uuid4().hex}"
    admin = await issued(keyed_page.journal, tenant, MINE, "admin")
    await issued(keyed_page.journal, tenant, [Scope.RUNS_ERASE], "strong")
    async with opened(chromium, f"http://{keyed_page.host}:{keyed_page.port}") as page:
        await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        await enter(page, admin.text, "/keys")
        yield page


async def new_key(page: Page, name: str) -> str:
    """Fill the form; the new key."""
    await page.get_by_role("button", name="New key").click()
    form = page.get_by_role("dialog")
    offered = form.get_by_role("checkbox")
    await expect(offered).to_have_count(len(MINE))
    assert {await it.get_attribute("value") for it in await offered.all()} == {*MINE}
    await expect(form.get_by_label("Tenant")).to_have_count(0)
    await form.get_by_label("Name").fill(name)
    await form.get_by_label("runs:read").check()
    await form.get_by_role("button", name="Make the key").click()
    return await made_key(page)


async def test_a_key_is_made_replaced_and_revoked_and_the_log_tells_who(
    as_admin: Page, keyed_page: Api
) -> None:
    page, http = as_admin, keyed_page.http
    strong = page.locator(".ad", has_text="strong")
    await expect(strong).to_contain_text("has runs:erase")
    await expect(strong.get_by_role("button", name="Rotate")).to_have_count(0)
    first = await new_key(page, "watcher")
    assert (await http.get("/v1/runs", headers=bearer(first))).status_code == 200
    row = page.locator(".ad", has_text="watcher")
    await row.get_by_role("button", name="Rotate").click()
    await page.get_by_label("The old key ends").select_option("0")
    await page.get_by_role("button", name="Make the new key").click()
    second = await made_key(page)
    await expect(row).to_have_count(2)
    old, new = (row.filter(has_text=key.split("_")[2]) for key in (first, second))
    await expect(old.locator(".pill")).to_have_text("Expired")
    await new.get_by_role("button", name="Revoke").click()
    await page.get_by_role("button", name="Revoke the key").click()
    await expect(new.locator(".pill")).to_have_text("Revoked")
    await expect(new.get_by_role("button")).to_have_count(0)
    await read_log(page)


async def read_log(page: Page) -> None:
    """The log has the three changes; a filter stands in the address."""
    await page.keyboard.press("g")
    await page.keyboard.press("l")
    actions = page.locator(".log td:nth-child(3)")
    await expect(actions).to_have_text(["key.create", "key.rotate", "key.revoke"])
    await expect(page.locator(".log td:nth-child(2)").first).to_contain_text("admin")
    await page.get_by_label("Action").select_option("key.rotate")
    await expect(page).to_have_url(re.compile(r"/audit\?action=key.rotate$"))
    await expect(actions).to_have_text(["key.rotate"])
    await page.get_by_label("Who").fill("nobody")
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("No row fits.")).to_be_visible()


async def test_what_a_key_may_not_do_is_not_offered_and_a_link_to_it_says_why(
    chromium: Browser, keyed_page: Api
) -> None:
    reader = await issued(keyed_page.journal, "blue", [Scope.RUNS_READ], "reader")
    async with opened(chromium, f"http://{keyed_page.host}:{keyed_page.port}") as page:
        await enter(page, reader.text, "/keys")
        await expect(page.get_by_role("alert")).to_contain_text("keys:admin")
        places = page.locator(".nav.more a")
        await expect(places).to_have_text(["Schedules", "Batches"])
        await page.keyboard.press("?")
        keys = page.get_by_role("dialog")
        await expect(keys).to_contain_text("schedules")
        await expect(keys).not_to_contain_text("webhooks")
        await page.keyboard.press("Escape")
        await page.keyboard.press("g")
        await page.keyboard.press("w")
        await expect(page).to_have_url(re.compile("/keys$"))
        await page.goto("/batches/none")
        await expect(page.get_by_text("To cancel it needs")).to_be_visible()
        await expect(page.get_by_role("alert")).to_contain_text("no batch 'none'")
        await page.goto("/schedules")
        await expect(page.get_by_text("To create or change one needs")).to_be_visible()
        await expect(page.get_by_role("button", name="New schedule")).to_have_count(0)
