"""Cancellation reaches the tool, and the journal says what became of it; and progress."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from temporalio.activity import ActivityCancellationDetails
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from relayline.activities.attempt import Attempt
from relayline.activities.tool.context import RunningTool, ToolThreads
from relayline.activities.whose.run import Caller, Whose
from relayline.catalog.tools import ToolContext, ToolError, tool
from relayline.contracts.errors import ErrorType
from relayline.contracts.keys import call_scope
from relayline.journal.port import Fence
from tests.activities.tool.conftest import CALL, RUN_CANCELLED, WORKER_STOPS, Bench

LONGER_S = 3.0
"""How long a tool goes on that does not stop."""
BEGUN = threading.Event()
"""Set once the tool runs."""


@tool
async def napping(seconds: float = 60) -> str:
    BEGUN.set()
    await asyncio.sleep(seconds)
    return "slept"


@tool
def watching(context: ToolContext) -> str:
    BEGUN.set()
    while not context.cancelled:
        time.sleep(0.01)
    return "half of it"


@tool
async def stubborn() -> str:
    BEGUN.set()
    end = time.monotonic() + LONGER_S
    while time.monotonic() < end:
        try:
            await asyncio.sleep(0.05)
        except asyncio.CancelledError:
            continue
    return "done all the same"


@tool
def deaf() -> str:
    BEGUN.set()
    time.sleep(LONGER_S)
    return "done all the same"


async def begun() -> None:
    """Return once the tool runs."""
    while not BEGUN.is_set():
        await asyncio.sleep(0.01)


async def cancelled(
    bench: Bench, tool: Any, details: ActivityCancellationDetails, stop_bound_s: float = 5
) -> Any:
    """What the attempt came to after it was cancelled while its tool ran."""
    await bench.plan(tool.spec.name, {})
    BEGUN.clear()
    task, env = bench.start(tool, stop_bound_s=stop_bound_s)
    await begun()
    env.cancel(details)
    [outcome] = await asyncio.gather(task, return_exceptions=True)
    return outcome


@pytest.mark.parametrize("made", [napping, watching])
async def test_a_tool_that_stops_when_the_run_is_cancelled_is_shown_as_cancelled(
    bench: Bench, made: Any
) -> None:
    began = time.monotonic()
    assert isinstance(await cancelled(bench, made, RUN_CANCELLED), asyncio.CancelledError)
    assert time.monotonic() - began < 4
    result = await bench.result()
    assert result.type == "tool.cancelled"
    assert (result.call_id, result.name) == (CALL, made.spec.name)
    assert (await bench.call(made, attempt=2)).status == "cancelled"


@pytest.mark.slow
@pytest.mark.parametrize("made", [stubborn, deaf])
async def test_a_tool_that_does_not_stop_is_abandoned_after_the_bound(
    bench: Bench, made: Any
) -> None:
    began = time.monotonic()
    outcome = await cancelled(bench, made, RUN_CANCELLED, stop_bound_s=0.2)
    assert isinstance(outcome, asyncio.CancelledError)
    assert time.monotonic() - began < LONGER_S
    assert (await bench.result()).type == "tool.abandoned"
    await asyncio.sleep(LONGER_S)  # what it does later is not journaled
    assert await bench.types() == ["tool.started", "tool.abandoned"]


@pytest.mark.slow
@pytest.mark.parametrize("made", [stubborn, deaf])
async def test_a_tool_that_finishes_before_it_could_be_stopped_has_finished(
    bench: Bench, made: Any
) -> None:
    outcome = await cancelled(bench, made, RUN_CANCELLED)
    assert outcome.preview == "done all the same"
    assert (await bench.result()).type == "tool.completed"


@pytest.mark.parametrize("made", [napping, watching])
@pytest.mark.parametrize("details", [WORKER_STOPS, ActivityCancellationDetails(timed_out=True)])
async def test_a_tool_that_the_worker_stopped_runs_again_in_the_next_attempt(
    bench: Bench, made: Any, details: ActivityCancellationDetails
) -> None:
    assert isinstance(await cancelled(bench, made, details), asyncio.CancelledError)
    assert await bench.types() == ["tool.started"]
    BEGUN.clear()
    task, env = bench.start(made, attempt=2)
    await begun()
    env.cancel(RUN_CANCELLED)
    await asyncio.gather(task, return_exceptions=True)
    assert await bench.types() == ["tool.started", "tool.started", "tool.cancelled"]


async def test_a_second_cancellation_does_not_keep_the_end_from_being_written(
    bench: Bench,
) -> None:
    @tool
    async def tidy() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.3)

    await bench.plan("tidy", {})
    task, env = bench.start(tidy)
    while "tool.started" not in await bench.types():
        await asyncio.sleep(0.01)
    env.cancel(RUN_CANCELLED)
    await asyncio.sleep(0.1)
    task.cancel()
    [outcome] = await asyncio.gather(task, return_exceptions=True)
    assert isinstance(outcome, asyncio.CancelledError)
    await asyncio.sleep(0.4)
    assert (await bench.result()).type == "tool.cancelled"


async def test_progress_is_shown_from_threads_bounded_and_without_losing_the_last_line(
    bench: Bench,
) -> None:
    @tool
    def busy(context: ToolContext) -> str:
        for n in range(1000):
            context.progress(f"{n} " + "x" * 2000, n / 500)
            time.sleep(0.0005)
        return context.idempotency_key

    began = time.monotonic()
    await bench.run(busy)
    lines = [event.body() for event in await bench.events("tool.progress")]
    assert 2 <= len(lines) <= 10 * (time.monotonic() - began) + 3
    for line in lines:
        assert line.type == "tool.progress"
        assert len(line.message) <= 1000
        assert line.fraction is not None
        assert 0 <= line.fraction <= 1
    last = lines[-1]
    assert last.type == "tool.progress"
    assert last.message.startswith("999 ")
    assert (await bench.types())[-1] == "tool.completed"
    assert (await bench.result()).output == f"{bench.run_id}/0/call/{CALL}"


async def test_progress_after_the_end_and_after_the_worker_is_dropped(bench: Bench) -> None:
    kept: list[ToolContext] = []

    @tool
    async def leaking(context: ToolContext) -> str:
        kept.append(context)
        return ""

    await bench.run(leaking)
    kept[0].progress("late")
    await asyncio.sleep(0.15)
    assert await bench.types() == ["tool.started", "tool.completed"]


async def test_progress_that_can_not_be_journaled_does_not_fail_the_tool(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    @tool
    async def overtaken(context: ToolContext) -> str:
        await bench.journal.append(bench.run_id, [], Fence(call_scope(0, CALL), 2))
        context.progress("unheard")
        await asyncio.sleep(0.2)
        return "x"

    with pytest.raises(ApplicationError) as raised:
        await bench.run(overtaken)
    assert raised.value.type == ErrorType.STALE_ATTEMPT
    assert "was not journaled" in caplog.text


async def test_tools_that_never_stop_can_not_take_all_threads() -> None:
    threads, hold = ToolThreads(limit=1), threading.Event()
    first = asyncio.create_task(threads.run(lambda: hold.wait(5)))
    await asyncio.sleep(0.01)
    with pytest.raises(ToolError, match="no thread left"):
        await threads.run(lambda: None)
    hold.set()
    assert await first
    assert await threads.run(lambda: "free again") == "free again"


async def test_a_thread_that_nobody_waits_for_is_free_again_when_it_ends() -> None:
    threads, hold = ToolThreads(limit=1), threading.Event()
    forgotten = asyncio.create_task(threads.run(lambda: hold.wait(5)))
    await asyncio.sleep(0.01)
    forgotten.cancel()
    hold.set()
    await asyncio.sleep(0.1)
    assert await threads.run(lambda: "free again") == "free again"


async def test_a_tool_that_outlives_its_worker_ends_quietly(bench: Bench) -> None:
    threads, hold, ended = ToolThreads(limit=1), threading.Event(), threading.Event()
    running: list[RunningTool] = []

    def work() -> None:
        hold.wait(5)
        running[0].progress("nobody is there")
        ended.set()

    async def worker() -> None:
        request = bench.request(napping.spec, "napping")
        attempt = Attempt(bench.journal, bench.run_id, 0, "scope")
        running.append(RunningTool(attempt, request, Caller(Whose("default"), None)))
        task = asyncio.create_task(threads.run(work))
        await asyncio.sleep(0.05)
        task.cancel()

    await asyncio.to_thread(lambda: asyncio.run(_in_activity(worker)))
    hold.set()
    assert await asyncio.to_thread(ended.wait, 5)


async def _in_activity(function: Callable[[], Awaitable[None]]) -> None:
    await ActivityEnvironment().run(function)
