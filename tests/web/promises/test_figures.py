"""What the page costs: files, elements, memory, and frames of a list that changes all the time."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import pytest
from playwright.async_api import Browser, CDPSession, Page, expect

from relayline.api.web.assets import FOLDER, VIEWS
from relayline.contracts.envelope import NewEvent
from relayline.contracts.events import MessageDelta, RunCompleted
from tests.api.serving import Api
from tests.web.chromium import opened
from tests.web.scenes import beginning, begun, every_kind, fact, said, written

pytestmark = pytest.mark.slow
_log = logging.getLogger(__name__)
MANY = 11_542
"""Events of a long run."""
MAX_NODES = 3_000
MAX_HEAP = 40_000_000
RUNS = 1_000
CHANGES_S = 20
MINUTES = 10
MOMENTS = 8
ASKING = (92_000, 50)
"""Bytes and files of code until a person can decide what a run asks."""
LOADED = f"""() => performance.getEntriesByType("resource")
  .filter((it) => it.name.includes("{FOLDER}/")).map((it) => [it.name, it.encodedBodySize])"""
FOLDING = """async ([path, events]) => {
  const { applyEvents, emptyRun } = await import(path);
  const took = (many, size) => {
    const run = emptyRun();
    const began = performance.now();
    for (let at = 0; at < many; at += size) applyEvents(run, events.slice(at, at + size));
    return performance.now() - began;
  };
  took(events.length, events.length);
  return {
    whole: took(events.length, events.length),
    tenth: took(events.length / 10, events.length),
    batches: took(events.length, 20),
  };
}"""


async def heap(session: CDPSession) -> int:
    """Bytes that JavaScript holds."""
    await session.send("HeapProfiler.collectGarbage")
    usage = await session.send("Runtime.getHeapUsage")
    return int(usage["usedSize"])


async def least_heap(session: CDPSession) -> int:
    """The least of some moments: what a frame has just brought is soon gone."""
    found = []
    for _ in range(MOMENTS):
        found.append(await heap(session))
        await asyncio.sleep(1)
    return min(found)


async def long_run(api: Api, events: int) -> str:
    """A run of ten steps with so many events."""
    written_events = beginning("A long one")
    for step in range(1, 11):
        pieces = [
            NewEvent(body=MessageDelta(text=f"w{number} "), step=step, attempt=1)
            for number in range((events - 4) // 10 - 2)
        ]
        text = "".join(it.body.text for it in pieces if isinstance(it.body, MessageDelta))
        written_events += [begun(step), *pieces, *said(step, text)]
    missing = events - len(written_events)
    written_events += [begun(11 + number) for number in range(missing)]
    return await written(api.journal, written_events)


async def loaded(page: Page) -> dict[str, int]:
    """The size, packed, of each file that the page has loaded."""
    sizes = await page.evaluate(LOADED)
    return {f"{FOLDER}/{it.partition(FOLDER + '/')[2]}": size for it, size in sizes}


@pytest.mark.parametrize("path", sorted({*VIEWS} - {"/"}))
async def test_a_page_loads_nothing_that_it_has_not_named(
    chromium: Browser, plain_page: Api, path: str
) -> None:
    await every_kind(plain_page.journal)
    run = await written(plain_page.journal, [*beginning("It writes"), begun(1)])
    async with opened(chromium, str(plain_page.http.base_url)) as page:
        answer = await page.goto(path.replace("{run_id}", run))
        assert answer
        named = {*re.findall(rf'"({FOLDER}/[^"]+)"', await answer.text())}
        await expect(page.locator("main h1:visible").first).to_be_visible()
        await expect(page.locator(".connection")).to_contain_text("Live")
        found = {*await loaded(page)}
        assert {it for it in found - named if not it.endswith(".woff2")} == set()
        assert {it for it in named - found if it.endswith(".js")} == set()


async def test_a_run_that_asks_a_person_loads_little_more(
    chromium: Browser, plain_page: Api
) -> None:
    """It is more than the page has named: all of it counts."""
    run = await every_kind(plain_page.journal)
    async with opened(chromium, str(plain_page.http.base_url)) as page:
        await page.goto(f"/runs/{run}")
        await expect(page.locator(".ask")).to_have_count(2)
        code = {
            it: size for it, size in (await loaded(page)).items() if it.endswith((".js", ".css"))
        }
        assert 0 < sum(code.values()) <= ASKING[0], code
        assert len(code) <= ASKING[1], sorted(code)


async def test_a_long_run_takes_few_elements_and_little_memory(
    chromium: Browser, plain_page: Api
) -> None:
    run = await long_run(plain_page, MANY)
    async with opened(chromium, str(plain_page.http.base_url)) as page:
        session = await page.context.new_cdp_session(page)
        await page.goto(f"/runs/{run}")
        await page.get_by_role("tab", name="Events").click()
        await page.get_by_role("button", name="Read all").click()
        await expect(page.locator(".tabs em")).to_have_text("11\u2009542")
        await page.get_by_role("button", name="facts only").click()
        await expect(page.locator(".evfoot")).to_contain_text("everything, exactly once")
        await expect(page.locator(".ev .q").last).to_have_text(str(MANY))
        nodes = await page.evaluate("document.querySelectorAll('*').length")
        used = await heap(session)
        _log.info("%d elements, %.1f MB", nodes, used / 1e6)
        assert nodes < MAX_NODES
        assert used < MAX_HEAP


@pytest.mark.soak
async def test_a_fold_takes_as_long_as_its_events_and_batches_cost_little(
    chromium: Browser, plain_page: Api
) -> None:
    run = await long_run(plain_page, 10_000)
    url = f"/v1/runs/{run}/events"
    events: list[Any] = []
    while page_of := (await plain_page.http.get(url, params={"after": len(events)})).json()[
        "events"
    ]:
        events += page_of
    async with opened(chromium, str(plain_page.http.base_url)) as page:
        await page.goto("/runs")
        root = next(iter(await loaded(page))).partition("/style/")[0].rpartition("/")[0]
        took = await page.evaluate(FOLDING, [f"{root}/model/run.js", events])
    _log.info("%s", json.dumps(took))
    assert took["whole"] < 30 * max(took["tenth"], 0.5)
    assert took["batches"] < 5 * max(took["whole"], 1)


@asynccontextmanager
async def changing(api: Api, runs: list[str]) -> AsyncIterator[list[int]]:
    """A run starts, steps or ends, so many times a second; how many have so far."""
    random, count, steps = Random(1), [0], dict.fromkeys(runs, 0)  # noqa: S311

    async def change() -> None:
        while True:
            run = random.choice([*steps])
            steps[run] += 1
            event = begun(steps[run])
            if steps[run] > 30:
                event = fact("0/run/ended", RunCompleted(output="done"))
                del steps[run]
                steps[await written(api.journal, beginning(f"Run {count[0]}"))] = 0
            await api.journal.append(run, [event])
            count[0] += 1
            await asyncio.sleep(1 / CHANGES_S)

    task = asyncio.create_task(change())
    try:
        yield count
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def traced(chromium: Browser, page: Page, seconds: float) -> list[tuple[float, float]]:
    """Processor time and duration, as ms, of each task of the page meanwhile; longest last."""
    await chromium.start_tracing(page=page, categories=["toplevel"])
    await asyncio.sleep(seconds)
    events = json.loads(await chromium.stop_tracing())["traceEvents"]
    pages = {
        (it["pid"], it["tid"])
        for it in events
        if it["name"] == "thread_name" and it["args"]["name"] == "CrRendererMain"
    }
    return sorted(
        (it.get("tdur", 0) / 1000, it["dur"] / 1000)
        for it in events
        if it["ph"] == "X" and (it["pid"], it["tid"]) in pages and "RunTask" in it["name"]
    )


async def whole_list(page: Page, runs: int = RUNS) -> None:
    """Show so many runs."""
    rows = page.locator("a.rr")
    await expect(rows.first).to_be_attached()
    while await rows.count() < runs:
        many = await rows.count()
        await page.get_by_role("button", name="Show older runs").click()
        await expect(rows.nth(many)).to_be_attached()


@pytest.mark.soak
@pytest.mark.parametrize("slower", [1, 4], ids=["as-it-is", "four-times-slower"])
@pytest.mark.timeout(1_800)
async def test_a_list_of_a_thousand_runs_stays_smooth_and_small(
    chromium: Browser, plain_page: Api, slower: int
) -> None:
    """No task of the page takes the processor longer than a frame may last, and the heap is flat.

    On a busy machine a task may last longer: it is not always its turn.
    """
    runs = [await written(plain_page.journal, beginning(f"Run {n}")) for n in range(RUNS)]
    async with opened(chromium, str(plain_page.http.base_url)) as page:
        session = await page.context.new_cdp_session(page)
        await page.goto("/runs")
        await whole_list(page)
        await session.send("Emulation.setCPUThrottlingRate", {"rate": slower})
        async with changing(plain_page, runs) as count:
            await asyncio.sleep(20)
            before = await least_heap(session)
            tasks = await traced(chromium, page, 60 * MINUTES)
            after = await least_heap(session)
            assert await page.evaluate("document.querySelectorAll('*').length") < MAX_NODES
        longest, lasted = [round(it[0]) for it in tasks[-9:]], round(max(it[1] for it in tasks))
        _log.info(
            "%d changes, %d tasks; the longest took %s ms of the processor, and one lasted %d; "
            "heap %d → %d", count[0], len(tasks), longest, lasted, before, after,
        )  # fmt: skip
        assert len(tasks) > MINUTES * 60
        assert tasks[-1][0] < 50 * slower
        assert after < before * 1.2 + 2_000_000
