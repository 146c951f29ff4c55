"""Files and pictures on the page: attached, uploaded, seen, saved, and never run."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, FilePayload, Locator, Page, expect
from temporalio.client import Client

from relayline.contracts.events import ToolCompleted, UserMessageEvent
from relayline.contracts.files.parts import FilePart, TextPart
from relayline.contracts.messages import ToolCall
from relayline.contracts.principals import Scope
from relayline.journal.sqlite.journal import SqliteJournal
from relayline.runtime.settings import Settings
from tests.api.auth.keyed import bearer, issued
from tests.api.files.uploading import png, uploaded
from tests.api.serving import Api, serving
from tests.dev_stack import DevStack
from tests.web.chromium import PATIENCE_MS, opened
from tests.web.promises.test_access import checked_in_every_shape, tab_to
from tests.web.scenes import approval, beginning, begun, fact, said, written
from tests.web.test_browser import becomes, script

expect.set_options(timeout=PATIENCE_MS)
SVG = (
    b'<svg xmlns="http://www.w3.org/2000/svg" onload="window.broken=1">'
    b"<script>window.broken=1</script></svg>"
)
HTML = b"<html><script>window.broken=1</script>"
HOSTILE = '"><img src=x onerror=window.broken=1>\u202egnp.exe'
MAX_BYTES = 2_000
FILES = """(files) => {
  const data = new DataTransfer();
  for (const [name, type, text] of files) data.items.add(new File([text], name, { type }));
  return data;
}"""
PASTE = """(it, clipboardData) => it.dispatchEvent(
  new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }))"""
REVOKED = """(() => {
  const revoke = URL.revokeObjectURL.bind(URL);
  window.revoked = [];
  URL.revokeObjectURL = (url) => { window.revoked.push(url); revoke(url); };
})()"""


def given(name: str, data: bytes, media_type: str = "") -> FilePayload:
    """A file as Playwright picks it."""
    return {"name": name, "mimeType": media_type, "buffer": data}


def read(path: Path) -> bytes:
    return path.read_bytes()


def chip(page: Page, name: str) -> Locator:
    return page.locator(".attached", has=page.locator("b", has_text=name))


async def drawn(picture: Locator) -> None:
    """Wait until the browser has decoded it, from bytes that the page holds."""
    await expect(picture).to_have_attribute("src", re.compile("^blob:"))
    await expect(picture).to_have_js_property("naturalWidth", 1)


async def new_run(page: Page) -> Locator:
    await page.goto("/runs")
    await expect(page.locator(".connection")).to_contain_text("Live")
    await page.keyboard.press("n")
    dialog = page.get_by_role("dialog")
    await expect(dialog.locator(".attach small")).to_contain_text("PNG")
    return dialog


async def test_a_picture_is_attached_sent_seen_and_saved(page: Page, stack: DevStack) -> None:
    dialog = await new_run(page)
    await expect(dialog.locator(".attach small")).to_contain_text("at most 32 MiB")
    await dialog.get_by_label("Agent").select_option("frail")
    await dialog.get_by_label("Input").fill(script({"say": "I see."}))
    picked = [given("dot.png", png(), "image/png"), given("one.svg", SVG, "image/svg+xml")]
    await page.locator("input[type=file]").set_input_files([*picked, given("x.txt", b"gone")])
    await expect(chip(page, "dot.png")).to_contain_text("image/png · ")
    await expect(chip(page, "one.svg")).to_contain_text("text/plain · ")
    await page.get_by_role("button", name="Remove x.txt").click()
    await expect(page.locator(".attached")).to_have_count(2)
    await expect(dialog.get_by_role("button", name="Attach files")).to_be_focused()
    await dialog.get_by_role("button", name="Start").click()
    await becomes(page, "Completed")
    run = page.url.rpartition("/")[2]
    [told] = [event["data"] for event in await stack.events(run) if "parts" in event["data"]]
    kinds = [(part["type"], part.get("name")) for part in told["parts"]]
    assert kinds == [("text", None), ("image", "dot.png"), ("file", "one.svg")]
    await drawn(page.locator(".bubble .thumb img"))
    await expect(page.locator(".bubble img")).to_have_count(1)
    await page.get_by_role("button", name="Open dot.png").click()
    large = page.get_by_role("dialog", name="dot.png")
    await drawn(large.locator("img"))
    async with page.expect_download() as saving:
        await large.get_by_role("button", name="Download").click()
    saved = await saving.value
    assert saved.suggested_filename == "dot.png"
    assert read(await saved.path()) == png()
    await page.keyboard.press("Escape")
    await expect(large).to_have_count(0)
    await sent_again(page, run)


async def sent_again(page: Page, run: str) -> None:
    """Run again has the files of the run."""
    await page.get_by_role("button", name="Run again").click()
    await expect(page.locator(".attached b")).to_have_text(["dot.png", "one.svg"])
    await page.get_by_role("dialog").get_by_role("button", name="Start").click()
    await expect(page).not_to_have_url(re.compile(run))
    await becomes(page, "Completed")
    await drawn(page.locator(".bubble .thumb img"))


@pytest.mark.slow
async def test_a_file_goes_with_a_message_without_a_mouse(page: Page, stack: DevStack) -> None:
    run = await stack.submit({"say": "Hello."}, open=True)
    await page.goto(f"/runs/{run}")
    await becomes(page, "Idle")
    attach = page.get_by_role("button", name="Attach files")
    await tab_to(page, attach)
    async with page.expect_file_chooser() as choosing:
        await page.keyboard.press("Enter")
    await (await choosing.value).set_files(given("dot.png", png(), "image/png"))
    await expect(chip(page, "dot.png")).to_contain_text("image/png · ")
    await page.get_by_role("textbox", name="Message").focus()
    await page.keyboard.insert_text(script({"say": "A dot."}))
    await page.keyboard.press("Control+Enter")
    await expect(page.locator(".say").last).to_have_text("A dot.")
    await expect(page.locator(".attached")).to_have_count(0)
    await drawn(page.get_by_role("group", name="Turn 2").locator(".thumb img"))


@pytest.fixture(scope="module")
async def small(page_journal: SqliteJournal, nowhere: Client) -> AsyncIterator[Api]:
    """An API that takes small files only."""
    settings = Settings(max_file_bytes=MAX_BYTES)
    async with serving(settings, page_journal, nowhere) as served:
        yield served


async def paste(field: Locator, name: str, text: str) -> None:
    """Paste a file with a text, as other programs copy them."""
    data = await field.page.evaluate_handle(FILES, [[name, "image/png", "no picture"]])
    await data.evaluate("(it, text) => it.setData('text/plain', text)", text)
    await field.evaluate(PASTE, data)


@pytest.mark.slow
async def test_what_can_not_be_sent_is_said_by_name_and_keeps_the_rest(
    chromium: Browser, small: Api
) -> None:
    async with opened(chromium, str(small.http.base_url)) as page:
        sent: list[str] = []
        page.on("request", lambda request: sent.append(f"{request.method} {request.url}"))
        dialog = await new_run(page)
        await dialog.get_by_label("Input").fill("Look")
        await expect(dialog.locator(".attach small")).to_contain_text("at most 2 KiB")
        wrong = [
            ["large.png", "image/png", "x" * (MAX_BYTES + 1)],
            ["a.zip", "application/zip", "PK"],
            ["empty.txt", "text/plain", ""],
        ]
        await dialog.locator("form").dispatch_event(
            "drop", {"dataTransfer": await page.evaluate_handle(FILES, wrong)}
        )
        await expect(chip(page, "large.png")).to_contain_text("at most 2 KiB")
        await expect(chip(page, "a.zip")).to_contain_text("a.zip is application/zip")
        await expect(chip(page, "empty.txt")).to_contain_text("empty.txt is empty")
        start = dialog.get_by_role("button", name="Start")
        await expect(start).to_be_disabled()
        assert not [one for one in sent if one.startswith("POST") and "/v1/files" in one]
        await paste(dialog.get_by_label("Input"), "cells.png", "1\t2")
        await paste(dialog.get_by_label("Input"), "image.png", "image.png")
        await expect(chip(page, "image.png")).to_contain_text("text/plain")
        await expect(chip(page, "cells.png")).to_have_count(0)
        await page.locator("input[type=file]").set_input_files(given("b.bin", b"\0\1\2"))
        await expect(chip(page, "b.bin")).to_contain_text("b.bin is application/octet-stream")
        await checked_in_every_shape(page)
        for name in ("large.png", "a.zip", "empty.txt", "b.bin"):
            await dialog.get_by_role("button", name=f"Remove {name}").click()
        await expect(start).to_be_enabled()
        await page.route("**/v1/files?*", lambda route: route.abort())
        await page.locator("input[type=file]").set_input_files(given("late.txt", b"late"))
        await expect(chip(page, "late.txt").get_by_role("alert")).to_contain_text(
            "late.txt can't be uploaded"
        )
        await page.unroute("**/v1/files?*")
        await chip(page, "late.txt").get_by_role("button", name="Try again").click()
        await expect(chip(page, "late.txt")).to_contain_text("text/plain · 4 bytes")
        await expect(start).to_be_enabled()


def with_files(*files: FilePart, steps: int = 1) -> list[Any]:
    """A run whose input names the files, and of whose tools each returned the first."""
    events = beginning("Look at these")
    parts = (TextPart(text="Look at these"), *files)
    events[-1] = fact("0/message/0", UserMessageEvent(text="Look at these", parts=parts))
    for step in range(1, steps + 1):
        call = ToolCall(call_id=f"call_{step}_0", name="plot", arguments={})
        ended = ToolCompleted(call_id=call.call_id, name="plot", output="[image]", files=files[:1])
        events += [begun(step), *said(step, "I draw.", [call])]
        events.append(fact(f"0/call/{call.call_id}/result", ended, step, 1))
    return events


@pytest.mark.slow
async def test_pictures_come_with_the_key_near_what_is_seen_and_go(
    chromium: Browser, keyed_page: Api
) -> None:
    scopes = [Scope.RUNS_READ, Scope.RUNS_WRITE, Scope.AGENTS_READ]
    key = await issued(keyed_page.journal, "of-files", scopes)
    file = await uploaded(keyed_page, png(), "image/png", bearer(key), name="dot.png")
    part = FilePart(type="image", file_id=file, name="dot.png", media_type="image/png", size=70)
    events = with_files(part, steps=30)
    events[0] = events[0].model_copy(
        update={"body": events[0].body.model_copy(update={"tenant": "of-files"})}
    )
    run = await written(keyed_page.journal, events)
    async with opened(chromium, f"http://{keyed_page.host}:{keyed_page.port}") as page:
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        await page.add_init_script(REVOKED)
        await page.goto(f"/runs/{run}")
        await page.get_by_label("API key or access token").fill(key.text)
        await page.get_by_role("button", name="Sign in").click()
        await expect(page.locator(".it.step")).to_have_count(30)
        await drawn(page.locator(".calls .thumb img").last)
        reads = [one for one in asked if "/v1/files/" in one]
        assert 0 < len(reads) < 25
        assert not any(key.text in one for one in asked)
        await expect(page.locator(".bubble img")).to_have_count(0)
        last = await page.locator(".calls .thumb img").last.get_attribute("src")
        await page.locator("#feed").evaluate("it => it.scrollTo(0, 0)")
        await drawn(page.locator(".bubble img"))
        await expect(page.locator(".thumb").last.locator("img")).to_have_count(0)
        assert last in await page.evaluate("window.revoked")
        first = await page.locator(".bubble img").get_attribute("src")
        await page.get_by_role("link", name="Runs").first.click()
        await expect(page.locator(".bubble")).to_have_count(0)
        assert first in await page.evaluate("window.revoked")


@pytest.mark.slow
async def test_pictures_that_the_model_knew_are_seen_in_the_inbox(
    chromium: Browser, plain_page: Api
) -> None:
    file = await uploaded(plain_page, png(), "image/png", name="dot.png")
    part = FilePart(type="image", file_id=file, name="dot.png", media_type="image/png", size=70)
    asks = approval(2, "pay", {"amount": 1}, parameters={}, why="always")
    run = await written(plain_page.journal, [*with_files(part), begun(2), asks])
    async with opened(chromium, str(plain_page.http.base_url)) as page:
        await page.goto(f"/inbox?item={run}%2Fapproval_2_0")
        await drawn(page.locator(".readbody .calls .thumb img"))


@pytest.mark.slow
async def test_a_hostile_file_is_a_name_and_a_download(chromium: Browser, plain_page: Api) -> None:
    svg = await uploaded(plain_page, SVG, "image/svg+xml", name=HOSTILE)
    page_of_ours = await uploaded(plain_page, HTML, "text/html", name="page.html")
    no_picture = await uploaded(plain_page, HTML, "text/html", name="fake.png")
    files = (
        FilePart(type="image", file_id=svg, name=HOSTILE, media_type="image/svg+xml", size=9),
        FilePart(type="file", file_id=page_of_ours, media_type="text/html", size=9),
        FilePart(type="image", file_id=no_picture, name="fake", media_type="image/png", size=9),
        FilePart(type="image", url="https://evil.example/track.png?run=1"),
        FilePart(type="file", url="http://user:secret@evil.example/"),
        FilePart(type="image", file_id="file_../../v1/agents", media_type="image/png", size=9),
    )
    run = await written(plain_page.journal, with_files(*files))
    async with opened(chromium, str(plain_page.http.base_url)) as page:
        await page.goto(f"/runs/{run}")
        shown = page.locator(".bubble .files > li")
        await expect(shown).to_have_count(len(files))
        await expect(shown.nth(0)).to_contain_text("onerror=window.broken=1>⟨U+202E⟩gnp.exe")
        await expect(shown.nth(0)).to_contain_text("image/svg+xml · 9 bytes")
        await expect(shown.nth(2)).to_contain_text("It can't be shown as a picture")
        link = shown.nth(3).get_by_role("link")
        await expect(shown.nth(3)).to_contain_text("Image at evil.example")
        await expect(link).to_have_attribute("rel", "noopener noreferrer nofollow")
        await expect(shown.nth(4)).to_contain_text("can't be opened")
        await expect(shown.nth(4).get_by_role("link")).to_have_count(0)
        await expect(shown.nth(5)).to_contain_text("It names no file")
        await expect(
            page.locator("#feed :is(img, object, embed, iframe, svg[onload])")
        ).to_have_count(0)
        await checked_in_every_shape(page)
        async with page.expect_download() as saving:
            await shown.nth(0).get_by_role("button").click()
        saved = await saving.value
        assert read(await saved.path()) == SVG
        assert "\u202e" not in saved.suggested_filename
        assert await page.evaluate("window.broken") is None
