"""A person's way through the page, in a real browser, on a whole stack."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Mapping

import pytest
from playwright.async_api import Browser, Locator, Page, expect

from relayline.contracts.envelope import NewEvent
from relayline.contracts.events import RunQueued
from relayline.contracts.keys import QUEUED_KEY
from relayline.contracts.principals import Scope
from tests.api.auth.keyed import issued
from tests.api.serving import Api, run_id
from tests.dev_stack import DevStack
from tests.projections.generated import NOW
from tests.web.chromium import opened

HOSTILE = (
    "<img src=x onerror='document.title=\"broken\"'><script>document.title='broken'</script> "
    "[click](javascript:alert(1)) [web](https://e.example/a?b) **bold** \u202egnp.exe"
)


def script(*items: Mapping[str, object]) -> str:
    return json.dumps({"rehearse": [*items]})


def status(page: Page) -> Locator:
    return page.locator(".facts .pill")


async def becomes(page: Page, word: str) -> None:
    await expect(status(page)).to_have_text(word)


@pytest.mark.representative
async def test_submit_watch_approve_with_a_change_and_read_the_end(page: Page) -> None:
    await page.goto("/")
    await expect(page).to_have_url(re.compile(r"/runs$"))
    await expect(page.locator(".connection")).to_contain_text("Live")
    await page.keyboard.press("n")
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Agent").select_option("frail")
    given = script(
        {"say": "I will **echo** it."}, {"call": "echo", "arguments": {"text": "one"}},
        {"say": "All done."},
    )  # fmt: skip
    await dialog.get_by_label("Input").fill(given)
    await dialog.get_by_label("Metadata").fill("team=docs")
    await dialog.get_by_role("button", name="Start").click()
    await expect(page).to_have_url(re.compile(r"/runs/run_[0-9a-f]{32}$"))
    await becomes(page, "Needs you")
    await expect(page.locator(".say").first).to_have_text("I will echo it.")
    await expect(page.locator(".nav .badge")).to_be_visible()
    await page.locator("[data-field=text] input").fill("two")
    await page.get_by_label("Note").fill("the other one")
    await page.get_by_role("button", name="Approve with 1 change").click()
    await becomes(page, "Completed")
    await expect(page.locator(".verdict")).to_contain_text("Approved echo")
    await expect(page.locator(".verdict")).to_contain_text("text=two text=one the other one")
    await expect(page.locator(".say").last).to_have_text("All done.")
    rows = page.locator(".wr b")
    later = rows.filter(has_not_text="queued")  # a run that hardly waited has no such row
    await expect(later).to_have_text(["Step 1", "echo", "approval", "Step 2"])
    await page.locator(".wr", has_text="echo").first.click()
    await expect(page.locator(".call[open] .kv", has_text="result")).to_contain_text("two")
    await page.get_by_role("tab", name="Events").click()
    await page.get_by_label("Filter events").fill("approval")
    await expect(page.locator(".ev .ty")).to_have_text(["approval.requested", "approval.resolved"])


async def test_a_run_is_steered_from_the_page(page: Page, stack: DevStack) -> None:
    run = await stack.submit({"tokens": 2000, "every_ms": 40}, {"say": "never"})
    await page.goto(f"/runs/{run}")
    await expect(page.locator(".say.live")).to_contain_text("5")
    await page.get_by_role("button", name="Pause", exact=True).click()
    await page.get_by_role("button", name="Pause now").click()
    await becomes(page, "Paused")
    await page.get_by_role("button", name="Resume").click()
    await becomes(page, "Running")
    await page.keyboard.press("r")
    later = script({"tokens": 2000, "every_ms": 40})
    await page.get_by_role("textbox", name="Redirect").fill(later)
    await page.keyboard.press("Control+Enter")
    await expect(page.locator(".it.user h3")).to_have_count(2)
    await expect(page.get_by_role("textbox", name="Redirect")).to_have_value("")
    await page.get_by_role("button", name="Cancel").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Reason").fill("enough")
    await dialog.get_by_role("button", name="Cancel the run").click()
    await becomes(page, "Cancelled")
    await expect(page.locator(".fin")).to_contain_text("enough")
    events = await stack.events(run)
    assert {"run.paused", "run.resumed", "run.cancelled"} <= {event["type"] for event in events}


async def test_a_question_is_answered_from_the_inbox(page: Page, stack: DevStack) -> None:
    asked = "Which colour shall it have?"
    run = await stack.submit(
        {"say": "One question."}, {"call": "ask_user", "arguments": {"question": asked}},
        {"say": "Thanks."}, agent="frail",
    )  # fmt: skip
    await page.goto("/runs")
    await page.keyboard.press("g")
    await page.keyboard.press("i")
    await page.locator(".inb", has_text=asked).click()
    await expect(page.locator(".boxed")).to_have_text("One question.")
    await page.get_by_label("Answer").fill("green")
    await page.get_by_role("button", name="Answer").click()
    await expect(page.locator(".inb", has_text=asked)).to_have_count(0)
    assert (await stack.ended(run))["status"] == "completed"


async def test_the_list_filters_and_shows_new_runs_by_itself(page: Page, stack: DevStack) -> None:
    mine = {"shop": stack.data_dir.name.replace(" ", "")}
    await page.goto(f"/runs?metadata.shop={mine['shop']}")
    await expect(page.locator(".empty")).to_contain_text("No run fits")
    first = await stack.submit({"say": "hello"}, metadata=mine)
    row = page.locator(f"[data-id={first}]")
    await expect(row).to_be_visible()
    await expect(row.get_by_role("img", name="Completed")).to_be_visible()
    await stack.ended(await stack.submit({"fail": 400}, metadata=mine))
    await expect(page.locator("a.rr")).to_have_count(2)
    await page.get_by_role("button", name="Failed").click()
    await expect(page).to_have_url(re.compile("status=failed"))
    await expect(page.locator("a.rr")).to_have_count(1)
    await expect(page.get_by_role("button", name="All")).to_contain_text("2")
    await page.go_back()
    await row.click()
    await becomes(page, "Completed")


async def test_what_a_model_or_a_tool_says_stays_text(page: Page, stack: DevStack) -> None:
    run = await stack.submit(
        {"think": HOSTILE}, {"say": HOSTILE},
        {"call": "stumble", "arguments": {"text": HOSTILE}}, {"say": "over"},
        agent="frail", metadata={"x": "<b>y</b>"},
    )  # fmt: skip
    await page.goto(f"/runs/{run}")
    await becomes(page, "Completed")
    feed = page.locator("#feed")
    said = feed.locator(".say").first
    await expect(said).to_contain_text("<img src=x onerror='document.title=\"broken\"'><script>")
    await expect(said).to_contain_text("[click](javascript:alert(1))")
    await expect(said.locator("a")).to_have_count(1)
    await expect(said.locator("a")).to_have_attribute("rel", "noopener noreferrer nofollow")
    await expect(said.locator("strong")).to_have_text("bold")
    await expect(feed.locator(".call code").first).to_contain_text("⟨U+202E⟩gnp.exe")
    await expect(page.locator(".tag", has_text="<b>y</b>")).to_be_visible()
    assert await page.locator("main img, main script, main iframe").count() == 0
    assert "broken" not in await page.title()


@pytest.mark.parametrize("narrow", [False, True], ids=["wide", "narrow"])
async def test_no_view_scrolls_sideways(chromium: Browser, stack: DevStack, narrow: bool) -> None:
    run = await stack.submit({"say": "word " * 300 + "x" * 900})
    await stack.ended(run)
    async with opened(chromium, stack.api_urls[0], narrow=narrow, dark=narrow) as page:
        for path in ("/runs", f"/runs/{run}", "/inbox", "/agents", "/system"):
            await page.goto(path)
            await expect(page.locator("main h1").first).to_be_visible()
            await expect(page.locator(".loading")).to_have_count(0)
            wide = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert wide <= 0, path
        theme = page.locator("html")
        await expect(theme).to_have_attribute("data-theme", "dark" if narrow else "light")


async def test_a_stream_that_breaks_is_told_and_read_on_where_it_stopped(
    page: Page, stack: DevStack
) -> None:
    run = await stack.submit({"tokens": 300, "every_ms": 20})
    await page.goto(f"/runs/{run}")
    await expect(page.locator(".say.live")).to_contain_text("w2")
    await page.route("**/v1/live?*", lambda route: route.abort())
    os.kill(stack.state["api"]["pid"], signal.SIGKILL)  # it is started again at once
    await expect(page.locator(".bar-note")).to_contain_text("Connection lost")
    await page.get_by_role("button", name="Try now").click()
    await page.unroute("**/v1/live?*")
    await becomes(page, "Completed")
    await expect(page.locator(".bar-note")).to_have_count(0)
    whole = next(e for e in await stack.events(run) if e["type"] == "message.completed")
    await expect(page.locator(".say")).to_have_text(whole["data"]["text"])


async def test_a_run_that_is_not_there_says_so(page: Page) -> None:
    await page.goto(f"/runs/run_{'0' * 32}")
    await expect(page.get_by_role("alert")).to_contain_text("No such run")
    await page.get_by_role("link", name="Back to runs").click()
    await expect(page).to_have_url(re.compile(r"/runs$"))
    await page.keyboard.press("?")
    await expect(page.get_by_role("dialog")).to_contain_text("Keyboard")
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_have_count(0)


@pytest.mark.slow
async def test_a_fifth_window_leaves_connections_free_and_still_tells_news(
    page: Page, stack: DevStack
) -> None:
    others = [page, *[await page.context.new_page() for _ in range(4)]]
    for number, one in enumerate(others):
        await one.goto("/runs")
        word = "Live" if number < 4 else "4 other windows are live"
        await expect(one.locator(".connection")).to_contain_text(word)
    run = await stack.submit({"say": "news"})
    await expect(others[-1].locator(f"[data-id={run}]")).to_be_visible()
    await page.close()
    await expect(others[-1].locator(".connection")).to_contain_text("Live")


async def test_a_key_opens_the_page_of_its_tenant_and_stands_in_no_address(
    chromium: Browser, keyed_page: Api
) -> None:
    key = await issued(keyed_page.journal, "blue", [Scope.RUNS_READ, Scope.AGENTS_READ])
    for tenant in ("blue", "green"):
        queued = RunQueued(
            agent="assistant", model="m", title=f"of {tenant}", submitted_at=NOW, tenant=tenant
        )
        await keyed_page.journal.append(run_id(), [NewEvent(key=QUEUED_KEY, body=queued)])
    url = f"http://{keyed_page.host}:{keyed_page.port}"
    async with opened(chromium, url) as page:
        seen: list[str] = []
        page.on("request", lambda request: seen.append(request.url))
        await page.goto("/runs")
        field = page.get_by_label("API key or access token")
        await field.fill("rl_test_wrong")
        await page.get_by_role("button", name="Sign in").click()
        await expect(page.get_by_role("alert")).to_be_visible()
        await field.fill(key.text)
        await page.get_by_role("button", name="Sign in").click()
        await expect(page.locator("a.rr")).to_have_text([re.compile("of blue")])
        await expect(page.get_by_role("button", name=re.compile("New run"))).to_have_count(0)
        assert seen
        assert not any(key.text in one for one in seen)
        await page.reload()
        await expect(page.locator("a.rr")).to_have_count(1)
        await page.get_by_title(re.compile("sign out")).click()
        await expect(field).to_be_visible()
        await page.reload()
        await expect(field).to_be_visible()
