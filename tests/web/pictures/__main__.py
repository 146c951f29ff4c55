"""`make shots`: pictures of the page for README and docs, from real runs of a whole stack."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

from playwright.async_api import Browser, Page, expect

from tests.dev_stack import DevStack
from tests.web.chromium import browser, opened
from tests.web.page_files import ROOT
from tests.web.pictures.agents import MODULE
from tests.web.pictures.model import serving
from tests.web.pictures.story import ESPRESSO, OTHERS, Asked

PICTURES = ROOT / "docs" / "pictures"
WIDE = {"width": 1280, "height": 660}
PHONE = {"width": 390, "height": 720}
MAX_BYTES = 320_000
"""Of all pictures together."""
NAME = "relayline.name"


async def main() -> None:
    """Write all pictures; says how large they are."""
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="relayline-pictures-") as folder:
        async with serving() as url, browser() as chromium:
            settings = {
                "RELAYLINE_CATALOG": MODULE,
                "RELAYLINE_COMPATIBLE_BASE_URL": url,
                "RELAYLINE_PRICES": "compatible:atlas-2=3/15",
            }
            async with DevStack(Path(folder), **settings) as stack:
                await taken(chromium, stack)
    sizes = {path.name: path.stat().st_size for path in sorted(PICTURES.glob("*.png"))}
    sys.stdout.write(f"{sizes}, {sum(sizes.values())} bytes together\n")
    if sum(sizes.values()) > MAX_BYTES:
        sys.exit(f"the pictures have more than {MAX_BYTES} bytes")


async def submitted(stack: DevStack, asked: Asked) -> str:
    body = {"agent": asked.agent, "input": asked.text, "metadata": asked.metadata}
    answer = await stack.client.post("/v1/runs", json=body)
    answer.raise_for_status()
    return str(answer.json()["run_id"])


async def taken(chromium: Browser, stack: DevStack) -> None:
    """Run everything, and look at it."""
    [parcel, draft, notes, promise, nightly, compare] = [
        await submitted(stack, asked) for asked in OTHERS
    ]
    await stack.send(compare, "pause", by="ann", now=True)
    for run in (parcel, promise):
        await stack.ended(run)
    await stack.seen(notes, "approval.requested")
    await stack.seen(draft, "input.requested")
    await stack.seen(nightly, "tool.started")
    espresso = await submitted(stack, ESPRESSO)
    await stack.seen(espresso, "approval.requested")
    await asyncio.sleep(20)  # so that bars of waiting have a length
    async with opened(chromium, stack.api_urls[0]) as page:
        await named(page)
        await page.goto(f"/runs/{espresso}")
        await expect(page.locator(".ask")).to_be_visible()
        await shot(page, "run-light")
        await page.goto("/runs")
        await expect(page.locator("a.rr")).to_have_count(1 + len(OTHERS))
        await shot(page, "runs-light")
    async with opened(chromium, stack.api_urls[0], narrow=True, dark=True) as page:
        await named(page)
        await page.goto(f"/runs/{espresso}")
        await page.locator(".ask").scroll_into_view_if_needed()
        await shot(page, "phone-dark", PHONE)


async def named(page: Page) -> None:
    await page.add_init_script(f"localStorage.setItem('{NAME}', 'ann')")


async def shot(page: Page, name: str, size: dict[str, int] = WIDE) -> None:
    """A picture of what is shown once it is live."""
    await page.set_viewport_size(size)  # type: ignore[arg-type]
    await expect(page.locator(".loading")).to_have_count(0)
    await page.evaluate("document.fonts.ready.then(() => 1)")
    await asyncio.sleep(1)  # the first frames of every kind are in
    await page.screenshot(path=PICTURES / f"{name}.png")


if __name__ == "__main__":
    asyncio.run(main())
