"""Everybody can use the page: axe finds nothing, nothing scrolls sideways, keys are enough."""

from __future__ import annotations

import asyncio
from urllib.parse import quote

import pytest
from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]
from playwright.async_api import Browser, Locator, Page, expect

from relayline.api.web.assets import VIEWS
from tests.api.serving import Api
from tests.dev_stack import DevStack
from tests.web.chromium import NARROW, WIDE, opened
from tests.web.scenes import every_kind, family
from tests.web.test_browser import becomes, script

pytestmark = pytest.mark.slow
NARROWEST = {"width": 320, "height": 640}
COLOURS = "color-contrast"
"""The rule of axe that a theme may break."""
FRESH_S = 0.5
"""For a moment, keys leave alone an approval that has just appeared."""
MAX_TABS = 60
"""A person who presses the tab key more often than this has given up."""


async def checked(page: Page, *rules: str) -> None:
    """What is shown has no finding of axe, of these rules or of any, and nothing at its side."""
    await expect(page.locator(".loading")).to_have_count(0)
    axe = Axe("") if await page.evaluate("'axe' in window") else Axe()
    only = {"runOnly": [*rules]} if rules else {}
    result = await axe.run(page, options={"resultTypes": ["violations"], **only})
    assert result.violations_count == 0, f"{page.url}\n{result.generate_report()}"
    await fits(page)


async def fits(page: Page) -> None:
    wide = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert wide <= 0, f"{page.url} is {wide} px too wide"


async def become(page: Page, size: dict[str, int], theme: str) -> None:
    await page.set_viewport_size(size)  # type: ignore[arg-type]
    await page.evaluate(f"document.documentElement.dataset.theme = '{theme}'")


async def checked_in_every_shape(page: Page) -> None:
    """Wide and narrow, light and dark: a theme changes colours only, so those are looked at."""
    for size in (WIDE, NARROW):
        await become(page, size, "light")
        await checked(page)
        await become(page, size, "dark")
        await checked(page, COLOURS)
    await become(page, NARROWEST, "dark")
    await fits(page)
    await become(page, WIDE, "light")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
async def test_the_theme_is_that_of_the_system(
    chromium: Browser, plain_page: Api, dark: bool
) -> None:
    async with opened(chromium, str(plain_page.http.base_url), dark=dark) as page:
        await page.goto("/runs")
        await expect(page.locator("html")).to_have_attribute(
            "data-theme", "dark" if dark else "light"
        )


async def test_every_page_passes_the_accessibility_check(
    chromium: Browser, plain_page: Api
) -> None:
    run = await every_kind(plain_page.journal)
    item = quote(f"{run}/approval_2_0", safe="")
    paths = [path.replace("{run_id}", run) for path in sorted({*VIEWS} - {"/"})]
    async with opened(chromium, str(plain_page.http.base_url)) as page:
        for path in (*paths, f"/inbox?item={item}"):
            await page.goto(path)
            await expect(page.locator("main h1:visible").first).to_be_visible()
            await checked_in_every_shape(page)
        await page.goto(f"/runs/{run}")
        await expect(page.locator(".ask")).to_have_count(2)
        for call in await page.locator(".call summary, .void summary").all():
            await call.click()
        for key in ("2", "3"):
            await page.keyboard.press(key)
            await checked_in_every_shape(page)


async def test_what_a_run_below_asks_passes_the_accessibility_check(
    chromium: Browser, plain_page: Api
) -> None:
    run, low = await family(plain_page.journal)
    async with opened(chromium, str(plain_page.http.base_url)) as page:
        await page.goto(f"/runs/{run}")
        await expect(page.get_by_role("form", name="Approval of pay")).to_be_visible()
        await expect(page.locator(".call", has_text="ask_payer").locator(".tm")).to_have_text(
            "waits"
        )
        await checked_in_every_shape(page)
        await page.locator(".calls").get_by_role("link").click()
        await page.wait_for_url(f"**/runs/{low}")


