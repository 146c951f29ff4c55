"""What the page says when something is not as it should be."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect
from temporalio.client import Client

from relayline.contracts.envelope import NewEvent
from relayline.contracts.events import ApprovalResolved, MessageDelta, RunCompleted
from relayline.contracts.keys import resolved_key
from relayline.journal.sqlite.journal import SqliteJournal
from relayline.runtime.settings import Settings
from tests.api.serving import Api, serving
from tests.dev_stack import DevStack
from tests.journal.storage import lose
from tests.web.chromium import opened
from tests.web.scenes import approval, beginning, begun, fact, said, written
from tests.web.test_browser import becomes

pytestmark = pytest.mark.slow
HIDE = """(hidden) => {
  Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
  document.dispatchEvent(new Event("visibilitychange"));
}"""
OFF = timedelta(minutes=5)


def pieces(*texts: str) -> list[NewEvent]:
    return [NewEvent(body=MessageDelta(text=text), step=1, attempt=1) for text in texts]


def end(output: str = "It is done.") -> NewEvent:
    return fact("0/run/ended", RunCompleted(output=output))


@asynccontextmanager
async def own_api(folder: Path, nowhere: Client, **settings: Any) -> AsyncIterator[Api]:
    """An API with a journal of its own."""
    journal = SqliteJournal(folder / "journal.db")
    try:
        async with serving(Settings(**settings), journal, nowhere) as served:
            yield served
    finally:
        await journal.close()


async def test_a_run_whose_events_are_past_retention_says_so_and_stays_in_the_list(
    chromium: Browser, tmp_path: Path, nowhere: Client
) -> None:
    async with (
        own_api(tmp_path, nowhere) as api,
        opened(chromium, str(api.http.base_url)) as page,
    ):
        run = await written(api.journal, [*beginning("Old"), begun(1), *said(1, "Yes."), end()])
        await api.journal.sweep(datetime.now(UTC) + timedelta(minutes=1))
        await page.goto(f"/runs/{run}")
        told = page.get_by_role("alert")
        await expect(told).to_contain_text("No events of this run any more")
        await page.goto("/runs")
        row = page.locator(f"[data-id={run}]")
        await expect(row).to_contain_text("Old")
        await expect(row.get_by_role("img", name="Completed")).to_be_visible()


async def test_what_the_journal_has_lost_is_removed_from_the_page(
    chromium: Browser, tmp_path: Path, nowhere: Client
) -> None:
    """As after a restore from a backup: the page is ahead of the journal."""
    async with (
        own_api(tmp_path, nowhere) as api,
        opened(chromium, str(api.http.base_url)) as page,
    ):
        run = await written(api.journal, [*beginning("Hello"), begun(1), *pieces("one ", "two ")])
        await page.clock.install()
        await page.goto(f"/runs/{run}")
        await expect(page.locator(".say")).to_have_text("one two")
        await hidden_for_a_minute(page)
        await api.quiet()
        lose(tmp_path / "journal.db", run, kept=5)
        await page.evaluate(HIDE, False)
        await expect(page.locator(".say")).to_have_text("one")


async def hidden_for_a_minute(page: Page) -> None:
    """Hide the window; it stays hidden."""
    await page.evaluate(HIDE, True)
    await page.clock.fast_forward("01:00")
    await expect(page.locator(".connection")).to_contain_text("Resting")


async def test_a_window_too_many_says_so_and_is_live_once_there_is_room(
    chromium: Browser, tmp_path: Path, nowhere: Client
) -> None:
    async with (
        own_api(tmp_path, nowhere, max_streams_per_client=1) as api,
        opened(chromium, str(api.http.base_url)) as first,
    ):
        await first.goto("/runs")
        await expect(first.locator(".connection")).to_contain_text("Live")
        async with opened(chromium, str(api.http.base_url)) as second:
            await second.goto("/runs")
            await expect(second.locator(".bar-note")).to_contain_text("streams open")
            await first.goto("about:blank")
            await expect(second.locator(".connection")).to_contain_text("Live")
            await expect(second.locator(".bar-note")).to_have_count(0)


async def test_without_temporal_the_run_is_shown_and_a_command_says_why_not(
    chromium: Browser, plain_page: Api
) -> None:
    run = await written(plain_page.journal, [*beginning("Hello"), begun(1), *pieces("one ")])
    async with opened(chromium, str(plain_page.http.base_url)) as page:
        await page.goto(f"/runs/{run}")
        await expect(page.locator(".say")).to_have_text("one")
        await expect(page.locator(".connection")).to_contain_text("temporal")
        message = page.get_by_role("textbox", name="Redirect")
        await message.fill("what I have typed stays")
        await page.get_by_role("button", name="Send").click()
        await expect(page.get_by_role("alert")).to_contain_text("Temporal")
        await expect(message).to_have_value("what I have typed stays")


async def test_a_hidden_window_holds_no_stream_and_misses_nothing(
    chromium: Browser, tmp_path: Path, nowhere: Client
) -> None:
    async with (
        own_api(tmp_path, nowhere) as api,
        opened(chromium, str(api.http.base_url)) as page,
    ):
        run = await written(api.journal, [*beginning("Hello"), begun(1), *pieces("one ")])
        await page.clock.install()
        await page.goto(f"/runs/{run}")
        await expect(page.locator(".say")).to_have_text("one")
        await api.opened(1)
        await hidden_for_a_minute(page)
        await api.quiet()
        await api.journal.append(run, [*pieces("two "), *said(1, "one two"), end()])
        await page.evaluate(HIDE, False)
        await becomes(page, "Completed")
        await expect(page.locator(".say")).to_have_text("one two")


async def test_a_window_whose_stream_ends_while_it_is_hidden_is_live_once_it_is_shown(
    page: Page, stack: DevStack
) -> None:
    await page.goto("/runs")
    await expect(page.locator(".connection")).to_contain_text("Live")
    await page.evaluate(HIDE, True)
    killed = stack.state["api"]["pid"]
    os.kill(killed, signal.SIGKILL)
    await expect(page.locator(".connection")).to_contain_text("Resting")
    await page.evaluate(HIDE, False)
    await expect(page.locator(".connection")).to_contain_text("Live")
    async with asyncio.timeout(60):
        while stack.state["api"]["pid"] == killed:
            await asyncio.sleep(0.1)
    run = await stack.submit({"say": "news"})
    await expect(page.locator(f"[data-id={run}]")).to_be_visible()


@pytest.mark.parametrize("ahead", [OFF, -OFF], ids=["fast", "slow"])
async def test_times_are_right_on_a_computer_whose_clock_is_not(
    chromium: Browser, plain_page: Api, ahead: timedelta
) -> None:
    soon = datetime.now(UTC) + timedelta(minutes=50)
    asks = approval(1, "look", {"x": "y"}, expires_at=soon)
    run = await written(plain_page.journal, [*beginning("Just now"), begun(1), asks])
    async with opened(chromium, str(plain_page.http.base_url)) as page:
        await page.clock.install(time=datetime.now(UTC) + ahead)
        await page.goto(f"/runs/{run}")
        await expect(page.locator(".ask .left")).to_have_text(
            re.compile(r"denied in (50 m 00|4[89] m \d\d) s")
        )
        await page.goto("/runs")
        began = page.locator(f"[data-id={run}] time")
        await expect(began).to_have_text(re.compile(r"^(now|\d+ s ago|[12] m ago)$"))


async def test_a_late_decision_is_told_who_decided_and_when(
    chromium: Browser, plain_page: Api
) -> None:
    asks = approval(1, "look", {"x": "y"})
    run = await written(plain_page.journal, [*beginning("Decide"), begun(1), asks])
    async with opened(chromium, str(plain_page.http.base_url)) as page:
        await page.clock.install()
        await page.goto(f"/runs/{run}")
        approve = page.locator("[data-decide=approve]")
        await expect(approve).to_be_visible()
        await hidden_for_a_minute(page)  # so that it does not see what happens
        body = ApprovalResolved(
            approval_id="approval_1_0", decision="deny", by="ben", at=datetime.now(UTC)
        )
        await plain_page.journal.append(run, [fact(resolved_key(body.approval_id), body, 1)])
        await approve.click()
        told = re.compile(r"was denied by ben at \d{4}-\d\d-\d\dT")
        await expect(page.locator("#toast")).to_have_text(told)
        await page.evaluate(HIDE, False)
        await expect(page.locator(".verdict")).to_contain_text("Denied look by ben")


async def named(page: Page, name: str, run: str) -> None:
    """Somebody with that name, who looks at the run."""
    await page.goto("/runs")
    await page.get_by_role("button", name="Your name").click()
    await page.get_by_role("dialog").get_by_label("Name").fill(name)
    await page.get_by_role("button", name="Save").click()
    await page.goto(f"/runs/{run}")
    await expect(page.locator("[data-decide=approve]")).to_be_visible()


async def test_of_two_simultaneous_decisions_one_counts_and_both_see_whose(
    chromium: Browser, stack: DevStack
) -> None:
    run = await stack.submit({"call": "echo", "arguments": {"text": "x"}}, agent="frail")
    await stack.seen(run, "approval.requested")
    async with (
        opened(chromium, stack.api_urls[0]) as one,
        opened(chromium, stack.api_urls[0]) as other,
    ):
        await named(one, "ann", run)
        await named(other, "ben", run)
        await asyncio.gather(
            one.locator("[data-decide=approve]").click(),
            other.locator("[data-decide=deny]").click(),
        )
        decided = (await stack.seen(run, "approval.resolved"))["data"]
        word = {"approve": "Approved", "deny": "Denied"}[decided["decision"]]
        for page in (one, other):
            await expect(page.locator(".verdict")).to_contain_text(
                f"{word} echo by {decided['by']}"
            )
    assert [e["type"] for e in await stack.events(run)].count("approval.resolved") == 1


async def test_a_seventh_window_of_one_browser_loads_and_sends_commands(
    page: Page, stack: DevStack
) -> None:
    run = await stack.submit({"tokens": 3000, "every_ms": 40})
    windows = [page, *[await page.context.new_page() for _ in range(6)]]
    for one in windows:
        await one.goto(f"/runs/{run}")
        await expect(one.locator(".say.live")).to_contain_text("w2")
    await windows[-1].get_by_role("button", name="Cancel").click()
    await windows[-1].get_by_role("dialog").get_by_role("button", name="Cancel the run").click()
    for one in windows:
        await becomes(one, "Cancelled")


async def test_a_page_older_than_its_server_says_so_instead_of_staying_blank(
    chromium: Browser, plain_page: Api
) -> None:
    async with opened(chromium, str(plain_page.http.base_url)) as page:
        await page.goto("/runs")
        await expect(page.locator("main h1")).to_have_text("Runs")
        await page.route("**/ui/**", lambda route: route.fulfill(status=404))
        await page.get_by_role("link", name="Agents").click()
        await expect(page.get_by_role("alert")).to_contain_text("can't be loaded")
        await page.unroute("**/ui/**")
        await page.get_by_role("button", name="Reload").click()
        await expect(page.locator("main h1")).to_have_text("Agents")
