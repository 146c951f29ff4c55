"""Another future of a run, from the page: shown where the server can fork, with edited results."""

from __future__ import annotations

import json
from typing import Any

import pytest
from playwright.async_api import Browser, Page, Route, expect

from tests.api.serving import Api
from tests.dev_stack import DevStack
from tests.web.chromium import opened
from tests.web.promises.test_access import checked_in_every_shape
from tests.web.scenes import everything

pytestmark = pytest.mark.slow


async def forking(page: Page, run: str) -> list[dict[str, Any]]:
    """What is asked of a server that can fork; the fork has the id of the run itself."""
    asked: list[dict[str, Any]] = []

    async def view(route: Route) -> None:
        answer = await route.fetch()
        await route.fulfill(response=answer, json={**await answer.json(), "forked_from": None})

    async def fork(route: Route) -> None:
        asked.append(json.loads(route.request.post_data or ""))
        assert await route.request.header_value("Idempotency-Key")
        await route.fulfill(status=202, json={"run_id": run})

    await page.route(f"**/v1/runs/{run}", view)
    await page.route(f"**/v1/runs/{run}/fork", fork)
    return asked


async def test_a_fork_begins_at_a_step_with_another_result(
    chromium: Browser, plain_page: Api
) -> None:
    run = await everything(plain_page.journal)
    async with opened(chromium, str(plain_page.http.base_url)) as page:
        asked = await forking(page, run)
        await page.goto(f"/runs/{run}")
        await page.locator("[data-row=step-2]").click()
        await page.get_by_role("button", name="Fork from step 2").click()
        form = page.get_by_role("form", name="Fork from step 2")
        await form.locator("summary", has_text="look").click()
        await form.get_by_label("Result of look").fill("nothing at all")
        await form.get_by_label("Model").fill("another")
        await checked_in_every_shape(page)
        await form.get_by_role("button", name="Fork").click()
        await expect(page).to_have_url(f"{plain_page.http.base_url}/runs/{run}")
    edits = [{"call_id": "call_1_0", "output": "nothing at all"}]
    assert asked == [{"from_step": 2, "edits": edits, "model": "another"}]


async def test_a_server_that_can_not_fork_is_not_asked_to(
    chromium: Browser, plain_page: Api
) -> None:
    run = await everything(plain_page.journal)

    async def older(route: Route) -> None:
        answer = await route.fetch()
        known = {**await answer.json()}
        del known["forked_from"]
        await route.fulfill(response=answer, json=known)

    async with opened(chromium, str(plain_page.http.base_url)) as page:
        await page.route(f"**/v1/runs/{run}", older)
        async with page.expect_response(f"**/v1/runs/{run}"):
            await page.goto(f"/runs/{run}")
        await page.locator("[data-row=step-2]").click()
        await expect(page.get_by_role("region", name="The picked bar")).to_contain_text("Tokens")
        await expect(page.get_by_role("button", name="Fork from step 2")).to_have_count(0)


async def test_a_fork_tells_where_it_comes_from(page: Page, stack: DevStack) -> None:
    sums = {"call": "calculate", "arguments": {"expression": "6*7"}}
    run = await stack.submit(sums, {"say": "It is done."})
    await stack.ended(run)
    await page.goto(f"/runs/{run}")
    await page.locator("[data-row=step-2]").click()
    await page.get_by_role("button", name="Fork from step 2").click()
    form = page.get_by_role("form", name="Fork from step 2")
    await form.locator("summary", has_text="calculate").click()
    await expect(form.get_by_label("Result of calculate")).to_have_value("42")
    await form.get_by_label("Result of calculate").fill("forty-three")
    await form.get_by_role("button", name="Fork").click()

    feed = page.get_by_role("log", name="Transcript")
    await expect(feed).to_contain_text(f"Fork of {run} from step 2")
    fork = page.url.rpartition("/")[2]
    assert fork != run
    await expect(page.locator(".facts .pill")).to_have_text("Completed")
    await expect(page.get_by_role("form")).to_have_count(0)
    await feed.locator("summary", has_text="calculate").click()
    await expect(feed.locator(".kv", has_text="result")).to_contain_text("forty-three")
    view = (await stack.client.get(f"/v1/runs/{fork}")).json()
    assert view["forked_from"]["run_id"] == run
    await page.get_by_role("tab", name="Details").click()
    counted = page.locator(".lim", has_text="steps").locator("b")
    await expect(counted).to_have_text("1")
    await expect(page.locator(".kvs")).to_contain_text("Taken over")
    await expect(page.locator(".kvs").get_by_role("link", name=run)).to_be_visible()
    await feed.get_by_role("link", name="open it").click()
    await expect(page).to_have_url(f"{stack.api_urls[0]}/runs/{run}")
    await expect(feed).to_contain_text("It is done.")
    await expect(feed).not_to_contain_text("Fork of")
