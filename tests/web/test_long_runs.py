"""A long run on the page: what is in view are elements, and everything can be reached."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, Page, expect

from relayline.contracts.messages import ToolCall
from relayline.journal.port import Journal
from tests.api.serving import Api
from tests.web.chromium import opened
from tests.web.promises.test_figures import MAX_NODES
from tests.web.scenes import approval, beginning, begun, called, said, written

pytestmark = pytest.mark.slow
STEPS = 600
MAX_SHOWN = 60


async def long_run(journal: Journal) -> str:
    """So many steps with a call each; it waits for an approval."""
    events = beginning("A long one")
    for step in range(1, STEPS + 1):
        look = ToolCall(call_id=f"call_{step}_0", name="look", arguments={"at": step})
        text = f"I look at {step}.\n\n" + "It is long. " * (step % 40)
        events += [begun(step), *said(step, text, [look]), *called(look, step, "seen")]
    asks = approval(STEPS, "write", {"path": "a.txt"})
    return await written(journal, [*events, asks])


async def small(page: Page) -> None:
    """However long the run is, the page has few elements."""
    assert await page.evaluate("document.querySelectorAll('*').length") < MAX_NODES
    assert 1 < await page.locator(".it").count() < MAX_SHOWN


async def test_a_long_transcript_is_elements_only_where_one_looks(
    chromium: Browser, plain_page: Api
) -> None:
    run = await long_run(plain_page.journal)
    async with opened(chromium, str(plain_page.http.base_url)) as page:
        await page.goto(f"/runs/{run}")
        await expect(page.locator(".ask")).to_be_in_viewport()
        await small(page)
        await page.get_by_label("Note").fill("because")
        await page.locator("#feed").evaluate("it => it.scrollTo(0, 0)")
        await expect(page.locator(".it.user")).to_be_in_viewport()
        await expect(page.locator("#step-1")).to_be_in_viewport()
        await expect(page.locator("#step-300")).to_have_count(0)
        await small(page)
        await page.locator("#feed").focus()
        await page.keyboard.press("l")
        await expect(page.locator(".ask")).to_be_in_viewport()
        await expect(page.get_by_label("Note")).to_have_value("because")
        await expect(page.get_by_role("button", name="Follow")).to_have_count(0)


async def test_every_bar_of_a_long_run_leads_to_its_part(
    chromium: Browser, plain_page: Api
) -> None:
    run = await long_run(plain_page.journal)
    async with opened(chromium, str(plain_page.http.base_url)) as page:
        await page.goto(f"/runs/{run}")
        rows = f"of {2 * STEPS + 1:,}".replace(",", "\u2009")
        await expect(page.locator(".wf .rowacts")).to_contain_text(rows)
        for _ in range(5):
            await page.get_by_role("button", name="Earlier").click()
        await page.locator("[data-row=call_260_0]").click()
        call = page.locator("[data-call=call_260_0]")
        await expect(call).to_be_in_viewport()
        await expect(call.locator(".kv", has_text="arguments")).to_contain_text("260")
        await expect(page.locator("#step-259")).to_be_attached()
        await small(page)
