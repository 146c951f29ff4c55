"""A person's whole path, while the API and the worker are killed on the way."""

from __future__ import annotations

import os
import signal

import pytest
from playwright.async_api import Page, expect

from tests.dev_stack import DevStack
from tests.web.test_browser import becomes, script

pytestmark = pytest.mark.slow
TALK = {"tokens": 3000, "every_ms": 40}


async def killed(page: Page, stack: DevStack) -> None:
    """Kill the API; the page says that it is away, and then that it is back, by itself."""
    os.kill(stack.state["api"]["pid"], signal.SIGKILL)  # it is started again at once
    await expect(page.locator(".connection")).to_contain_text("Connection lost")
    await expect(page.locator(".connection")).to_contain_text("Live")
    await expect(page.locator(".bar-note")).to_have_count(0)


async def submitted(page: Page) -> str:
    """A run that sleeps, pays, asks and then talks; its id."""
    text = script(
        {"say": "First I **wait**."},
        {"call": "sleep", "arguments": {"seconds": 1.5}},
        {"say": "Then I pay."},
        {"call": "pay", "arguments": {"amount": 250}},
        {"call": "ask_user", "arguments": {"question": "And now?"}},
        TALK,
    )
    await page.goto("/runs")
    await page.get_by_role("button", name="New run").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Agent").select_option("steered")
    await dialog.get_by_label("Input").fill(text)
    await dialog.get_by_role("button", name="Start").click()
    await expect(page.locator(".call", has_text="sleep")).to_contain_text("running")
    return page.url.rpartition("/")[2]


@pytest.mark.timeout(240)  # three processes start again, and what a busy machine adds
async def test_a_person_brings_a_run_to_its_end_whatever_is_killed(
    page: Page, stack: DevStack
) -> None:
    run = await submitted(page)
    stack.kill_worker()
    await expect(page.get_by_text("another takes over").first).to_be_visible()
    await becomes(page, "Needs you")
    tries = page.locator(".call", has_text="sleep").locator(".tries")
    await expect(tries).to_have_attribute("title", "2 attempts")

    await killed(page, stack)
    await page.locator("[data-field=amount] input").fill("120")
    await page.get_by_role("button", name="Approve with 1 change").click()
    await expect(page.locator(".verdict")).to_contain_text("amount=120 amount=250")
    await page.get_by_label("Answer").fill("write")
    await page.get_by_role("button", name="Answer").click()
    await expect(page.locator(".say.live")).to_contain_text("w2")

    await killed(page, stack)
    await page.get_by_role("textbox", name="Redirect").fill(script({"say": "As you wish."}, TALK))
    await page.get_by_role("button", name="Send").click()
    await expect(page.locator(".it.user h3")).to_have_count(2)
    await page.get_by_role("button", name="Cancel").click()
    await page.get_by_role("dialog").get_by_role("button", name="Cancel the run").click()
    await becomes(page, "Cancelled")
    await shows_what_is_stored(page, stack, run)


async def shows_what_is_stored(page: Page, stack: DevStack, run: str) -> None:
    """Nothing is missing or doubled: every event is there, and every answer as it is stored."""
    events = await stack.events(run)
    kinds = ("message.completed", "message.interrupted")
    texts = [event["data"]["text"] for event in events if event["type"] in kinds]
    said = [text.replace("**", "") for text in texts if text]
    await expect(page.locator(".say")).to_have_text(said)
    await page.get_by_role("tab", name="Events").click()
    await expect(page.locator(".evfoot")).to_contain_text(f"seq 1 to {len(events)}")
    await page.get_by_role("button", name="Read all").click()
    count = page.get_by_role("tab", name="Events").locator("em")
    await expect(count).to_have_text(str(len(events)))
