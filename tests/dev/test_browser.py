"""`relayline dev --open` opens the page in the browser that is set, or says that there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from relayline.dev.browser import open_page

URL = "http://127.0.0.1:1/"


def a_browser(folder: Path) -> tuple[Path, Path]:
    """A browser, and where it writes which page it opened and what it knows of a secret."""
    seen, browser = folder / "seen", folder / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" "$RELAYLINE_SECRET" > {seen}\n')
    browser.chmod(0o755)
    return browser, seen


def test_the_browser_gets_the_page_and_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser, seen = a_browser(tmp_path)
    monkeypatch.setenv("BROWSER", str(browser))
    monkeypatch.setenv("RELAYLINE_SECRET", "a:not-for-browsers")
    told: list[str] = []
    open_page(URL, told.append).join(60)
    assert seen.read_text().split() == [URL]
    assert not told


def test_a_machine_without_a_browser_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BROWSER", str(tmp_path / "none"))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("DISPLAY", raising=False)
    told: list[str] = []
    open_page(URL, told.append).join(60)
    assert told == [f"no browser was found to open {URL}"]
