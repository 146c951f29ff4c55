"""Answers that are JSON, as forms and tables in the transcript."""

from __future__ import annotations

import json

from playwright.async_api import Page, expect

from tests.dev_stack import DevStack
from tests.web.chromium import PATIENCE_MS

expect.set_options(timeout=PATIENCE_MS)

SCHEMA = {"type": "object", "required": ["city"]}
CITY = {
    "city": "<b>Bern</b>",
    "people": 134794,
    "capital": True,
    "mayor": None,
    "rivers": ["Aare"],
    "bridges": [{"name": "Nydegg", "built": 1844}, {"name": "Kornhaus"}],
    "large": 12345678901234567890,
}


async def test_answer_is_shown_as_a_form_with_tables(page: Page, stack: DevStack) -> None:
    run = await stack.submit({"answer": CITY}, output_schema=SCHEMA)
    await stack.ended(run)
    await page.goto(f"/runs/{run}")
    form = page.locator(".step .say .scroll-x > table")
    rows = form.locator("> tbody > tr")
    await expect(rows.locator("> th")).to_have_text([*CITY])
    await expect(rows.nth(0).locator("td")).to_have_text("<b>Bern</b>")
    await expect(form.locator("b")).to_have_count(0)
    await expect(rows.nth(2).locator("td")).to_have_text("yes")
    await expect(rows.nth(4).locator("li")).to_have_text(["Aare"])
    bridges = rows.nth(5).locator("table")
    await expect(bridges.locator("th")).to_have_text(["name", "built"])
    await expect(bridges.locator("tbody td")).to_have_text(["Nydegg", "1844", "Kornhaus", ""])
    await expect(rows.nth(6).locator("td")).to_contain_text("≈")


async def test_rejected_answer_stays_a_text_and_says_why(page: Page, stack: DevStack) -> None:
    wrong = {"town": "Bern"}
    run = await stack.submit({"answer": wrong}, {"answer": CITY}, output_schema=SCHEMA)
    await stack.ended(run)
    await page.goto(f"/runs/{run}")
    await expect(page.locator(".step .say").first).to_have_text(json.dumps(wrong))
    said = "The answer does not fit (1 of 3): 'city' is a required property"
    await expect(page.get_by_text(said)).to_be_visible()
    await expect(page.locator(".step .say table").first).to_be_visible()
