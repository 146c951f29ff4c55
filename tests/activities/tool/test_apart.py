"""Tools run apart: nothing that one raises or blocks reaches its worker or another run."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Annotated, Any

import pytest
from pydantic import AfterValidator
from temporalio.testing import ActivityEnvironment

from relayline.activities.tool import loop as tool_loop
from relayline.activities.tool.call import ToolActivities
from relayline.activities.tool.context import ToolThreads
from relayline.activities.tool.loop import ToolLoop
from relayline.activities.tool.output import Ending, Output
from relayline.catalog.tools import Tool, ToolError, tool
from relayline.contracts.calls import CheckRequest
from relayline.contracts.errors import ErrorType
from relayline.journal.port import Journal
from tests.activities.tool.conftest import Bench, failure


class Wordless(Exception):
    def __str__(self) -> str:
        raise KeyboardInterrupt


class Bare(ToolError):
    def __init__(self) -> None:  # without `retryable`, and without words
        pass


class Other(BaseException):
    pass


def _group() -> BaseException:
    return BaseExceptionGroup("in a task group", [ValueError("INNER"), KeyboardInterrupt()])


RAISED: list[tuple[Callable[[], BaseException], str]] = [
    (KeyboardInterrupt, "KeyboardInterrupt"),
    (GeneratorExit, "GeneratorExit"),
    (StopIteration, "StopIteration"),
    (Other, "Other"),
    (Wordless, "Wordless"),
    (Bare, "Bare"),
    (_group, "ValueError: INNER; KeyboardInterrupt"),
]


HOLD = threading.Event()


def _interrupting(_: object) -> Any:
    raise KeyboardInterrupt


def _wordless(_: object) -> Any:
    raise ValueError(Wordless())


def _blocking(value: str) -> str:
    HOLD.wait(30)
    return value


def _raising(make: Callable[[], BaseException], *, asynchronous: bool) -> Tool:
    @tool(name="raising", retries=0)
    async def in_loop() -> str:
        raise make()

    @tool(name="raising", retries=0)
    def in_thread() -> str:
        raise make()

    return in_loop if asynchronous else in_thread


@pytest.mark.parametrize("asynchronous", [True, False])
@pytest.mark.parametrize(("make", "told"), RAISED)
async def test_whatever_a_tool_raises_fails_its_call_once(
    bench: Bench, make: Callable[[], BaseException], told: str, asynchronous: bool
) -> None:
    await bench.plan("raising", {})
    error = await failure(bench, _raising(make, asynchronous=asynchronous))
    assert told in error.message
    assert (error.type, error.non_retryable) == (ErrorType.TOOL_FAILED, True)
    assert await bench.types() == ["tool.started", "tool.failed"]


@pytest.mark.parametrize("raised", [KeyboardInterrupt, SystemExit])
async def test_a_task_of_a_tool_can_not_end_the_loop_of_the_others(
    bench: Bench, raised: type[BaseException]
) -> None:
    async def child() -> None:
        raise raised

    @tool(retries=0)
    async def grouped() -> str:
        async with asyncio.TaskGroup() as group:
            group.create_task(child())
        return ""

    @tool(retries=0)
    async def stopping() -> str:
        asyncio.get_running_loop().stop()
        await asyncio.sleep(0.01)
        return "still here"

    await bench.plan("grouped", {})
    told = (await failure(bench, grouped)).message
    assert ("exit()" if raised is SystemExit else raised.__name__) in told
    assert (await Bench(bench.journal).run(stopping)).preview == "still here"


async def test_a_validator_may_raise_anything(bench: Bench, journal: Journal) -> None:
    @tool(retries=0)
    def first(value: Annotated[str, AfterValidator(_interrupting)]) -> str:
        return value

    @tool(retries=0)
    def second(value: Annotated[str, AfterValidator(_wordless)]) -> str:
        return value

    for made in (first, second):
        other = Bench(bench.journal)
        await other.plan(made.spec.name, {"value": ""})
        assert (await failure(other, made)).type == ErrorType.BAD_ARGUMENTS
        activities = ToolActivities(journal, {made.spec.name: made})
        request = CheckRequest(tool=made.spec, arguments={"value": ""})
        assert (await ActivityEnvironment().run(activities.check_arguments, request)).problem


async def test_a_validator_that_never_returns_fails_the_call(bench: Bench) -> None:
    @tool(timeout_s=0.2, retries=0)
    def checked(value: Annotated[str, AfterValidator(_blocking)]) -> str:
        return value

    await bench.plan("checked", {"value": ""})
    assert (await failure(bench, checked)).type == ErrorType.TOOL_TIMED_OUT
    HOLD.set()


async def test_an_error_of_the_worker_s_own_is_counted_like_the_tool_s(bench: Bench) -> None:
    @tool(retries=0)
    def plain() -> str:
        return ""

    class Broken(ToolThreads):
        async def run(self, function: Callable[[], Any]) -> Any:
            raise RuntimeError("can't start new thread")

    await bench.plan("plain", {})
    task, _ = bench.start(plain, threads=Broken())
    [error] = await asyncio.gather(task, return_exceptions=True)
    assert "can't start new thread" in str(error)
    assert await bench.types() == ["tool.failed"]


async def test_an_async_tool_that_blocks_does_not_block_the_worker(bench: Bench) -> None:
    @tool
    async def blocking() -> str:
        time.sleep(1.5)  # noqa: ASYNC251  as people do
        return "done"

    await bench.plan("blocking", {})
    task, _ = bench.start(blocking)
    longest, before = 0.0, time.monotonic()
    while not task.done():
        await asyncio.sleep(0.01)
        longest, before = max(longest, time.monotonic() - before), time.monotonic()
    assert (await task).preview == "done"
    assert longest < 1
    assert bench.heartbeats >= 2


async def test_async_tools_keep_the_context_variables_of_their_call_and_share_a_loop(
    bench: Bench,
) -> None:
    seen: list[tuple[asyncio.AbstractEventLoop, str]] = []
    threads = ToolThreads()

    @tool
    async def looking() -> str:
        from temporalio import activity  # noqa: PLC0415

        seen.append((asyncio.get_running_loop(), activity.info().activity_type))
        return ""

    for _ in range(2):
        other = Bench(bench.journal)
        await other.plan("looking", {})
        await other.start(looking, threads=threads)[0]
    assert seen[0] == seen[1]
    assert seen[0][0] is not asyncio.get_running_loop()


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
