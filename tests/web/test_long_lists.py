"""A long list of runs: rows out of sight are one element each, and lose nothing by it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Browser, Locator, Page, expect

from relayline.contracts.events import RunCompleted
from relayline.journal.sqlite.journal import SqliteJournal
from tests.api.serving import Api
from tests.web.chromium import opened
from tests.web.promises.test_figures import MAX_NODES, RUNS, whole_list
from tests.web.scenes import beginning, begun, fact, written

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]
MARK = "of=longlist"
ELEMENTS = "document.querySelectorAll('*').length"
MAX_FULL = 60
"""Rows that are drawn in full."""
FIND = """text => find(text)
  && (getSelection().anchorNode.parentElement.scrollIntoView({ block: "center" }), true)"""
"""As a browser with a window does: one without finds, but does not scroll."""
TOP = "it => it.getBoundingClientRect().top"
SELECT = """it => {
  getSelection().selectAllChildren(it.querySelector("b"));
  return String(getSelection());
}"""


@pytest.fixture(scope="module")
async def runs(page_journal: SqliteJournal) -> list[str]:
    """So many runs, oldest first; run 7 ended, all others are at work."""
    made = [
        await written(page_journal, [*beginning(f"Case {n:04}.", of="longlist"), begun(1)])
        for n in range(RUNS)
    ]
    await page_journal.append(made[7], [fact("0/run/ended", RunCompleted(output="done"))])
    return made


@asynccontextmanager
async def listed(chromium: Browser, api: Api, *, narrow: bool = False) -> AsyncIterator[Page]:
    """The page with all of them."""
    async with opened(chromium, str(api.http.base_url), narrow=narrow) as page:
        await page.goto(f"/runs?metadata.{MARK}")
        await expect(page.locator(".connection")).to_have_count(1)
        await whole_list(page)
        yield page


def row(page: Page, run: str) -> Locator:
    return page.locator(f"a.rr[data-id={run}]")


async def scroll(page: Page, to: str) -> None:
    await page.locator(".table").evaluate(f"it => it.scrollTo(0, {to})")


async def small(page: Page) -> None:
    """Rows are in full where one looks, and there alone."""
    await expect(page.locator("a.rr.far")).not_to_have_count(RUNS)
    assert await page.locator("a.rr:not(.far)").count() < MAX_FULL
    assert await page.evaluate(ELEMENTS) < MAX_NODES


@pytest.mark.parametrize("narrow", [False, True], ids=["wide", "narrow"])
async def test_a_thousand_rows_take_few_elements(
    chromium: Browser, plain_page: Api, runs: list[str], narrow: bool
) -> None:
    async with listed(chromium, plain_page, narrow=narrow) as page:
        await expect(page.locator("a.rr")).to_have_count(RUNS)
        for place, seen in (("0", runs[-1]), ("it.scrollHeight / 2", ""), ("1e6", runs[7])):
            await scroll(page, place)
            if seen:
                await expect(row(page, seen)).to_be_in_viewport()
                await expect(row(page, seen).locator(".c-d")).to_be_visible()
            await small(page)
        await expect(row(page, runs[-1])).to_have_class("rr running far")


async def test_keys_and_focus_do_not_mind_how_far_a_row_is(
    chromium: Browser, plain_page: Api, runs: list[str]
) -> None:
    async with listed(chromium, plain_page) as page:
        for _ in range(90):
            await page.keyboard.press("j")
        there = row(page, runs[-90])
        await expect(there).to_be_focused()
        await expect(there.locator(".c-d")).to_be_in_viewport()
        await small(page)
        await scroll(page, "1e6")
        await expect(there).to_have_class("rr running far")
        await expect(there).to_be_focused()
        await page.keyboard.press("k")
        await expect(row(page, runs[-89])).to_be_focused()
        await expect(row(page, runs[-89])).to_be_in_viewport()
        await page.keyboard.press("Enter")
        await page.wait_for_url(f"**/runs/{runs[-89]}")


async def test_the_browser_finds_a_row_and_keeps_what_is_selected(
    chromium: Browser, plain_page: Api, runs: list[str]
) -> None:
    async with listed(chromium, plain_page) as page:
        await expect(row(page, runs[300])).to_have_class("rr running far")
        assert await page.evaluate(FIND, "Case 0300.")
        await expect(row(page, runs[300]).locator(".c-d")).to_be_in_viewport()
        assert await row(page, runs[300]).evaluate(SELECT) == "Case 0300."
        await scroll(page, "0")
        await expect(row(page, runs[-1])).to_be_in_viewport()
        await expect(row(page, runs[299])).to_have_class("rr running far")
        assert await page.evaluate("String(getSelection())") == "Case 0300."


async def test_changes_reach_rows_near_and_far_and_move_none(
    chromium: Browser, plain_page: Api, runs: list[str]
) -> None:
    async with listed(chromium, plain_page) as page:
        await scroll(page, "500")
        seen = row(page, runs[-20])
        await expect(seen.locator(".c-n").first).to_have_text("1")
        before = await seen.evaluate(TOP)
        new = await written(plain_page.journal, beginning("A new one", of="longlist"))
        await expect(page.get_by_role("button", name="1 new")).to_be_visible()
        await plain_page.journal.append(runs[-20], [begun(2)])
        await expect(seen.locator(".c-n").first).to_have_text("2")
        assert abs(await seen.evaluate(TOP) - before) < 1
        await scroll(page, "1e6")
        await expect(row(page, runs[-2])).to_have_class("rr running far")
        await plain_page.journal.append(runs[-2], [fact("0/run/ended", RunCompleted(output="ok"))])
        await expect(row(page, runs[-2])).to_have_class(re.compile("^rr completed"))
        await page.get_by_role("button", name="1 new").click()
        await expect(row(page, new).locator(".c-d")).to_be_in_viewport()
        await expect(row(page, runs[-20]).locator(".c-n").first).to_have_text("2")
