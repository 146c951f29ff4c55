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

from relayline.activities.tool.call import ToolActivities
from relayline.activities.tool.context import ToolThreads
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
