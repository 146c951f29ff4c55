"""Whatever models and tools say is only ever text, the same text, and does not hold the page up."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from relayline.contracts.messages import ToolCall
from tests.api.serving import Api
from tests.web.chromium import opened
from tests.web.promises.documents import (
    FAKES,
    HTML,
    MAX_JSON,
    MAX_MARKDOWN,
    Document,
    by_code,
    document,
    letters,
    read,
)
from tests.web.scenes import approval, beginning, begun, called, said, written

pytestmark = pytest.mark.slow
A_RUN = 10
"""Documents in one run."""
ELEMENTS = {
    *("A", "BLOCKQUOTE", "BR", "CODE", "DETAILS", "DIV", "EM", "H3", "LI", "OL", "P", "PRE"),
    *("SPAN", "STRONG", "SUMMARY", "TABLE", "TBODY", "TD", "TH", "THEAD", "TR", "UL"),
}
"""What text may become."""
OPEN = "() => document.querySelectorAll('details.call').forEach((it) => { it.open = true; })"
SHOWN = """() => {
  const text = (it) => it?.textContent ?? null;
  const steps = [...document.querySelectorAll(".it.step")].map((it) => {
    const row = (name) => [...it.querySelectorAll(".kv")].find(
      (one) => text(one.firstElementChild) === name)?.lastElementChild;
    const say = it.querySelector(".say"), result = row("result");
    const whole = (one) => text(one?.querySelector(".whole") ?? one);
    return {
      text: say.querySelector(".out.whole") ? whole(say) : text(say),
      argument: text(row("arguments")), output: whole(result),
    };
  });
  const inside = [...document.querySelectorAll("#feed :is(.say, .kv, .bubble) *, .insp .out *")];
  return {
    steps,
    elements: [...new Set(inside.map((it) => it.nodeName))],
    links: [...document.querySelectorAll(".say a")].map((it) => [it.protocol, it.rel, it.target]),
    handlers: inside.flatMap((it) => it.getAttributeNames()).filter((it) => it.startsWith("on")),
    broken: window.broken ?? null,
    input: text(document.querySelector(".bubble")),
    buttons: [...document.querySelectorAll("#feed button")].map(text),
  };
}"""


@pytest.mark.parametrize(
    "runs",
    [
        pytest.param(range(10), id="some", marks=pytest.mark.timeout(300)),
        pytest.param(
            range(10, 110), id="many", marks=[pytest.mark.soak, pytest.mark.timeout(3_000)]
        ),
    ],
)
async def test_hostile_documents_stay_text(chromium: Browser, plain_page: Api, runs: range) -> None:
    async with opened(chromium, str(plain_page.http.base_url)) as page:
        for number in runs:
            documents = [document(number * A_RUN + at) for at in range(A_RUN)]
            await stays_text(page, plain_page, documents, number)


async def stays_text(page: Page, api: Api, documents: list[Document], number: int) -> None:
    title, fake = HTML[number % len(HTML)], FAKES[number % len(FAKES)]
    events = beginning(title, f"{title}\n{fake}", x=title[:100])
    for step, one in enumerate(documents, 1):
        call = ToolCall(call_id=f"call_{step}_0", name="look", arguments={"text": one.argument})
        events += [begun(step), *said(step, one.text, [call]), *called(call, step, one.output)]
    events.append(approval(len(documents), "look", {"text": title, title[:20]: fake}))
    run = await written(api.journal, events)
    await page.goto(f"/runs/{run}")
    await expect(page.locator(".it.step")).to_have_count(len(documents))
    await expect(page.locator(".facts .pill")).to_have_text("Needs you")
    await expect(page.locator("main h1")).to_have_text(title)
    await expect(page.locator(".tag em")).to_have_text("x")
    await expect(page.locator(".ask")).to_be_visible()
    await page.evaluate(OPEN)
    await expect(page.locator(".call .kv", has_text="result")).to_have_count(len(documents))
    is_told(await page.evaluate(SHOWN), documents, f"{title}\n{fake}")
    assert title[:60] in await page.title()


def is_told(shown: dict[str, Any], documents: list[Document], given: str) -> None:
    """Every text is there as it is stored, and nothing beside it."""
    assert shown["broken"] is None
    assert set(shown["elements"]) <= ELEMENTS
    assert shown["handlers"] == []
    safe = ("noopener noreferrer nofollow", "_blank")
    assert all(it[0] in {"http:", "https:"} and tuple(it[1:]) == safe for it in shown["links"])
    assert shown["input"] == given
    assert shown["buttons"] == ["ApproveA", "DenyD", "Edit as JSON"]
    for step, one in zip(shown["steps"], documents, strict=True):
        if len(one.text) > MAX_MARKDOWN:
            assert step["text"] == by_code(one.text)
        else:
            assert letters(step["text"]) == read(one.text)
        assert plain(step["argument"]) == plain(f'{{"text":{by_code(one.argument)}}}')
        if one.output[0] in "[{" and len(one.output) <= MAX_JSON:
            assert squeezed(step["output"]) == squeezed(by_code(one.output))
        else:
            assert step["output"] == by_code(one.output)


def squeezed(text: str) -> str:
    """JSON without the white space and quotes that its layout changes."""
    return re.sub(r'[\s"]', "", text)


def plain(text: str) -> str:
    r"""The same without the backslashes and codes (`\u001b`, `\b`) of JSON strings."""
    return re.sub(r"\\u[0-9a-f]{4}|⟨U\+00[01][0-9A-F]⟩|\\[bfnrt]|\\", "", squeezed(text))
