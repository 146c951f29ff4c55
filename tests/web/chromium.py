"""A real browser, and pages that notice whatever a page must not do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from playwright.async_api import (
    Browser,
    ConsoleMessage,
    Page,
    Request,
    async_playwright,
    expect,
)

from tests.web.page_files import program

PATIENCE_MS = 30_000
"""How long anything is waited for."""
expect.set_options(timeout=PATIENCE_MS)
WIDE, NARROW = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
PLAIN_HOST = "plain.example"
"""Another name of this machine, which browsers do not trust without https."""
FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
    f"--host-resolver-rules=MAP {PLAIN_HOST} 127.0.0.1",
)
_REFUSED = "Failed to load resource"
"""What the browser itself says of an answer that is an error: tests ask for some."""


@dataclass
class Watch:
    """What a page has done."""

    own: frozenset[str]
    """The hosts, with ports, that it may speak to."""
    expected: str | None = None
    """What the browser may say of something that a test has broken."""
    said: list[str] = field(default_factory=list)
    """Warnings, errors, and breaches of the policy."""
    foreign: list[str] = field(default_factory=list)
    """Requests to other hosts."""

    def attach(self, page: Page) -> None:
        """Listen to the page."""
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.said.append(str(error)))
        page.on("request", self._request)

    def _console(self, message: ConsoleMessage) -> None:
        text = message.text
        broken = self.expected is not None and self.expected in text
        if message.type in {"error", "warning"} and not text.startswith(_REFUSED) and not broken:
            self.said.append(text)

    def _request(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in {"data", "blob"} and parts.netloc not in self.own:
            self.foreign.append(request.url)


@asynccontextmanager
async def browser() -> AsyncIterator[Browser]:
    """Debian's Chromium, without a window."""
    path = program("chromium")
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=path, args=FLAGS)
        try:
            yield started
        finally:
            await started.close()


@asynccontextmanager
async def opened(
    one: Browser,
    url: str,
    *,
    narrow: bool = False,
    dark: bool = False,
    also: str = "",
    expected: str | None = None,
) -> AsyncIterator[Page]:
    """A page of its own; it must break no rule until it is closed.

    Args:
        one: The browser.
        url: Of the server.
        narrow: As on a phone.
        dark: The system's theme.
        also: The URL of another server that it may speak to.
        expected: A part of what the browser may say of something that the test has broken.
    """
    context = await one.new_context(
        base_url=url,
        viewport=NARROW if narrow else WIDE,  # type: ignore[arg-type]
        color_scheme="dark" if dark else "light",
        reduced_motion="reduce",
    )
    context.set_default_timeout(PATIENCE_MS)
    page, watch = await context.new_page(), _watch(url, also, expected)
    watch.attach(page)
    try:
        yield page
        assert not watch.said
        assert not watch.foreign
    finally:
        await context.close()


def _watch(url: str, also: str, expected: str | None) -> Watch:
    return Watch(frozenset({urlsplit(url).netloc, urlsplit(also).netloc}), expected)
