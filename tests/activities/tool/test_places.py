"""The loop and the threads of tools: who holds them up is named, and a worker without them told."""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import Callable
from typing import Any

import pytest

from relayline.activities.tool import context as tool_context
from relayline.activities.tool import loop as tool_loop
from relayline.activities.tool.context import ToolThreads
from relayline.activities.tool.loop import ToolLoop
from relayline.activities.tool.output import Ending, Output
from relayline.catalog.tools import ToolContext, ToolError, tool
from relayline.contracts.events import ToolProgress
from tests.activities.tool.conftest import Bench, failure


async def test_a_tool_that_reports_without_a_pause_does_not_wake_the_worker_for_each_report(
    bench: Bench,
) -> None:
    @tool
    def eager(context: ToolContext) -> str:
        for n in range(20_000):
            context.progress(f"line {n}", "much" if n % 2 else math.nan)  # type: ignore[arg-type]
        return ""

    woken: list[object] = []
    loop: Any = asyncio.get_running_loop()
    plain = loop.call_soon_threadsafe

    def counted(callback: Any, *args: Any, **more: Any) -> Any:
        woken.append(callback)
        return plain(callback, *args, **more)

    loop.call_soon_threadsafe = counted
    try:
        await bench.run(eager)
    finally:
        loop.call_soon_threadsafe = plain
    assert len(woken) < 10_000
    last = (await bench.events("tool.progress"))[-1].body()
    assert isinstance(last, ToolProgress)
    assert last.message == "line 19999"
    assert last.fraction is None


async def test_threads_that_no_tool_gives_back_are_a_problem_of_the_worker(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tool_context, "FULL_S", 0.05)
    threads, hold = ToolThreads(limit=1), threading.Event()
    first = asyncio.create_task(threads.run(lambda: hold.wait(30)))
    await asyncio.sleep(0.1)
    assert threads.problem() is None  # full, but nobody was refused
    with pytest.raises(ToolError):
        await threads.run(lambda: None)
    assert threads.problem() is None
    await asyncio.sleep(0.1)
    assert "held all threads" in (threads.problem() or "")
    hold.set()
    await first
    assert threads.problem() is None


async def test_a_thread_that_the_system_refuses_takes_no_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    threads = ToolThreads(limit=1)

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as without:
        without.setattr(threading.Thread, "start", refuse)
        with pytest.raises(ToolError, match="can't start"):
            await threads.run(lambda: None)
    assert await threads.run(lambda: "free") == "free"


async def _eventually(found: Callable[[], str | None]) -> str:
    for _ in range(300):
        if problem := found():
            return problem
        await asyncio.sleep(0.01)
    raise AssertionError("it was never told")


async def test_the_tool_that_blocks_is_named_and_the_loop_is_lost_once_it_is_given_up(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(tool_loop, "LATE_S", 0.05)
    monkeypatch.setattr(tool_loop, "LOST_S", 0.1)
    tools, hold = ToolLoop(), threading.Event()

    async def inner() -> None:
        hold.wait(30)

    async def holding() -> Ending:
        await asyncio.create_task(inner())
        return Output("", truncated=False)

    async def waiting() -> Ending:
        await asyncio.sleep(0)
        return Output("waited", truncated=False)

    holder = tools.start("holding", holding)
    await asyncio.sleep(0.05)
    neighbour = tools.start("waiting", waiting)
    assert await _eventually(neighbour.held_by) == "holding"
    assert holder.held_by() is None
    for _ in range(20):
        await asyncio.sleep(0.01)
        assert tools.problem() is None  # somebody still waits for it
    holder.given_up = True
    assert "holding blocks all async tools" in await _eventually(tools.problem)
    assert [record.tool for record in caplog.records if "blocks all" in record.message] == [  # type: ignore[attr-defined]
        "holding"
    ]
    hold.set()
    assert (await neighbour.ended) == Output("waited", truncated=False)
    assert tools.problem() is None


@pytest.mark.slow
async def test_a_timed_out_tool_says_which_other_one_blocked_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tool_loop, "LATE_S", 0.1)
    threads, hold, began = ToolThreads(), threading.Event(), threading.Event()

    @tool
    async def selfish() -> str:
        began.set()
        hold.wait(30)
        return ""

    @tool(timeout_s=0.3, retries=0)
    async def patient() -> str:
        return ""

    other = Bench(bench.journal)
    await other.plan("selfish", {})
    first, _ = other.start(selfish, threads=threads)
    while not began.is_set():
        await asyncio.sleep(0.01)
    await bench.plan("patient", {})
    error = await failure(bench, patient, threads=threads)
    assert "selfish blocked all async tools" in error.message
    hold.set()
    await first
