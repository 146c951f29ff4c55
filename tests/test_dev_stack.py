"""The stack that tests use leaves nothing behind, however its start ends."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from tests.dev.dev_process import told_pids, until, until_gone
from tests.dev_stack import ROOT, DevStack

pytestmark = pytest.mark.stack

START = """
import asyncio, sys
from pathlib import Path
from tests.dev_stack import DevStack
asyncio.run(DevStack(Path(sys.argv[1])).__aenter__())
"""


async def starting(folder: Path) -> list[int]:
    """Every process of a stack that has begun to start, its supervisor's first."""
    await until((folder / "dev.json").exists, 60)
    children = told_pids(folder)
    return [parent(children[0]), *children]


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])


async def test_a_start_that_is_given_up_leaves_nothing(tmp_path: Path) -> None:
    entering = asyncio.create_task(DevStack(tmp_path).__aenter__())
    pids = await starting(tmp_path)
    entering.cancel()
    with pytest.raises(asyncio.CancelledError):
        await entering
    await until_gone(pids, 10)


async def test_a_stack_dies_with_the_process_of_its_tests(tmp_path: Path) -> None:
    tests = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", START, str(tmp_path)), cwd=ROOT
    )
    try:
        pids = await starting(tmp_path)
    finally:
        tests.kill()
        await tests.wait()
    await until_gone(pids, 10)
