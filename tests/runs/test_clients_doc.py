"""The programs and commands in docs/clients.md work as they stand there, against a whole stack."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.dev_stack import ROOT, DevStack
from tests.docs.pages import blocks
from tests.runs.test_readme import run_blocks

PAGE = ROOT / "docs" / "clients.md"
PYTHON = blocks(PAGE, "python")
CONVERSATIONS = blocks(ROOT / "docs" / "conversations.md", "python")
ADDRESS = "http://127.0.0.1:8000"


@pytest.fixture(scope="module")
async def writing(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[DevStack]:
    """A stack whose tools write to a folder of the test's own."""
    folder = tmp_path_factory.mktemp("clients")
    async with DevStack(folder / "dev", RELAYLINE_FILES_ROOT=str(folder)) as started:
        yield started


async def run_python(program: str, stack: DevStack) -> str:
    """What the program prints; it must end well."""
    assert ADDRESS in program
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "error", "-c", program.replace(ADDRESS, stack.state["api"]["url"])),
        env=os.environ | {"PYTHONDEVMODE": "1"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await process.communicate()
    assert process.returncode == 0, out.decode()
    return out.decode()


async def test_the_twelve_lines_submit_stream_and_approve(writing: DevStack) -> None:
    program = PYTHON[0]
    assert len([line for line in program.splitlines() if line]) == 12
    out = await run_python(program, writing)
    assert out == "It is written.\ncompleted: It is written.\n"
    assert (writing.data_dir.parent / "note.txt").read_text() == "hi"


async def test_the_programs_about_conversations_work(writing: DevStack) -> None:
    outs = [await run_python(program, writing) for program in CONVERSATIONS]
    assert len(outs) == 2
    assert all("56" in out for out in outs)
    assert "72" in outs[1]


async def test_the_other_programs_work(writing: DevStack) -> None:
    first, second, city, lake, listed, third = await asyncio.gather(
        *(run_python(program, writing) for program in PYTHON[1:])
    )
    assert "42" in first
    assert first.rstrip().endswith("]")
    lines = second.splitlines()
    assert lines[0].startswith("4 ")
    assert lines[-1].endswith(" run.completed")
    assert city == "rehearsal 0\n"
    assert lake.splitlines()[-1] == "{'name': 'rehearsal'}"
    assert "What is 6*7?" in listed
    assert third == "404 unknown-run no run 'run_0000000000000000'\n"


async def test_the_commands_work(writing: DevStack, tmp_path: Path) -> None:
    out = await run_blocks(PAGE, writing, tmp_path)
    assert "event: run.completed" in out
    assert '"ended":true' in out
