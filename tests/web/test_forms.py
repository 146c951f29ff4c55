"""Questions with a schema, as forms: on the run's page and in the inbox."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import pytest
from playwright.async_api import Browser, Page, Request, expect

from relayline.contracts.envelope import NewEvent
from relayline.contracts.events import InputRequested
from relayline.contracts.keys import requested_key
from tests.api.serving import Api
from tests.dev_stack import DevStack
from tests.mcp_agents import MODULE
from tests.web.chromium import PATIENCE_MS, opened
from tests.web.promises.test_access import checked_in_every_shape, tab_to
from tests.web.scenes import beginning, begun, fact, written
from tests.web.test_browser import becomes

expect.set_options(timeout=PATIENCE_MS)
ORDER: dict[str, Any] = {
    "type": "object",
    "properties": {
        "who": {"type": "string", "title": "Your name", "description": "As on the parcel"},
        "many": {"type": "integer", "minimum": 1},
        "hot": {"type": "boolean"},
        "size": {"type": "string", "enum": ["s", "l"], "enumNames": ["Small", "<b>Large</b>"]},
        "extras": {"type": "array", "items": {"enum": ["milk", "honey"]}},
    },
    "required": ["who", "many", "hot"],
}


def asked(number: int, schema: dict[str, Any] | None, server: str = "shop") -> NewEvent:
    name = f"input_{number}_0"
    body = InputRequested(
        request_id=name, question="What shall it be?", schema=schema, server=server
    )
    return fact(requested_key(body.request_id), body, number)


async def filled(page: Page) -> None:
    """Fill in the form by keys alone, and mend what is wrong."""
    form = page.get_by_role("form", name="Question")
    await page.keyboard.type("Ann")
    await page.keyboard.press("Tab")
    await page.keyboard.type("2.5")
    await page.keyboard.press("Tab")
    await page.keyboard.type("No")
    await page.keyboard.press("Tab")
    await page.keyboard.type("<b>")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Space")
    await page.keyboard.press("Control+Enter")
    await expect(form.get_by_role("alert")).to_have_text("must be a whole number")
    await page.keyboard.press("Control+A")
    await page.keyboard.type("2")
    await page.keyboard.press("Control+Enter")


@pytest.mark.slow
async def test_a_form_says_what_is_required_and_sends_an_object_without_a_mouse(
    chromium: Browser, plain_page: Api
) -> None:
    run = await written(plain_page.journal, [*beginning("Order it"), begun(1), asked(1, ORDER)])
    async with opened(chromium, str(plain_page.http.base_url)) as page:
        sent: list[Any] = []

        def keep(request: Request) -> None:
            if request.method == "POST":
                sent.append(request.post_data_json)

        page.on("request", keep)
        await page.goto(f"/runs/{run}")
        form = page.get_by_role("form", name="Question")
        await expect(form).to_contain_text("The MCP server shop asks")
        who = form.get_by_label("Your name")
        await expect(who).to_have_accessible_description("As on the parcel")
        await expect(form.locator("label em").first).to_have_text("required")
        await tab_to(page, form.get_by_role("button", name="Answer"))
        await page.keyboard.press("Enter")
        await expect(who).to_be_focused()
        await expect(who).to_have_accessible_description("As on the parcel is required")
        await checked_in_every_shape(page)
        assert sent == []
        await filled(page)
        await expect(form.get_by_role("alert").first).to_contain_text("Temporal")
        given = {"who": "Ann", "many": 2, "hot": False, "size": "l", "extras": ["honey"]}
        assert [json.loads(body["text"]) for body in sent] == [given]
        await form.get_by_role("button", name="Decline").click()
        await expect(form.get_by_role("button", name="Decline")).to_be_enabled()
        assert sent[-1]["text"] == "decline"


async def test_what_is_no_flat_form_is_written_as_text(chromium: Browser, plain_page: Api) -> None:
    deep = {"type": "object", "properties": {"a": {"type": "object"}}}
    run = await written(plain_page.journal, [
        *beginning("Ask it"), begun(1), asked(1, deep),
        begun(2), asked(2, {"enum": ["red", "blue"]}, ""), begun(3), asked(3, None, ""),
    ])  # fmt: skip
    async with opened(chromium, str(plain_page.http.base_url)) as page:
        await page.goto(f"/runs/{run}")
        forms = page.get_by_role("form", name="Question")
        await expect(forms.nth(0)).to_contain_text('The answer must fit {"type":"object"')
        await expect(forms.nth(0).locator("textarea")).to_be_visible()
        await expect(forms.nth(0)).to_contain_text("The MCP server shop asks")
        await expect(forms.nth(0).get_by_role("button", name="Decline")).to_be_enabled()
        await expect(forms.nth(1).get_by_label("Answer").locator("option")).to_have_text(
            ["Choose …", "red", "blue"]
        )
        await expect(forms.nth(1).get_by_role("button", name="Decline")).to_have_count(0)
        await expect(forms.nth(1)).not_to_contain_text("MCP server")
        await expect(forms.nth(2).locator("textarea")).to_be_visible()


@pytest.fixture(scope="module")
async def shop(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[DevStack]:
    """A stack whose agent has an MCP server that asks."""
    folder = tmp_path_factory.mktemp("shop")
    async with DevStack(folder, RELAYLINE_CATALOG=MODULE, ODD_FOLDER=str(folder)) as started:
        yield started


async def ordered(shop: DevStack, what: str) -> str:
    order = {"call": "odd_order", "arguments": {"what": what}}
    run = await shop.submit(order, {"say": "done"}, agent="clerk", user="ann@example.com")
    await shop.seen(run, "input.requested")
    return run


async def size(page: Page, text: str) -> None:
    await page.get_by_role("form", name="Question").get_by_label("Size").fill(text)
    await page.keyboard.press("Control+Enter")


@pytest.mark.slow
@pytest.mark.stack
async def test_a_question_of_a_server_is_answered_in_a_form_and_declined(
    chromium: Browser, shop: DevStack
) -> None:
    async with opened(chromium, shop.api_urls[0]) as page:
        run = await ordered(shop, "tea")
        await page.goto(f"/runs/{run}")
        await size(page, "6.5")
        await expect(page.get_by_text("must be a whole number")).to_be_visible()
        await size(page, "6")
        await becomes(page, "Completed")
        await page.locator(".call summary").click()
        await expect(page.locator(".call .kv", has_text="result")).to_contain_text(
            "ordered tea in 6"
        )
        await page.keyboard.press("3")
        await expect(page.locator(".det .kvs")).to_contain_text("ann@example.com")
        other = await ordered(shop, "coffee")
        item = quote(f"{other}/", safe="")
        await page.goto(f"/inbox?item={item}")
        await page.locator(".inb", has_text="Which size?").click()
        await expect(page.get_by_role("form", name="Question")).to_contain_text("MCP server odd")
        await expect(page.get_by_role("form", name="Question").get_by_label("Size")).to_be_visible()
        await page.get_by_role("button", name="Decline").click()
        await expect(page.locator(".inb")).to_have_count(0)
        await shop.ended(other)
        failed = [e["data"] for e in await shop.events(other) if e["type"] == "tool.failed"]
        assert "decline" in failed[0]["error"]
