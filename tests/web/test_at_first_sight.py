"""What somebody sees who looks at the page for the first time: nothing has to be guessed."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from itertools import chain

import pytest
from playwright.async_api import Browser, Locator, Page, expect

from relayline.contracts.events import RunCancelled, RunCompleted, RunQueued
from relayline.contracts.keys import QUEUED_KEY
from relayline.contracts.messages import ToolCall, Usage
from relayline.contracts.money import Cost
from tests.api.serving import Api
from tests.web.chromium import opened
from tests.web.scenes import approval, beginning, begun, called, everything, fact, said, written

pytestmark = pytest.mark.slow
REASON = "The parcel was damaged in transit, as the carrier says in its report. " * 4
MAX_HEAD_PX = 104
"""Three lines of a phone."""


def doing(page: Page, run: str) -> Locator:
    return page.locator(f"[data-id={run}] .c-d")


def tokens(page: Page, run: str) -> Locator:
    return page.locator(f"[data-id={run}] .c-t2")


async def test_a_row_tells_what_a_run_does_what_came_of_it_and_what_it_cost(
    chromium: Browser, plain_page: Api
) -> None:
    nap = ToolCall(call_id="call_1_0", name="nap", arguments={"seconds": 600})
    journal, cost = plain_page.journal, Cost(amount="0.00042")
    used = Usage(input_tokens=100, output_tokens=20, cost=cost)
    writes = await written(journal, [*beginning("It writes", glance="a"), begun(1)])
    calls = await written(
        journal, [*beginning("It naps", glance="a"), begun(1), *said(1, "", [nap])]
    )
    ends = fact("0/run/ended", RunCompleted(output="It is 42.", usage=used))
    done = await written(journal, [*beginning("It is done", glance="a"), ends])
    stops = fact("0/run/ended", RunCancelled(reason="enough", by="ann"))
    stopped = await written(journal, [*beginning("It is stopped", glance="a"), begun(1), stops])
    async with opened(chromium, str(plain_page.http.base_url)) as page:
        await page.goto("/runs?metadata.glance=a")  # the journal is that of many tests
        await expect(doing(page, writes)).to_have_text(re.compile(r"^writing for .+ · step 1$"))
        await expect(tokens(page, writes)).to_have_text("\u2013")
        await expect(doing(page, calls)).to_contain_text("nap(seconds=600)")
        await expect(doing(page, calls)).to_have_attribute("title", re.compile("nap"))
        await expect(tokens(page, calls)).to_have_text("1\u2009280")
        await expect(doing(page, done)).to_have_text("It is 42.")
        await expect(tokens(page, done)).to_have_text("120$0.0004")
        await expect(tokens(page, done)).to_have_attribute("title", "$0.00042")
        await expect(doing(page, stopped)).to_have_text("cancelled in step 1")
        await page.goto(f"/runs/{writes}")
        await expect(page.locator(".facts")).to_contain_text("\u2013 tokens")


async def test_buttons_name_their_keys(chromium: Browser, plain_page: Api) -> None:
    run = await everything(plain_page.journal)
    async with opened(chromium, str(plain_page.http.base_url)) as page:
        await page.goto(f"/runs/{run}")
        for name, key in (("Pause", "P"), ("Redirect", "R"), ("Cancel", "⇧ C"), ("Send", "Ctrl ↵")):
            button = page.get_by_role("button", name=name)
            await expect(button.locator("kbd")).to_have_text(key)
        await expect(page.get_by_role("button", name="Answer").locator("kbd")).to_have_text(
            "Ctrl ↵"
        )
        await page.goto(f"/inbox?item={run}%2Fapproval_2_0")
        for name, key in (("Approve", "A"), ("Deny", "D")):
            await expect(page.get_by_role("button", name=name).locator("kbd")).to_have_text(key)
        opens = page.get_by_role("link", name="Open the run")
        await expect(opens.locator("kbd")).to_have_text("↵")


async def test_the_inbox_tells_why_an_approval_is_asked_and_what_the_call_may_do(
    chromium: Browser, plain_page: Api
) -> None:
    run = await everything(plain_page.journal)
    async with opened(chromium, str(plain_page.http.base_url)) as page:
        await page.goto(f"/inbox?item={run}%2Fapproval_2_0")
        ask = page.locator(".ask")
        await expect(ask.locator(".why")).to_contain_text("because the arguments match its rule")
        await expect(ask.locator(".why")).to_contain_text("runs at most once")
        await ask.locator(".rule summary").click()
        await expect(ask.locator(".rule pre")).to_contain_text("required")
        await expect(page.locator(".inb.on small")).to_contain_text("runs at most once")
        await page.goto(f"/runs/{run}")
        await expect(page.locator(".ask .why").first).to_contain_text("runs at most once")


async def test_the_inbox_shows_the_results_that_the_model_had_when_it_asked(
    chromium: Browser, plain_page: Api
) -> None:
    run = await everything(plain_page.journal)
    calls = [
        ToolCall(call_id=f"call_{step}_0", name=f"look_{step}", arguments={})
        for step in range(1, 6)
    ]
    steps = [
        [begun(step), *said(step, "", [call]), *called(call, step, f"result {step}")]
        for step, call in enumerate(calls, 1)
    ]
    asks = approval(6, "pay", {"amount": 1}, parameters={}, why="always")
    long = await written(
        plain_page.journal, [*beginning("It looks around"), *chain(*steps), begun(6), asks]
    )
    async with opened(chromium, str(plain_page.http.base_url)) as page:
        await page.goto(f"/inbox?item={run}%2Fapproval_2_0")
        knew = page.locator(".readbody .calls .call")
        await expect(knew).to_have_count(1)
        await expect(knew.locator(".tries")).to_have_attribute("title", "2 attempts")
        await expect(knew.locator(".tries")).to_have_css("display", "flex")
        await knew.locator("summary").focus()
        await page.keyboard.press("Enter")
        await expect(knew.locator(".body")).to_contain_text("found: true")
        await page.goto(f"/inbox?item={long}%2Fapproval_6_0")
        await expect(knew.locator("b")).to_have_text([f"look_{step}" for step in range(2, 6)])
        await expect(page.get_by_role("heading", name="What it knew")).to_contain_text(
            "the newest 4 results"
        )


async def test_the_inbox_of_one_agent(chromium: Browser, plain_page: Api) -> None:
    """The choice is in the address, J and K stay within it, and an empty one says so."""
    started = RunQueued(agent="payer", model="m", title="Pay", submitted_at=datetime.now(UTC))
    asks = [approval(step, "pay", {"n": step}, parameters={}, why="always") for step in (1, 2)]
    run = await written(plain_page.journal, [fact(QUEUED_KEY, started), begun(1), *asks])
    await everything(plain_page.journal)
    async with opened(chromium, str(plain_page.http.base_url)) as page:
        await page.goto("/inbox")
        await expect(page.locator(".inb", has_text="assistant").first).to_be_visible()
        await page.get_by_role("combobox", name="Agent").select_option("payer")
        await expect(page.locator(".inb")).to_have_count(2)
        await expect(page.locator(".inb.on")).to_contain_text("n=1")
        await page.locator("h1", has_text="Inbox").click()
        await page.keyboard.press("j")
        await expect(page.locator(".inb.on")).to_contain_text("n=2")
        await page.reload()
        await expect(page.locator(".inb")).to_have_count(2)
        await expect(page.locator(".inb.on")).to_contain_text("n=2")
        assert "agent=payer" in page.url
        ends = fact("0/run/ended", RunCompleted(output="done"))
        await plain_page.journal.append(run, [ends])
        await expect(page.locator(".empty")).to_contain_text("Nothing from payer waits for you")
        await page.get_by_role("button", name="Show all agents").click()
        await expect(page.locator(".inb", has_text="assistant").first).to_be_visible()


async def test_a_simple_rule_is_said_in_words(chromium: Browser, plain_page: Api) -> None:
    over = {"properties": {"amount": {"exclusiveMinimum": 50}}}
    asks = approval(1, "refund", {"amount": 184.9}, parameters={}, why=over)
    run = await written(plain_page.journal, [*beginning("Refund it"), begun(1), asks])
    async with opened(chromium, str(plain_page.http.base_url)) as page:
        await page.goto(f"/runs/{run}")
        await expect(page.locator(".ask .why")).to_contain_text("asks because amount > 50.")
        await expect(page.locator(".ask .rule")).to_have_count(0)
        await expect(page.locator(".insp")).to_contain_text(f"relayline approve {run}")
        await page.locator(".insp").get_by_role("button", name="Close").click()
        await page.get_by_role("tab", name="Details").click()
        await page.get_by_role("tab", name="Timeline").click()
        await expect(page.locator(".hint")).to_be_visible()
        await expect(page.locator(".insp")).to_have_count(0)


async def test_a_long_reason_is_shown_whole(chromium: Browser, plain_page: Api) -> None:
    run = await everything(plain_page.journal, reason=REASON)
    async with opened(chromium, str(plain_page.http.base_url)) as page:
        await page.goto(f"/inbox?item={run}%2Fapproval_2_0")
        field = page.locator("[data-field=reason] textarea")
        await expect(field).to_have_value(REASON)
        assert await field.evaluate("it => it.scrollHeight <= it.clientHeight + 2")
        await expect(page.locator(".inb.on b")).to_have_attribute("title", re.compile("its report"))


async def test_the_head_of_a_run_takes_three_lines_of_a_phone(
    chromium: Browser, plain_page: Api
) -> None:
    run = await everything(plain_page.journal)
    async with opened(chromium, str(plain_page.http.base_url), narrow=True) as page:
        await page.goto(f"/runs/{run}")
        await expect(page.locator(".facts .pill")).to_have_text("Needs you")
        box = await page.locator(".head").bounding_box()
        assert box
        assert box["height"] <= MAX_HEAD_PX, box
        await page.get_by_role("button", name="Details").click()
        for word in ("assistant", "rehearsal", "docs", "4711"):
            await expect(page.locator(".det dl")).to_contain_text(word)
