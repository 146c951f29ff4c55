"""A whole stack whose Temporal, or only worker, is away for a while."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from relayline.api.streams.watchdog import NO_TEMPORAL, NO_WORKER
from tests.dev_stack import DevStack
from tests.faults.watching import (
    Watcher,
    check_whole,
    readiness,
    ready,
    refused,
    streaming,
    watching,
)

TEXT = " ".join(f"word{number}" for number in range(150))
ASKS = (
    {"call": "write_file", "arguments": {"path": "no/such/folder.txt", "content": "x"}},
    {"say": TEXT},
)
TOLD_S = 12.0
"""How long a viewer of a silent run waits to be told; some 4 s of it are the design's."""


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """That process neither works nor dies, so that nobody starts another."""
    os.kill(pid, signal.SIGSTOP)
    while Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "T":
        time.sleep(0.001)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


async def told(watchers: list[Watcher], reason: str) -> None:
    async with asyncio.timeout(TOLD_S):
        while not all(reason in watcher.notices for watcher in watchers):
            await asyncio.sleep(0.05)


async def progress(stack: DevStack, run_id: str) -> dict[str, Any]:
    """What the run's workflow says of itself."""
    shown: dict[str, Any] = (await stack.client.get(f"/v1/runs/{run_id}/progress")).json()
    return shown


async def asking(stack: DevStack) -> tuple[str, str]:
    """A run that waits for an approval and has nothing else to do; its id and the approval's."""
    run_id = await stack.submit(*ASKS)
    asked = await stack.seen(run_id, "approval.requested")
    async with asyncio.timeout(TOLD_S):
        while (await progress(stack, run_id))["status"] != "waiting":
            await asyncio.sleep(0.05)
    return run_id, asked["data"]["approval_id"]


async def test_without_temporal_streams_hold_and_say_so_and_everything_goes_on_later(
    stack: DevStack,
) -> None:
    silent, approval = await asking(stack)
    busy = await stack.submit({"say": TEXT, "every_ms": 20})
    async with watching(stack, silent, busy, each=2) as [waiting, reading]:
        await streaming(*reading)
        with stopped(stack.state["temporal"]["pid"]):
            new = {"agent": "assistant", "input": "hello"}
            parts, run, command, _ = await asyncio.gather(
                readiness(stack),
                stack.client.post("/v1/runs", json=new),
                stack.client.post(f"/v1/runs/{silent}/redirect", json={"message": "no"}),
                told(waiting, NO_TEMPORAL),
            )
            assert parts == {
                "journal": "ok",
                "temporal": parts["temporal"],
                "namespace": "ok",
            }
            assert "did not answer" in parts["temporal"]
            refused(run, "temporal-unavailable")
            refused(command, "temporal-unavailable")
            view = (await stack.client.get(f"/v1/runs/{silent}")).json()
            assert (view["source"], view["status"]) == ("journal", "waiting")
            beats = [watcher.heartbeats for watcher in waiting]
            await asyncio.sleep(1)
            assert all(one.heartbeats > before for one, before in zip(waiting, beats, strict=True))
        await ready(stack)
        await stack.send(silent, f"approvals/{approval}", decision="deny")
    assert all(watcher.notices.count(NO_TEMPORAL) == 1 for watcher in waiting)
    assert not any(watcher.last_lines[0].startswith("retry") for watcher in (*waiting, *reading))
    await check_whole(stack, silent, *waiting)
    await check_whole(stack, busy, *reading)


async def test_a_temporal_that_is_killed_comes_back_with_all_its_runs(stack: DevStack) -> None:
    runs = [
        await stack.submit(
            {"say": TEXT, "every_ms": 10},
            {"call": "sleep", "arguments": {"seconds": 1}},
            {"say": TEXT, "every_ms": 5},
        )
        for _ in range(3)
    ]
    asked, approval = await asking(stack)
    async with watching(stack, *runs, asked) as watchers:
        await streaming(*(of_run[0] for of_run in watchers[:3]))
        for _ in range(2):
            [killed] = stack.pids_of("temporal")
            os.kill(killed, signal.SIGKILL)
            answer = await stack.client.post("/v1/runs", json={"agent": "assistant", "input": "1"})
            if answer.status_code == 202:
                assert (await stack.ended(answer.json()["run_id"]))["status"] == "completed"
            else:
                refused(answer, "temporal-unavailable")
            async with asyncio.timeout(5):
                while stack.pids_of("temporal") in ([], [killed]):
                    await asyncio.sleep(0.01)
        await ready(stack)
        await stack.send(asked, f"approvals/{approval}", decision="deny")
    for run_id, [watcher] in zip((*runs, asked), watchers, strict=True):
        await check_whole(stack, run_id, watcher)


async def test_without_a_worker_streams_hold_and_say_so_and_the_run_needs_attention(
    stack: DevStack,
) -> None:
    silent, approval = await asking(stack)
    async with watching(stack, silent, each=2) as [waiting]:
        with stopped(stack.state["workers"][0]["pid"]):
            queued = await stack.submit({"say": TEXT})
            await told(waiting, NO_WORKER)
            assert set((await readiness(stack)).values()) == {"ok"}
            view = (await stack.client.get(f"/v1/runs/{queued}")).json()
            assert (view["status"], view["attention"]) == ("queued", "no worker")
            view = (await stack.client.get(f"/v1/runs/{silent}")).json()
            assert view["attention"] is None, "it needs a person first"
            await stack.send(silent, f"approvals/{approval}", decision="deny")
        await stack.ended(queued)
    assert all(watcher.notices == [NO_WORKER] for watcher in waiting)
    for run_id in (silent, queued):
        assert (await stack.client.get(f"/v1/runs/{run_id}")).json()["attention"] is None
        await check_whole(stack, run_id)
    await check_whole(stack, silent, *waiting)
