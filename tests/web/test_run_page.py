"""What the run page shows beside the transcript, what it leaves out, and the page of the system."""

from __future__ import annotations

import re

from playwright.async_api import Page, expect

from tests.dev_stack import DevStack
from tests.web.chromium import PATIENCE_MS

expect.set_options(timeout=PATIENCE_MS)


async def test_a_picked_bar_tells_arguments_result_times_and_the_command(
    page: Page, stack: DevStack
) -> None:
    run = await stack.submit(
        {"say": "Working."}, {"call": "echo", "arguments": {"text": "one"}}, {"say": "Done."},
        agent="frail",
    )  # fmt: skip
    await page.goto(f"/runs/{run}")
    bar = page.locator(".wr", has_text="approval")
    await bar.click()
    picked = page.get_by_role("region", name="The picked bar")
    await expect(picked.locator("h3")).to_have_text("approval")
    await expect(picked.locator(".term")).to_contain_text(f"relayline approve {run} approval_1_0")
    await expect(picked.locator(".kv", has_text="arguments")).to_contain_text('"one"')
    await page.get_by_role("button", name=re.compile("^Approve")).first.click()
    await expect(page.locator(".facts .pill")).to_have_text("Completed")
    await bar.focus()
    await page.keyboard.press("ArrowUp")
    await expect(picked.locator("h3")).to_have_text("echo")
    await expect(picked.locator(".kv", has_text="result")).to_contain_text("one")
    await expect(picked.locator(".term")).to_contain_text(f"/v1/runs/{run}/events?after=")
    await page.keyboard.press("ArrowUp")
    await expect(picked.locator("h3")).to_have_text("Step 1")
    await expect(picked.locator("dl")).to_contain_text("Tokens")
    await picked.get_by_role("button", name="Close").click()
    await expect(picked).to_have_count(0)


async def test_deltas_of_ended_steps_are_read_only_when_somebody_asks(
    page: Page, stack: DevStack
) -> None:
    run = await stack.submit({"tokens": 60, "every_ms": 1}, {"think": "Hm."}, {"say": "Over."})
    await stack.ended(run)
    whole = await stack.events(run)
    facts = [event for event in whole if not event["type"].endswith(".delta")]
    assert len(whole) > len(facts) + 1
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    await page.goto(f"/runs/{run}")
    await expect(page.locator(".facts .pill")).to_have_text("Completed")
    said = [event["data"]["text"] for event in whole if event["type"] == "message.completed"]
    await expect(page.locator(".say")).to_have_text(said)
    assert any("deltas=open" in url for url in asked)
    count = page.get_by_role("tab", name="Events").locator("em")
    await expect(count).to_have_text(str(len(facts)))
    await page.get_by_role("tab", name="Events").click()
    await expect(page.locator(".evfoot")).to_contain_text("deltas of ended steps are not read")
    await page.get_by_role("button", name="Read all").click()
    await expect(count).to_have_text(str(len(whole)))
    await expect(page.locator(".say")).to_have_text(said)
    await expect(page.locator(".think")).to_have_count(1)


async def test_the_list_shows_the_line_and_what_came_of_each_run(
    page: Page, stack: DevStack
) -> None:
    label = {"line": stack.data_dir.name.replace(" ", "")}
    done = await stack.submit({"tokens": 30, "every_ms": 5}, metadata=label)
    waits = await stack.submit(
        {"call": "echo", "arguments": {"text": "one"}}, {"say": "x"}, agent="frail", metadata=label
    )
    await stack.ended(done)
    await page.goto(f"/runs?metadata.line={label['line']}")
    row = page.locator(f"[data-id={done}]")
    await expect(row.locator(".c-l .k-model")).to_have_count(1)
    await expect(row.locator(".c-l .open")).to_have_count(0)
    await expect(row.locator(".c-d")).to_contain_text(re.compile(r"w1 w2|word|1"))
    other = page.locator(f"[data-id={waits}]")
    await expect(other.locator(".c-l .k-wait.open")).to_have_count(1)
    await expect(other.locator(".c-d")).to_contain_text("approve")
    listed = await stack.client.get("/v1/runs", params={"metadata.line": label["line"]})
    items = {run["run_id"]: run for run in listed.json()["runs"]}
    assert items[done]["now"]["kind"] == "said"
    assert items[waits]["now"]["kind"] == "wait"
    assert items[waits]["line"][-1][2] is None
    assert items[done]["line"][-1][0] == "model"


async def test_the_system_is_shown_with_its_parts_and_workers(page: Page, stack: DevStack) -> None:
    await page.goto("/runs")
    await page.keyboard.press("g")
    await page.keyboard.press("s")
    await expect(page).to_have_url(re.compile(r"/system$"))
    parts = page.get_by_role("region", name="Parts")
    await expect(parts.locator("tr")).to_have_text(["journalok", "temporalok", "namespaceok"])
    workers = page.get_by_role("region", name="Workers")
    await expect(workers.locator("tbody tr").first).to_contain_text("@")
    await expect(workers.locator("tbody tr").first).to_contain_text("runs, models, tools")
    await expect(page.get_by_role("region", name="Server")).to_contain_text("rehearsal")
    assert (await stack.client.get("/v1/system")).json()["status"] == "ok"


async def test_agents_show_their_tools(page: Page) -> None:
    await page.goto("/agents")
    agent = page.locator(".agent", has=page.get_by_role("heading", name="frail"))
    tool = agent.locator(".tool", has_text="echo").first
    await expect(tool).to_contain_text("always asks")
    await tool.locator("summary").click()
    await expect(tool.locator(".body")).to_contain_text("properties: {")


async def test_the_border_beside_the_transcript_moves_and_stays(
    page: Page, stack: DevStack
) -> None:
    run = await stack.submit({"say": "hello"})
    await page.goto(f"/runs/{run}")
    right = page.locator(".right")
    border = page.get_by_role("separator")
    await expect(border).to_be_visible()
    before = await right.evaluate("it => it.clientWidth")
    await border.focus()
    await page.keyboard.press("ArrowLeft")
    await expect(border).not_to_have_attribute("aria-valuenow", "43")
    after = await right.evaluate("it => it.clientWidth")
    assert 20 < after - before < 60
    await page.reload()
    await expect(page.locator(".right")).to_be_visible()
    assert abs(await right.evaluate("it => it.clientWidth") - after) <= 1
