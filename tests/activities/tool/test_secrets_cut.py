"""The worker's secrets are in no event, no history and no progress, whatever a tool says."""

from __future__ import annotations

import asyncio

import pytest
from temporalio.exceptions import ApplicationError

from relayline.activities.tool.output import MAX_ERROR_CHARS, MAX_OUTPUT_BYTES
from relayline.catalog.tools import Tool, ToolContext, ToolError, tool
from relayline.runtime.redaction import HIDDEN, Redactor
from tests.activities.tool.conftest import Bench, failure

KEY = "sk-0123456789abcdef0123"
CLEAN = Redactor([KEY]).clean


@tool
def says(text: str) -> str:
    return text


@tool
def lists() -> dict[str, list[str]]:
    return {"found": [KEY]}


@tool(retries=0)
async def raises(text: str) -> str:
    raise ValueError(text)


@tool(retries=0)
def refuses(text: str) -> str:
    raise ToolError(text, retryable=False)


@tool
async def reports(context: ToolContext) -> str:
    context.progress(f"using {KEY}")
    await asyncio.sleep(0.05)
    return "done"


@pytest.mark.parametrize(
    ("mine", "arguments"),
    [(says, {"text": f"a {KEY} b"}), (lists, {}), (reports, {})],
)
async def test_output_and_progress_have_no_secret(
    bench: Bench, mine: Tool, arguments: dict[str, str]
) -> None:
    await bench.plan(mine.spec.name, arguments)
    outcome = await bench.call(mine, clean=CLEAN)
    said = outcome.preview + "".join(
        event.data for event in await bench.events() if event.type != "tool.started"
    )
    assert KEY not in said
    assert HIDDEN in said


@pytest.mark.parametrize("mine", [raises, refuses])
async def test_errors_have_no_secret_in_the_journal_nor_for_temporal(
    bench: Bench, mine: Tool
) -> None:
    await bench.plan(mine.spec.name, {"text": f"no {KEY}"})
    error: ApplicationError = await failure(bench, mine, clean=CLEAN)
    [failed] = await bench.events("tool.failed")
    for said in (error.message, failed.data):
        assert KEY not in said
        assert HIDDEN in said


async def test_a_secret_at_the_cut_of_a_long_text_leaves_nothing_behind(bench: Bench) -> None:
    await bench.plan("says", {"text": "x" * (MAX_OUTPUT_BYTES - 100) + KEY * 20})
    await bench.call(says, clean=CLEAN)
    assert KEY[:8] not in (await bench.result()).output
    other = Bench(bench.journal)
    await other.plan("raises", {"text": "x" * (MAX_ERROR_CHARS - 20) + KEY})
    assert KEY[:8] not in (await failure(other, raises, clean=CLEAN)).message
