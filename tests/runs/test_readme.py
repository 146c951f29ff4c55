"""Whatever the README and its neighbours tell people to type, works."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from pathlib import Path

import pytest

from relayline.activities.tool.toolbox import ToolboxConfig, build_toolbox
from relayline.catalog.load import load_catalog
from tests.dev_stack import DevStack
from tests.docs.modules import importable
from tests.docs.pages import PAGES, ROOT, blocks
from tests.postgres_server import PostgresServer

README = ROOT / "README.md"
STEERING = ROOT / "docs" / "steering.md"
SERVERS = ROOT / "docs" / "operate" / "README.md"
LIBRARY, CATALOG = blocks(README, "python")
STARTS_STACKS = ("make ", "relayline dev")
"""Commands that other tests run: make demo in `test_demo.py`, the others as every test does."""


async def run_command(*command: str, cwd: Path, **env: str) -> str:
    """What the command prints; it must succeed."""
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=cwd,
        env=os.environ | env,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await process.communicate()
    assert process.returncode == 0, out.decode()
    return out.decode()


async def run_blocks(page: Path, stack: DevStack, cwd: Path) -> str:
    """What the page's commands print in bash; every one of them must succeed."""
    url = stack.state["api"]["url"]
    scripts = [it for it in blocks(page, "sh") if not any(word in it for word in STARTS_STACKS)]
    script = "\n".join(scripts).replace("http://127.0.0.1:8000", url)
    script = script.replace("?wait=30", "?wait=60")  # a busy machine takes longer
    script = script.replace(".venv/bin/", f"{Path(sys.executable).parent}/")
    temporal = stack.state["temporal"]["address"]
    bash = ("bash", "-euo", "pipefail", "-c", script)
    return await run_command(*bash, cwd=cwd, RELAYLINE_URL=url, TEMPORAL_ADDRESS=temporal)


async def test_the_python_program_prints_what_the_readme_says(
    stack: DevStack, tmp_path: Path
) -> None:
    url = stack.state["api"]["url"]
    (tmp_path / "program.py").write_text(LIBRARY.replace("http://127.0.0.1:8000", url))
    [promised, *_] = blocks(README, "text")
    assert await run_command(sys.executable, "program.py", cwd=tmp_path) == promised


@pytest.mark.representative
@pytest.mark.timeout(90)  # several commands, each a process of its own
async def test_the_submit_stream_resume_and_terminal_commands_work(
    stack: DevStack, tmp_path: Path
) -> None:
    out = await run_blocks(README, stack, tmp_path)
    assert '"status":"queued"' in out.replace(" ", "")
    assert "event: run.started" in out
    assert "event: run.completed" in out
    assert "id: 6\n" in out
    assert "urn:relayline:problem" not in out
    assert (tmp_path / "run.json").exists()


@pytest.mark.timeout(180)  # several commands, each a process of its own, and two waits
async def test_the_steering_commands_work(stack: DevStack, tmp_path: Path) -> None:
    out = await run_blocks(STEERING, stack, tmp_path)
    assert '"output":"Understood: In one word, please"' in out, "redirected"
    assert '"output":"as you wish"' in out, "denied, or it would wait for a decision"
    assert "urn:relayline:problem" not in out


@pytest.mark.slow
async def test_the_commands_for_postgres_prepare_a_database(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    [script] = [block for block in blocks(SERVERS, "sh") if "relayline migrate" in block]
    dsn = postgres.create_database("readme")
    script, replaced = re.subn("postgresql://[^\\s]+", dsn, script)
    assert replaced == 1
    script = script.replace(".venv/bin/", f"{Path(sys.executable).parent}/")
    out = await run_command("bash", "-euo", "pipefail", "-c", script, cwd=tmp_path)
    assert "it was not there" in out


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_make_target_that_is_named_exists(page: Path) -> None:
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    typed = re.findall(r"^make ([\w-]+)", "\n".join(blocks(page, "sh")), re.MULTILINE)
    named = {*typed, *re.findall(r"`make ([\w-]+)", page.read_text())}
    assert named <= targets
    assert named or page != README


def test_the_example_module_loads_with_its_tools(tmp_path: Path) -> None:
    toolbox = build_toolbox(ToolboxConfig(files_root=tmp_path))
    with importable("shop", CATALOG, tmp_path):
        catalog = load_catalog("shop", toolbox, "rehearsal")
    assert [spec.name for spec in catalog.agents["clerk"].tools] == ["price", "calculate"]


def test_the_readme_is_short() -> None:
    assert len(README.read_text().split()) <= 900
