"""The demo that the README promises."""

from __future__ import annotations

import asyncio
import sys

import pytest

from tests.dev_stack import ROOT

pytestmark = pytest.mark.stack


async def test_the_demo_shows_a_run_that_survives_its_worker_and_leaves_nothing_running() -> None:
    demo = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "relayline.console.demo",
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await demo.communicate()
    shown = out.decode()
    assert demo.returncode == 0, shown
    assert "kill -9" in shown
    assert "attempt 2" in shown
    assert "24*60+7 is 1447." in shown
    assert "the run is completed" in shown
    assert "everything is stopped" in shown
