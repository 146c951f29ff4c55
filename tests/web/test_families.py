"""Runs that run other runs, on the page: links up and down, and one place to decide."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from tests.dev_stack import DevStack
from tests.family.scripts import ASKS_A_PERSON, asks, child_of, says

pytestmark = pytest.mark.slow
PAYS = {"call": "pay", "arguments": {"amount": 500}}


async def test_a_run_and_the_one_below_it_lead_to_each_other(page: Page, stack: DevStack) -> None:
    run = await stack.submit(asks("steered", PAYS, says("paid")), says("done"), agent="lead")
    child = await child_of(stack, run)
    await page.goto(f"/runs/{run}")
    feed = page.get_by_role("log", name="Transcript")
    call = feed.locator("summary", has_text="ask_steered")
    await expect(call.locator(".tm")).to_have_text("waits")
    below = feed.locator(".calls > a")
    await expect(below).to_have_attribute("href", f"/runs/{child}")
    await call.click()
    await feed.locator(".kv", has_text="run").get_by_role("link", name=child).click()
    await expect(page).to_have_url(f"{stack.api_urls[0]}/runs/{child}")
    await expect(feed.get_by_role("form", name="Approval of pay")).to_be_visible()
    await page.get_by_role("tab", name="Details").click()
    await page.locator(".kvs").get_by_role("link", name=run).click()
    await expect(page).to_have_url(f"{stack.api_urls[0]}/runs/{run}")

    approval = feed.get_by_role("form", name="Approval of pay")
    await expect(approval.get_by_label("amount")).to_have_value("500")
    await approval.get_by_role("button", name="Approve").click()
    await expect(page.locator(".facts .pill")).to_have_text("Completed")
    await expect(feed.get_by_role("form")).to_have_count(0)
    await expect(call.locator(".tm")).not_to_have_text("waits")
    assert (await stack.ended(child))["output"] == "paid"
    assert (await stack.ended(run))["output"] == "done"
    await page.get_by_role("tab", name="Details").click()
    await expect(page.locator(".kvs")).to_contain_text("Runs below")


async def test_what_a_run_below_waits_for_is_decided_at_the_top_and_in_the_inbox(
    page: Page, stack: DevStack
) -> None:
    deep = asks("steered", ASKS_A_PERSON, PAYS, says("paid"))
    run = await stack.submit(asks("deputy", deep, says("middle")), says("done"), agent="lead")
    low = await child_of(stack, await child_of(stack, run))
    await page.goto(f"/runs/{run}")
    feed = page.get_by_role("log", name="Transcript")
    await expect(feed.get_by_role("link", name=low)).to_be_visible()
    await feed.get_by_label("Answer").fill("blue")
    await feed.get_by_role("button", name="Answer").click()
    await expect(feed.get_by_role("form", name="Approval of pay")).to_be_visible()

    await page.goto(f"/inbox?item={low}%2Fapproval_2_0")
    await page.get_by_role("button", name="Approve").click()
    assert (await stack.ended(run))["output"] == "done"
    await page.goto(f"/runs/{run}")
    await expect(page.locator(".facts .pill")).to_have_text("Completed")
    await expect(feed.get_by_role("form")).to_have_count(0)