async def test_every_dialog_passes_the_accessibility_check(
    chromium: Browser, plain_page: Api, keyed_page: Api
) -> None:
    run = await every_kind(plain_page.journal)
    async with opened(chromium, str(plain_page.http.base_url)) as page:
        await page.goto(f"/runs/{run}")
        await expect(page.locator(".ask")).to_have_count(2)
        for keys in ("n", "?", "Control+k", "Shift+C"):
            await page.keyboard.press(keys)
            await expect(page.get_by_role("dialog")).to_be_visible()
            await checked_in_every_shape(page)
            await page.keyboard.press("Escape")
            await expect(page.get_by_role("dialog")).to_have_count(0)
    async with opened(chromium, str(keyed_page.http.base_url)) as page:
        await page.goto("/runs")
        await expect(page.get_by_label("API key or access token")).to_be_visible()
        await checked_in_every_shape(page)


async def tab_to(page: Page, wanted: Locator) -> None:
    """Press the tab key until that has the focus."""
    await expect(wanted).to_be_visible()
    for _ in range(MAX_TABS):
        if await wanted.evaluate("it => it === document.activeElement"):
            return
        await page.keyboard.press("Tab")
    raise AssertionError(f"{wanted} can't be reached with the tab key")


async def submit(page: Page, text: str) -> str:
    """Start a run of `frail`; its id."""
    await page.keyboard.press("n")
    dialog = page.get_by_role("dialog")
    await expect(dialog.get_by_label("Agent").locator("option")).not_to_have_count(0)
    await expect(dialog.get_by_label("Input")).to_be_focused()
    await page.keyboard.insert_text(text)
    await page.keyboard.press("Shift+Tab")
    await page.keyboard.press("Shift+Tab")
    await expect(dialog.get_by_label("Agent")).to_be_focused()
    await page.keyboard.type("frail")
    await tab_to(page, dialog.get_by_role("button", name="Start"))
    await page.keyboard.press("Enter")
    await becomes(page, "Needs you")
    return page.url.rpartition("/")[2]


async def approve_with_a_change(page: Page) -> None:
    await expect(page.locator("[data-field=text] input")).to_be_visible()
    await asyncio.sleep(FRESH_S)
    await page.keyboard.press("e")
    await expect(page.locator("[data-field=text] input")).to_be_focused()
    await page.keyboard.press("Control+A")
    await page.keyboard.type("two")
    await tab_to(page, page.get_by_role("button", name="Approve with 1 change"))
    await page.keyboard.press("Enter")


async def answer(page: Page) -> None:
    await tab_to(page, page.get_by_label("Answer"))
    await page.keyboard.type("green")
    await page.keyboard.press("Control+Enter")
    await expect(page.locator(".say.live")).to_contain_text("w2")


async def redirect(page: Page, text: str) -> None:
    await page.keyboard.press("r")
    await expect(page.get_by_role("textbox", name="Redirect")).to_be_focused()
    await page.keyboard.insert_text(text)
    await page.keyboard.press("Control+Enter")
    await expect(page.locator(".it.user h3")).to_have_count(2)
    await page.keyboard.press("Escape")


async def cancel(page: Page) -> None:
    await page.keyboard.press("Shift+C")
    await expect(page.get_by_role("dialog").get_by_label("Reason")).to_be_focused()
    await page.keyboard.type("enough")
    await page.keyboard.press("Enter")
    await becomes(page, "Cancelled")


async def test_a_run_is_steered_to_its_end_without_a_mouse(page: Page, stack: DevStack) -> None:
    talk = {"tokens": 3000, "every_ms": 40}
    asking = {"call": "ask_user", "arguments": {"question": "Which one shall it be?"}}
    await page.goto("/runs")
    await expect(page.locator(".connection")).to_contain_text("Live")
    run = await submit(page, script({"call": "echo", "arguments": {"text": "one"}}, asking, talk))
    await approve_with_a_change(page)
    await answer(page)
    await redirect(page, script(talk))
    await cancel(page)
    found = {event["type"]: event["data"] for event in await stack.events(run)}
    assert found["approval.resolved"]["arguments"] == {"text": "two"}
    assert found["input.received"]["text"] == "green"
    assert found["run.cancelled"]["reason"] == "enough"
