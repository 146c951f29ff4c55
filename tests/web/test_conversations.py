"""A conversation on the page: its turns, the next message, what waits, and its end."""

from __future__ import annotations

import json
import re

import pytest
from playwright.async_api import Browser, Locator, Page, expect

from relayline.contracts.principals import Scope
from tests.api.auth.keyed import issued
from tests.api.serving import Api
from tests.dev_stack import DevStack
from tests.web.chromium import opened
from tests.web.promises.test_access import checked_in_every_shape, tab_to
from tests.web.scenes import conversation
from tests.web.test_browser import becomes, script

pytestmark = pytest.mark.slow
TALK = {"tokens": 3000, "every_ms": 40}


def message(page: Page) -> Locator:
    return page.get_by_role("textbox", name="Message")


def turn(page: Page, number: int) -> Locator:
    return page.get_by_role("group", name=f"Turn {number}")


async def write(page: Page, text: str) -> None:
    """Send it without a mouse."""
    await page.keyboard.press("r")
    await expect(message(page)).to_be_focused()
    await page.keyboard.insert_text(text)
    await page.keyboard.press("Control+Enter")


async def choose(page: Page, if_busy: str) -> None:
    """What becomes of the message while a turn runs; by keys alone."""
    choice = page.get_by_label("While a turn runs")
    await tab_to(page, choice)
    await choice.select_option(if_busy)


async def test_a_conversation_is_held_without_a_mouse(page: Page, stack: DevStack) -> None:
    run = await stack.submit({"say": "Hello."}, open=True)
    await page.goto(f"/runs/{run}")
    await becomes(page, "Idle")
    await expect(page.locator(".dock")).to_contain_text("needs no worker and costs nothing")
    await expect(turn(page, 1)).to_contain_text(
        re.compile(r"Turn 1 completed after .* · 1 step · ")
    )
    await expect(page.get_by_label("While a turn runs")).to_have_count(0)
    await write(page, script(TALK))
    await expect(message(page)).to_have_value("")
    await expect(turn(page, 2).locator(".say.live")).to_contain_text("w2")
    await page.keyboard.insert_text("And then?")
    await page.keyboard.press("Control+Enter")
    await expect(page.get_by_label("Messages that wait")).to_contain_text("And then?")
    await expect(page.locator(".dock")).to_contain_text("1 message waits")
    await expect(page.locator("#toast")).to_have_text("It waits for its turn")
    await page.keyboard.insert_text("Only now")
    await choose(page, "reject")
    await message(page).focus()
    await page.keyboard.press("Control+Enter")
    await expect(page.locator(".dock [role=alert]")).to_contain_text("Not sent: busy")
    await expect(message(page)).to_have_value("Only now")
    await expect(page.locator(".it.thin", has_text="message")).to_contain_text("refused: busy")
    await choose(page, "redirect")
    await message(page).focus()
    await page.keyboard.press("Control+Enter")
    await expect(turn(page, 2).locator(".it.user h3")).to_have_text(["Turn 2", "Redirect"])
    await expect(turn(page, 3)).to_contain_text("Turn 3 completed")
    await becomes(page, "Idle")
    told = [it["data"] for it in await stack.events(run) if it["type"] == "message.user"]
    assert [(it["turn"], it["text"][:8]) for it in told[-2:]] == [(2, "Only now"), (3, "And then")]


async def test_a_turn_is_cancelled_alone_and_the_conversation_is_closed(
    page: Page, stack: DevStack
) -> None:
    run = await stack.submit(TALK, open=True)
    await page.goto(f"/runs/{run}")
    await expect(page.locator(".say.live")).to_contain_text("w2")
    await page.get_by_role("button", name="Cancel").click()
    await page.get_by_role("button", name="Cancel the turn").click()
    await expect(turn(page, 1)).to_contain_text("Turn 1 cancelled")
    await becomes(page, "Idle")
    await expect(page.get_by_role("button", name="Pause")).to_have_count(0)
    await page.get_by_role("button", name="Close").click()
    await page.get_by_role("button", name="Close it").click()
    await becomes(page, "Completed")
    await expect(message(page)).to_have_count(0)


async def test_a_conversation_is_begun_on_the_page(page: Page) -> None:
    await page.goto("/runs")
    await expect(page.locator(".connection")).to_contain_text("Live")
    await page.keyboard.press("n")
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Input").fill(json.dumps({"rehearse": [{"say": "Yes?"}]}))
    await dialog.get_by_label("A conversation").check()
    await dialog.get_by_role("button", name="Start").click()
    await becomes(page, "Idle")


async def test_who_may_not_write_is_told_why(chromium: Browser, keyed_page: Api) -> None:
    reads = await issued(keyed_page.journal, "default", [Scope.RUNS_READ], "reader")
    run = await conversation(keyed_page.journal)
    async with opened(chromium, f"http://{keyed_page.host}:{keyed_page.port}") as page:
        await page.goto(f"/runs/{run}")
        await page.get_by_label("API key or access token").fill(reads.text)
        await page.get_by_role("button", name="Sign in").click()
        await expect(message(page)).to_be_disabled()
        await expect(page.locator(".dock")).to_contain_text("your key lacks runs:steer")
        await expect(page.get_by_role("button", name="Send")).to_be_disabled()
        await expect(page.get_by_role("button", name="Close")).to_have_count(0)


async def test_a_conversation_is_for_everybody(chromium: Browser, plain_page: Api) -> None:
    idle = await conversation(plain_page.journal)
    busy = await conversation(plain_page.journal, busy=True)
    async with opened(chromium, str(plain_page.http.base_url)) as page:
        for run, word, turn in ((idle, "Idle", 2), (busy, "Running", 3)):
            await page.goto(f"/runs/{run}")
            await becomes(page, word)
            await expect(page.locator(".facts")).to_contain_text(f"turn {turn}, step 1 of 50")
            await expect(message(page)).to_be_enabled()
            await checked_in_every_shape(page)
        await expect(page.get_by_label("Messages that wait")).to_have_text(
            "bob: A message sent elsewhere"
        )
