"""What operators do on the page: webhooks, schedules, batches, in a real browser, on a stack."""

from __future__ import annotations

import json
import re
from typing import Any
from uuid import uuid4

import pytest
from playwright.async_api import Browser, Locator, Page, expect

from tests.dev_stack import DevStack
from tests.web.chromium import PATIENCE_MS, opened
from tests.webhooks.receiving import answers, receiving

pytestmark = pytest.mark.slow
expect.set_options(timeout=PATIENCE_MS)
SHORT = json.dumps({"rehearse": [{"say": "done"}]})
LONG = json.dumps({"rehearse": [{"tokens": 9999, "every_ms": 50}]})
PLACES = ("/schedules", "/batches", "/webhooks", "/keys", "/audit")


def dialog(page: Page) -> Locator:
    return page.get_by_role("dialog")


def pill(page: Page) -> Locator:
    return page.locator(".ad-facts.wide .pill")


async def shown_secret(page: Page) -> str:
    """The secret in the dialog, which is gone afterwards."""
    field = dialog(page).get_by_label("Shown this once")
    secret = await field.input_value()
    await page.mouse.click(5, 5)
    await expect(field).to_be_visible()  # a click beside the dialog loses nothing
    await dialog(page).get_by_role("button", name="I have stored it").click()
    await expect(dialog(page)).to_have_count(0)
    assert secret not in await page.content()
    return secret


async def new_webhook(page: Page, url: str) -> str:
    """Fill the form; the new receiver's secret."""
    await page.get_by_role("button", name="New webhook").click()
    await dialog(page).get_by_label("URL").fill("ftp://nowhere")
    await dialog(page).get_by_role("button", name="Create").click()
    await expect(dialog(page).get_by_role("alert")).to_contain_text("url")
    await dialog(page).get_by_label("URL").fill(url)
    await dialog(page).get_by_label("run.completed").check()
    await dialog(page).get_by_role("button", name="Create").click()
    await expect(page).to_have_url(re.compile(r"/webhooks/wh_[0-9a-f]{32}$"))
    return await shown_secret(page)


async def test_a_webhook_is_made_and_tested_and_gets_a_delivery(
    page: Page, stack: DevStack
) -> None:
    async with receiving() as receiver:
        await page.goto("/runs")
        await expect(page.get_by_role("link", name="Webhooks")).to_be_visible()
        await page.keyboard.press("g")
        await page.keyboard.press("w")
        secret = await new_webhook(page, receiver.url)
        await page.get_by_role("button", name="Test").click()
        await expect(dialog(page)).to_contain_text("The receiver accepted the test")
        await expect(dialog(page).get_by_role("status")).to_contain_text("It answered 200")
        await dialog(page).get_by_role("button", name="Close").last.click()
        assert (await receiver.has(1))[0].verify(secret)["type"] == "webhook.test"
        run = await stack.submit({"say": "told"})
        row = page.locator(".ad", has_text="run.completed")
        await expect(row.locator(".pill")).to_have_text("Delivered")
        await row.locator("summary").click()
        await expect(row.locator(".tries li")).to_contain_text("200")
        await expect(row.get_by_role("link")).to_have_attribute("href", f"/runs/{run}")
        await row.get_by_role("button", name="Redeliver").click()
        first, again = (await receiver.has(3))[1:]
        assert first.id == again.id
        await expect(row.locator(".tries li")).to_have_count(2)
        await page.get_by_role("button", name="New secret").click()
        await dialog(page).get_by_role("button", name="Make a new secret").click()
        assert await shown_secret(page) != secret
        await stack.client.delete(f"/v1/webhooks/{page.url.rpartition('/')[2]}")


async def test_a_disabled_webhook_is_enabled_and_deleted(page: Page, stack: DevStack) -> None:
    async with receiving() as receiver:
        await page.goto("/webhooks")
        await new_webhook(page, receiver.url)
        receiver.answer = answers("410 Gone")
        await stack.submit({"say": "heard later"})
        await expect(pill(page)).to_have_text("Disabled")
        await expect(page.get_by_role("button", name="Test")).to_have_count(0)
        states = page.get_by_role("toolbar", name="State of deliveries")
        await states.get_by_role("button", name="Held back").click()
        await expect(page.locator(".ad")).to_have_count(1)
        receiver.answer = answers()
        await page.get_by_role("button", name="Enable").click()
        await expect(pill(page)).to_have_text("Active")
        await states.get_by_role("button", name="Delivered").click()
        await expect(page.locator(".ad")).to_have_count(1)
        await page.get_by_role("button", name="Delete").click()
        await dialog(page).get_by_role("button", name="Delete the webhook").click()
        await expect(page).to_have_url(re.compile(r"/webhooks$"))
        await expect(page.locator(".ad", has_text=receiver.url)).to_have_count(0)


