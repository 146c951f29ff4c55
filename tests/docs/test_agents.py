"""The module of docs/agents.md loads, and its agents do what the page says."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from relayline.activities.tool.toolbox import ToolboxConfig, build_toolbox
from relayline.catalog.agents import Catalog
from relayline.catalog.load import load_catalog
from relayline.catalog.model_settings import LACKING
from relayline.contracts.compaction import KeepLast, Summarise
from relayline.contracts.runs import Limits, ModelSettings, ToolSpec
from tests.dev_stack import DevStack
from tests.docs.modules import importable
from tests.docs.pages import ROOT, blocks
from tests.runs.test_readme import run_blocks

PAGE = ROOT / "docs" / "agents.md"
MODULE = "shop"
NAMES = (
    *("assistant", "clerk", "scout", "manager", "guest", "seller", "buyer"),
    *("librarian", "researcher", "guide", "writer"),
)


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    """Of the page's blocks as one module."""
    toolbox = build_toolbox(ToolboxConfig(files_root=tmp_path))
    with importable(MODULE, "\n".join(blocks(PAGE, "python")), tmp_path):
        yield load_catalog(MODULE, toolbox, "rehearsal")


@pytest.fixture(scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[DevStack]:
    """`relayline dev` with the page's module."""
    folder = tmp_path_factory.mktemp("agents")
    (folder / f"{MODULE}.py").write_text("\n".join(blocks(PAGE, "python")))
    path = os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH", "")]))
    async with DevStack(folder / "data", RELAYLINE_CATALOG=MODULE, PYTHONPATH=path) as started:
        yield started


def test_agents_have_the_tools_limits_and_policies_of_the_page(catalog: Catalog) -> None:
    agents = catalog.agents
    assert {*agents} == {*NAMES}
    assert [spec.name for spec in agents["clerk"].tools] == ["price", "calculate"]
    assert [spec.agent for spec in agents["manager"].tools] == ["scout", "clerk"]
    schema = agents["seller"].output_schema or {}
    assert (schema["title"], schema["required"]) == ("Offer", ["article", "euros"])
    assert agents["librarian"].mcp == ("git",)
    assert catalog.mcp["git"].overrides["git_commit"].approval == "always"
    assert agents["buyer"].limits == Limits(max_steps=20, max_tokens=200_000, on_limit="ask")
    assert agents["researcher"].compaction == Summarise(over_tokens=100_000, keep_tokens=30_000)
    assert agents["guide"].compaction == KeepLast(over_tokens=20_000, keep_tokens=10_000)


def test_built_in_tools_are_those_of_the_page(tmp_path: Path) -> None:
    offered = {it.spec.name for it in build_toolbox(ToolboxConfig(tmp_path, allow_commands=True))}
    [paragraph] = [it for it in PAGE.read_text().split("\n\n") if it.startswith("Built-in tools:")]
    assert {name for name in offered if f"`{name}`" in paragraph} == offered


def test_defaults_of_tools_and_limits_are_those_of_the_page() -> None:
    before_settings = PAGE.read_text().partition("## Model settings")[0]
    rows = [line.split("|") for line in before_settings.splitlines() if line.startswith("| `")]
    told = {row[1].strip(" `"): row[2].strip(' `"').replace(",", "") for row in rows}
    for name in ("timeout_s", "retries", "effects", "approval", "approval_timeout_s", "asks"):
        assert told[name] == f"{ToolSpec.model_fields[name].default}", name
    for name, info in Limits.model_fields.items():
        assert told[name] == ("none" if info.default is None else f"{info.default}"), name


def test_settings_and_who_does_not_take_them_are_those_of_the_page() -> None:
    page = PAGE.read_text().partition("## Model settings")[2].partition("### Fallbacks")[0]
    rows = [line.split("|") for line in page.splitlines() if line.startswith("| `")]
    told = {row[1].strip(" `"): row[4].lower().replace("`", "") for row in rows}
    assert [*told] == [*ModelSettings.model_fields]
    for provider, lacking in LACKING.items():
        assert {name for name, words in told.items() if provider in words} - {
            "temperature"
        } == lacking


def test_what_a_model_is_told_of_a_tool_comes_from_hints_and_docstring(catalog: Catalog) -> None:
    spec = catalog.tools["quote"].spec
    assert spec.description == "The price of several articles together."
    properties = json.loads(json.dumps(spec.parameters))["properties"]
    assert {*properties} == {"items", "currency", "delivery"}
    assert properties["delivery"]["description"] == "The buyer's day, if there is one"


async def test_the_commands_of_the_page_work(stack: DevStack, tmp_path: Path) -> None:
    out = await run_blocks(PAGE, stack, tmp_path)
    assert "4.20" in out
    assert "Tea is 4.20 euros." in out
    assert "paid 250 euros to Ann" in out
    assert "Ann is paid." in out


async def test_tools_of_the_page_do_what_it_says(stack: DevStack) -> None:
    item = {"article": "tea", "count": 2}
    run_id = await stack.submit(
        {
            "calls": [
                {"name": "quote", "arguments": {"items": [item], "delivery": "2030-01-02"}},
                {"name": "count_stock", "arguments": {"shelf": "A"}},
                {"name": "count_stock", "arguments": {"shelf": "Z"}},
                {"name": "pay", "arguments": {"supplier": "Bo", "euros": 20}},
                {"name": "ask_buyer", "arguments": {"question": "Which day?"}},
            ]
        },
        {"say": "done"},
        agent="buyer",
    )
    asked = await stack.seen(run_id, "input.requested")
    await stack.send(run_id, "answer", request_id=asked["data"]["request_id"], text="Monday")
    assert (await stack.ended(run_id))["status"] == "completed"
    events = await stack.events(run_id)
    ended = [it["data"] for it in events if it["type"] in {"tool.completed", "tool.failed"}]
    said = {it.get("output", it.get("error")) for it in ended}
    assert said >= {
        '{"total":"8.40 EUR","delivery":"2030-01-02"}',
        "240 pieces on shelf A",
        "there is no shelf Z",
        "paid 20 euros to Bo",
        "Monday",
    }
    assert "approval.requested" not in {it["type"] for it in events}
    assert "tool.progress" in {it["type"] for it in events}
