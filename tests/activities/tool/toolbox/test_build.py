"""Which tools are offered, and how."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from relayline.activities.tool.toolbox import ToolboxConfig
from relayline.catalog.tools import Tool
from tests.activities.tool.toolbox.conftest import named

ALWAYS = {
    "read_file",
    "write_file",
    "search_files",
    "calculate",
    "fetch_url",
    "sleep",
    "ask_user",
}


def test_commands_are_offered_only_where_they_are_allowed(tmp_path: Path) -> None:
    assert set(named(ToolboxConfig(files_root=tmp_path))) == ALWAYS
    allowed = ToolboxConfig(files_root=tmp_path, allow_commands=True)
    assert set(named(allowed)) == ALWAYS | {"run_command"}


def test_tools_that_change_something_need_approval(tools: dict[str, Tool]) -> None:
    asking = {name for name, tool in tools.items() if tool.spec.approval == "always"}
    assert asking == {"write_file", "run_command"}
    assert tools["run_command"].spec.effects == "unsafe"


def test_only_asking_the_user_is_a_question(tools: dict[str, Tool]) -> None:
    assert [name for name, tool in tools.items() if tool.spec.asks] == ["ask_user"]
    properties = tools["ask_user"].spec.parameters["properties"]
    assert isinstance(properties, dict)
    assert set(properties) == {"question", "choices", "within_s"}
    assert tools["ask_user"].spec.parameters["required"] == ["question"]


def test_every_tool_is_described_to_the_model(tools: dict[str, Tool]) -> None:
    assert all(tool.spec.description for tool in tools.values())


def test_who_needs_only_the_specs_does_not_load_an_http_client() -> None:
    code = (
        "import sys, relayline.activities.tool.toolbox\n"
        "assert not {'httpx', 'temporalio', 'asyncpg'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=15)
