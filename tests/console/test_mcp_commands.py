"""`relayline mcp`: real servers, listed, checked, accepted and tried from a terminal."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest

from tests.activities.tool.mcp.conftest import ODD
from tests.console.test_cli import RELAYLINE, Ended

ROOT = Path(__file__).parents[2]
MODULE = """
from relayline import Agent, McpServer
odd = McpServer("odd", command={odd!r}, env={{"PYTHONPATH": {root!r}, "ODD_FOLDER": {folder!r}}},
                trusted=True, pins="mcp.lock", tools=("count", "shape*", "order", "grow"),
                connect_s=60)
off = McpServer("off", command=({python!r}, "-c", "exit('its own words')"), optional={optional})
clerk = Agent(name="clerk", mcp=[odd, off])
"""


class Folder:
    """A user's folder with a catalog in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.declare()

    def declare(self, *, optional: bool = True) -> None:
        given = {"odd": ODD, "root": str(ROOT), "folder": str(self.path), "python": sys.executable}
        (self.path / "shop.py").write_text(MODULE.format(optional=optional, **given))

    async def mcp(self, *words: str) -> Ended:
        env = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        env |= {"RELAYLINE_CATALOG": "shop", "RELAYLINE_DATA_DIR": str(self.path)}
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            RELAYLINE, "mcp", *words, stdout=pipe, stderr=pipe, env=env, cwd=self.path
        )
        out, err = await asyncio.wait_for(process.communicate(), 150)
        return Ended(process.returncode or 0, out.decode(), err.decode())


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(400)
async def test_tools_are_offered_once_they_are_accepted(folder: Folder) -> None:
    before = await folder.mcp("list", "odd")
    assert before.code == 0
    assert "`relayline mcp pin` makes it" in before.out
    pinned = await folder.mcp("pin")
    assert pinned.out == "odd: 4 tools are accepted in mcp.lock\n"
    listed = await folder.mcp("list")
    assert "odd: modern, odd 1.2, 12 tools\n" in listed.out
    assert "odd_count  safe    approval: never" in listed.out
    assert "odd_order  unsafe  approval: always" in listed.out
    reason = "off: MCP server 'off' can't be reached: it ended with exit code 1"
    assert f"{reason}\n  | its own words\n" in listed.out
    lock = folder.path / "mcp.lock"
    changed = json.loads(lock.read_text())
    changed["servers"]["odd"]["shape"] = "0" * 64
    del changed["servers"]["odd"]["order"]
    lock.write_text(json.dumps(changed))
    checked = await folder.mcp("check")
    assert checked.code == 1
    assert "odd: modern, odd 1.2, 12 tools, 2 can't be offered\n" in checked.out
    assert checked.err == "relayline: not in order: odd\n"
    left = await folder.mcp("list", "odd")
    assert "shape      not offered: its definition has changed since" in left.out
    assert "order      not offered: it is new" in left.out
    await folder.mcp("pin", "odd")
    assert (await folder.mcp("check")).code == 0
    folder.declare(optional=False)
    assert (await folder.mcp("check")).err == "relayline: not in order: off\n"


@pytest.mark.slow
@pytest.mark.timeout(400)
async def test_a_tool_is_tried(folder: Folder) -> None:
    await folder.mcp("pin")
    counted = await folder.mcp("try", "odd", "count", '{"to": 2}')
    assert (counted.code, counted.out) == (0, "counted to 2\n")
    assert "2/2 (100%)" in counted.err
    asked = await folder.mcp("try", "odd", "odd_order", '{"what": "tea"}')
    assert asked.out == "it asks: Which size?\n"
    misfit = await folder.mcp("try", "odd", "count", "{}")
    assert "'to' is a required property" in misfit.err
    assert "does not offer 'die'" in (await folder.mcp("try", "odd", "die")).err


@pytest.mark.slow
async def test_what_can_t_be_done_is_said_in_a_line(folder: Folder) -> None:
    unknown = await folder.mcp("list", "git")
    assert unknown.code == 1
    assert unknown.err == "relayline: unknown MCP server 'git'; known servers: odd, off\n"
    bad = await folder.mcp("try", "odd", "count", "[1]")
    assert bad.err == "relayline: the arguments must be a JSON object\n"
    (folder.path / "shop.py").write_text("")
    none = await folder.mcp("check")
    assert none.err.startswith("relayline: no agent of the catalog has MCP servers")
