"""What the README tells people to type works."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from pathlib import Path

import pytest

from relayline.activities.tool.toolbox import ToolboxConfig, build_toolbox
from relayline.catalog.load import load_catalog
from relayline.contracts.compaction import Summarise
from tests.dev_stack import ROOT, DevStack
from tests.postgres_server import PostgresServer

README = (ROOT / "README.md").read_text()
SHELL = re.findall(r"^```sh\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
PYTHON = re.findall(r"^```python\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


async def run_shell(script: str, cwd: Path, **env: str) -> str:
    """What bash prints; the script must succeed, every command of it."""
    shell = await asyncio.create_subprocess_exec(
        "bash",
        "-euo",
        "pipefail",
        "-c",
        script,
        cwd=cwd,
        env=os.environ | env,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await shell.communicate()
    assert shell.returncode == 0, out.decode()
    return out.decode()


@pytest.mark.representative
@pytest.mark.timeout(90)  # a dozen commands, each a process of its own
async def test_the_submit_stream_resume_and_terminal_commands_work(
    stack: DevStack, tmp_path: Path
) -> None:
    url = stack.state["api"]["url"]
    script = "\n".join(block for block in SHELL if "curl" in block or "--watch" in block)
    script = script.replace("http://127.0.0.1:8000", url)
    script = script.replace(".venv/bin/", f"{Path(sys.executable).parent}/")
    out = await run_shell(
        script,
        tmp_path,
        RELAYLINE_URL=url,
        TEMPORAL_ADDRESS=stack.state["temporal"]["address"],
    )
    assert '"status":"queued"' in out.replace(" ", "")
    assert "event: run.started" in out
    assert "event: run.completed" in out
    assert "id: 6\n" in out
    assert '"output":"Understood: In one word, please"' in out, "redirected"
    assert '"output":"as you wish"' in out, "denied, or it would wait for a decision"
    assert "urn:relayline:problem" not in out
    assert (tmp_path / "run.json").exists()


async def test_the_commands_for_postgres_prepare_a_database(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    [script] = [block for block in SHELL if "relayline migrate" in block]
    dsn = postgres.create_database("readme")
    script, replaced = re.subn("postgresql://[^\\s]+", dsn, script)
    assert replaced == 1
    script = script.replace(".venv/bin/", f"{Path(sys.executable).parent}/")
    assert "it was not there" in await run_shell(script, tmp_path)


def test_every_make_target_that_is_named_exists() -> None:
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(
        re.findall(r"make (\w+)", "\n".join(SHELL) + " ".join(re.findall("`make.*?`", README)))
    )
    assert named
    assert named <= targets


def test_the_example_module_loads_with_its_tools_and_its_policy(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text("\n".join(PYTHON))
    sys.path.insert(0, str(tmp_path))
    try:
        toolbox = build_toolbox(ToolboxConfig(files_root=tmp_path))
        catalog = load_catalog("shop", toolbox, "rehearsal")
    finally:
        sys.path.remove(str(tmp_path))
    assert [spec.name for spec in catalog.agents["clerk"].tools] == ["price", "calculate"]
    assert catalog.agents["clerk"].compaction is None
    assert catalog.agents["researcher"].compaction == Summarise(
        over_tokens=100_000, keep_tokens=30_000
    )
