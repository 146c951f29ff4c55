"""A test that hangs ends, whatever it hangs in."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
HANGS = """
import threading
import pytest

@pytest.fixture
def stuck():
    yield
    threading.Event().wait()

def test_it(stuck):
    raise AssertionError
"""


@pytest.mark.timeout(240)  # a pytest of its own, which starts processes
@pytest.mark.parametrize("processes", [0, 1], ids=["alone", "side by side"])
async def test_a_teardown_that_hangs_after_a_failure_ends_its_process_and_is_told(
    tmp_path: Path, processes: int
) -> None:
    (tmp_path / "test_hangs.py").write_text(HANGS)
    options = ("-c", str(ROOT / "pyproject.toml"), "-p", "tests.conftest", "-p", "no:cacheprovider")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pytest", *options, "-o", "teardown_timeout=1"),
        *("-n", str(processes), str(tmp_path)),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        said, _ = await asyncio.wait_for(process.communicate(), 180)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 1
    text = said.decode()
    assert "in stuck" in text, "a traceback shows where"
    assert ("crashed while running" in text) == bool(processes)
