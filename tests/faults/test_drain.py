"""Processes that are told to stop under load: nothing is cut, lost or done twice."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from relayline.dev.ports import free_port
from tests.dev_stack import READY_S, ROOT, DevStack
from tests.faults.watching import Watcher, check_whole, streaming, watching

RUNS = 12
STREAMS_PER_RUN = 4
WORDS = " ".join(f"word{number}" for number in range(40))
STEP = (
    {"say": WORDS, "every_ms": 25},
    {
        "calls": [
            {"name": "sleep", "arguments": {"seconds": 0.7}},
            {"name": "calculate", "arguments": {"expression": "6*7"}},
        ]
    },
)
STEPS = 3


@asynccontextmanager
async def second_api(stack: DevStack) -> AsyncIterator[tuple[str, asyncio.subprocess.Process]]:
    """One more API process on the same journal and Temporal; its address."""
    port = free_port()
    env = {
        "TEMPORAL_ADDRESS": stack.state["temporal"]["address"],
        "RELAYLINE_API_PORT": str(port),
        "RELAYLINE_DATA_DIR": str(stack.data_dir),
    }
    command = (sys.executable, "-m", "relayline.api.app")
    process = await asyncio.create_subprocess_exec(*command, env=os.environ | env, cwd=ROOT)
    url = f"http://127.0.0.1:{port}"
    try:
        async with httpx.AsyncClient(base_url=url) as http, asyncio.timeout(READY_S):
            while not await healthy(http):
                await asyncio.sleep(0.05)
        yield url, process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def healthy(http: httpx.AsyncClient) -> bool:
    try:
        return (await http.get("/readyz")).status_code == 200
    except httpx.TransportError:
        return False


async def test_streams_of_an_api_that_stops_go_on_at_another_without_a_gap(
    stack: DevStack,
) -> None:
    async with second_api(stack) as (url, process):
        speech = {"say": WORDS * 20, "every_ms": 20}
        runs = await asyncio.gather(*(stack.submit(speech) for _ in range(5)))
        where = [url]
        watchers = [
            [Watcher(lambda: where[0], run) for _ in range(STREAMS_PER_RUN)] for run in runs
        ]
        everybody = [watcher for of_run in watchers for watcher in of_run]
        async with asyncio.TaskGroup() as group:
            for watcher in everybody:
                group.create_task(watcher.follow())
            await streaming(*everybody)
            where[0] = stack.state["api"]["url"]
            process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(10):
                assert await process.wait() == 0
    for run, of_run in zip(runs, watchers, strict=True):
        await check_whole(stack, run, *of_run)
    assert [watcher.broken for watcher in everybody] == [0] * len(everybody)
    assert [len(watcher.last_lines) for watcher in everybody] == [2] * len(everybody)
    waits = [int(watcher.last_lines[0].removeprefix("retry: ")) for watcher in everybody]
    assert len(set(waits)) > len(waits) / 2, "they would all come back at once"
    assert 200 <= min(waits) <= max(waits) <= 2000


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[DevStack]:
    """A stack with two workers."""
    async with DevStack(tmp_path / "dev", "--workers", "2") as started:
        yield started


async def restarted(stack: DevStack, number: int) -> None:
    """SIGTERM that worker; return when its successor has begun to serve."""
    pid = stack.state["workers"][number]["pid"]
    os.kill(pid, signal.SIGTERM)
    log = stack.data_dir / "logs" / "dev.log"
    name = f"worker-{number + 1}"
    async with asyncio.timeout(40):
        while f"{name} (pid {pid}) ended with exit code 0" not in log.read_text():
            assert f"{name} (pid {pid}) ended with SIG" not in log.read_text()
            await asyncio.sleep(0.02)
        while stack.state["workers"][number]["pid"] == pid:
            await asyncio.sleep(0.02)
    await asyncio.sleep(1.5)  # it connects and begins to poll


async def test_a_rolling_restart_of_the_workers_interrupts_no_call(pair: DevStack) -> None:
    script = [*STEP * STEPS, {"say": "done"}]
    runs = await asyncio.gather(*(pair.submit(*script) for _ in range(RUNS)))
    async with watching(pair, *runs) as watchers:
        await streaming(*(of_run[0] for of_run in watchers))
        await restarted(pair, 0)
        await restarted(pair, 1)
    for run_id, [watcher] in zip(runs, watchers, strict=True):
        journal = await check_whole(pair, run_id, watcher)
        types = [event["type"] for event in journal]
        assert "attempt.superseded" not in types
        assert types.count("message.completed") == STEPS + 1
        begun = [e["data"]["call_id"] for e in journal if e["type"] == "tool.started"]
        assert len(set(begun)) == len(begun) == 2 * STEPS
