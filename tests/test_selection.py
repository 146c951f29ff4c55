"""A test that uses a whole stack says so, whoever wrote it, and what is left out is told."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from tests.dev_stack import ROOT

pytestmark = pytest.mark.slow

BY_HAND = """
from pathlib import Path
from tests.dev_stack import DevStack

async def test_it(tmp_path: Path) -> None:
    async with DevStack(tmp_path):
        pass
"""
BY_FIXTURE = """
import pytest
from collections.abc import AsyncIterator
from tests.dev_stack import DevStack

@pytest.fixture
async def inner() -> AsyncIterator[DevStack]:
    raise AssertionError("left out")
    yield

@pytest.fixture
async def outer(inner: DevStack) -> str:
    return "made of it"

def test_it(outer: str) -> None:
    pass

@pytest.mark.slow
def test_for_seconds() -> None:
    raise AssertionError("left out")

@pytest.mark.soak
def test_for_long() -> None:
    raise AssertionError("left out")

def test_another() -> None:
    pass
"""
REPRESENTATIVES = {
    "test_kill.py::test_a_killed_worker_supersedes_its_attempt_and_the_text_is_whole",
    "test_outliving.py::test_an_approval_outlives_the_kill_of_every_process",
    "test_readme.py::test_the_submit_stream_resume_and_terminal_commands_work",
    "test_resume.py::test_two_hundred_cuts_of_a_live_run_lose_and_repeat_nothing",
}


async def said(*arguments: str) -> tuple[int | None, str]:
    """What a pytest with this repository's settings says of these, and its exit code."""
    options = ("-c", str(ROOT / "pyproject.toml"), "-p", "no:cacheprovider")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pytest", *options, *arguments),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    return process.returncode, output.decode()


async def test_who_starts_a_stack_without_the_mark_fails_before_anything_starts(
    tmp_path: Path,
) -> None:
    (tmp_path / "test_by_hand.py").write_text(BY_HAND)
    code, output = await said("-p", "tests.conftest", str(tmp_path))
    assert code == 1
    assert "starts a whole stack: mark it with @pytest.mark.stack" in output
    assert not (tmp_path / "test_it0").exists()


@pytest.mark.parametrize("processes", ["0", "1"])
async def test_what_takes_a_stack_from_a_fixture_can_be_left_out_and_is_counted(
    tmp_path: Path, processes: str
) -> None:
    options = ("-p", "tests.conftest", "-n", processes)
    (tmp_path / "test_by_fixture.py").write_text(BY_FIXTURE)
    code, output = await said(*options, "-m", "not stack and not slow", str(tmp_path))
    assert (code, "1 passed" in output) == (0, True), output
    assert "\n2 stack and slow tests are left to make test-all\n" in output


async def test_one_of_each_kind_is_in_every_run() -> None:
    code, output = await said(
        "--collect-only", "-q", "-m", "stack and representative", "tests/runs"
    )
    assert code == 0, output
    assert {line.partition("runs/")[2] for line in output.split() if "::" in line} == (
        REPRESENTATIVES
    )