async def new_schedule(page: Page, name: str) -> None:
    """Fill the form."""
    await page.get_by_role("button", name="New schedule").click()
    form = dialog(page)
    await expect(form.get_by_label("Agent").locator("option")).not_to_have_count(0)
    await form.get_by_label("Id").fill(name)
    await form.get_by_label("Agent").select_option("assistant")
    await form.get_by_label("Input").fill(SHORT)
    await form.get_by_label("Cron").fill("61 * * * *")
    await form.get_by_role("button", name="Create").click()
    await expect(form.get_by_role("alert")).to_contain_text("cron")
    await form.get_by_label("Times").select_option("every")
    await form.get_by_label("Every").fill("2")
    await form.get_by_label("Unit").select_option("days")
    await form.get_by_role("button", name="Create").click()
    await expect(page).to_have_url(re.compile(f"/schedules/{name}$"))


async def test_a_schedule_is_made_paused_triggered_and_deleted(page: Page) -> None:
    name = f"daily-{uuid4().hex[:8]}"
    await page.goto("/runs")
    await page.keyboard.press("Control+k")
    await page.get_by_role("combobox", name="Go to").fill("sched")
    await page.keyboard.press("Enter")
    await new_schedule(page, name)
    await expect(page.get_by_role("region", name="Next times").locator("li")).to_have_count(5)
    await expect(page.locator(".ad-facts.wide")).to_contain_text("every 2 d")
    await page.get_by_role("button", name="Pause").click()
    await expect(pill(page)).to_have_text("Paused")
    await page.get_by_role("button", name="Trigger").click()
    runs = page.get_by_role("region", name="Newest runs")
    await expect(runs.get_by_role("img", name="Completed")).to_be_visible()
    await expect(runs.get_by_role("link")).to_have_attribute("href", re.compile("^/runs/run_"))
    await page.get_by_role("button", name="Resume").click()
    await expect(pill(page)).to_have_text("On")
    await page.get_by_role("main").get_by_role("link", name="Schedules").click()
    await expect(page.locator(".ad", has_text=name)).to_contain_text("assistant")
    await page.get_by_role("link", name=name).click()
    await page.get_by_role("button", name="Delete").click()
    await dialog(page).get_by_role("button", name="Delete the schedule").click()
    await expect(page).to_have_url(re.compile(r"/schedules$"))


async def batch_of(stack: DevStack, *inputs: str) -> str:
    """A batch of these, and one that is refused."""
    runs: list[dict[str, Any]] = [{"agent": "assistant", "input": text} for text in inputs]
    body = {"runs": [*runs, {"agent": "nobody", "input": "x"}]}
    answer = await stack.client.post("/v1/batches", json=body)
    assert answer.status_code == 202, answer.text
    batch: str = answer.json()["batch_id"]
    return batch


async def test_a_batch_shows_how_far_it_is_and_is_cancelled(page: Page, stack: DevStack) -> None:
    batch = await batch_of(stack, SHORT, SHORT, LONG)
    await page.goto("/runs")
    await expect(page.locator(".connection")).to_contain_text("Live")
    await page.keyboard.press("g")
    await page.keyboard.press("b")
    row = page.locator(".ad").first
    await expect(row).to_contain_text("1 rejected")
    await row.get_by_role("link").click()
    await expect(page).to_have_url(re.compile(f"/batches/{batch}$"))
    chips = page.locator(".chips")
    await expect(chips.get_by_role("link", name="Completed 2")).to_be_visible()
    await expect(chips.get_by_role("link", name="Running 1")).to_be_visible()
    await expect(page.get_by_role("region", name="Rejected")).to_contain_text("Run 4")
    await page.get_by_role("button", name="Cancel").click()
    await dialog(page).get_by_role("button", name="Cancel the batch").click()
    await expect(pill(page)).to_have_text("Ended")
    await expect(chips.get_by_role("link", name="Cancelled 1")).to_be_visible()
    await expect(page.get_by_role("button", name="Cancel")).to_have_count(0)
    await chips.get_by_role("link", name="Completed 2").click()
    await expect(page.locator("a.rr")).to_have_count(2)
    await page.get_by_role("button", name=re.compile("of batch")).click()
    await expect(page).to_have_url(re.compile(r"/runs\?status=completed$"))


async def test_in_a_narrow_window_each_page_is_two_taps_away(
    chromium: Browser, stack: DevStack
) -> None:
    batch = await batch_of(stack, SHORT)
    async with opened(chromium, stack.api_urls[0], narrow=True, dark=True) as page:
        for path in (*PLACES, f"/batches/{batch}", "/schedules/none", "/webhooks/wh_none"):
            await page.goto(path)
            await expect(page.locator("main h1").first).to_be_visible()
            await expect(page.locator(".loading")).to_have_count(0)
            wide = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert wide <= 0, path
        await page.goto("/runs")
        await page.get_by_role("button", name="More").click()
        await dialog(page).get_by_role("link", name="Webhooks").click()
        await expect(page.get_by_role("heading", name="Webhooks", exact=True)).to_be_visible()
        await expect(dialog(page)).to_have_count(0)
        await page.get_by_role("button", name="More").click()
        links = dialog(page).get_by_role("link")
        await expect(links).to_have_text(["Schedules", "Batches", "Webhooks"])
