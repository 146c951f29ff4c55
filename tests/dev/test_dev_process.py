"""`relayline dev` as a process: however it ends, its children end, too."""

from __future__ import annotations

import asyncio
import signal
import time
from pathlib import Path

import pytest

from tests.dev.dev_process import dev_process, told_other_pids, told_pids, until, until_gone
from tests.dev_stack import alive

pytestmark = pytest.mark.stack


async def test_children_do_not_survive_a_killed_dev(tmp_path: Path) -> None:
    async with dev_process(tmp_path, "plain") as dev:
        await until((tmp_path / "dev.json").exists, 40)
        pids = told_pids(tmp_path)
        assert all(map(alive, pids))
        dev.kill()
        await until_gone(pids, 5)
    async with dev_process(tmp_path, "plain"):
        await until(lambda: told_other_pids(tmp_path, pids), 40)


async def test_a_signal_while_it_starts_ends_it_cleanly(
    tmp_path: Path, shared_temporal: str
) -> None:
    async with dev_process(tmp_path, "never-ready") as dev:
        await until((tmp_path / "dev.json").exists, 40)
        pids = told_pids(tmp_path)
        dev.send_signal(signal.SIGINT)
        async with asyncio.timeout(20):
            assert await dev.wait() == 0
    assert not any(map(alive, pids))
    assert not (tmp_path / "dev.json").exists()


async def test_a_second_interrupt_ends_everything_at_once(
    tmp_path: Path, shared_temporal: str
) -> None:
    async with dev_process(tmp_path, "stubborn") as dev:
        await until((tmp_path / "worker-env.json").exists, 40)
        await until((tmp_path / "dev.json").exists, 40)
        pids = told_pids(tmp_path)
        dev.send_signal(signal.SIGINT)
        await until((tmp_path / "refused").exists, 15)
        began = time.monotonic()
        dev.send_signal(signal.SIGINT)
        async with asyncio.timeout(10):
            assert await dev.wait() == 0
        assert time.monotonic() - began < 4, "a patient stop takes 5 s"
    assert not any(map(alive, pids))
    assert not (tmp_path / "drained").exists()
