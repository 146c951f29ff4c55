"""Resources of tools: started once with the first call, shared, stopped with the worker."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator
from typing import Annotated

import pytest

from relayline.activities.tool.context import ToolThreads
from relayline.activities.tool.loop import ToolLoop
from relayline.activities.tool.resources import NotStarted, Resources
from relayline.catalog.resources import resource
from relayline.catalog.tools import tool
from relayline.runtime.redaction import HIDDEN, Redactor
from tests.activities.tool.conftest import Bench, failure

KEY = "sk-0123456789abcdef0123"


class Pool:
    """Belongs to the loop that it was made in, as asyncio's own things do."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.task = asyncio.current_task()
        self.closed_in: object = None


class Site:
    """How the resource `pool` starts, and what became of it."""

    def __init__(self) -> None:
        self.pools: list[Pool] = []
        self.order: list[str] = []
        self.fails: Exception | None = None
        self.holds = False


SITES = [Site()]
"""The newest is that of the test that runs."""


@pytest.fixture
def site() -> Site:
    SITES.append(Site())
    return SITES[-1]


@resource(sync=True)
async def pool() -> AsyncIterator[Pool]:
    site = SITES[-1]
    site.order.append("start")
    if site.fails:
        raise site.fails
    while site.holds:
        await asyncio.sleep(0.01)
    made = Pool()
    site.pools.append(made)
    yield made
    made.closed_in = asyncio.current_task()
    site.order.append("stop")


@tool(retries=1)
async def looks(pool: Annotated[Pool, pool]) -> str:
    """Look into the pool, in its loop."""
    assert asyncio.get_running_loop() is pool.loop
    return f"{len(SITES[-1].pools)}"


@tool
def threaded(pool: Annotated[Pool, pool]) -> str:
    """Look from a thread."""
    return f"{threading.current_thread().name} {pool is SITES[-1].pools[0]}"


@tool(effects="unsafe", retries=1)
async def pays(pool: Annotated[Pool, pool]) -> str:
    """Do what can't be undone."""
    return "paid"


async def look(bench: Bench, threads: ToolThreads) -> str:
    """What the tool finds in a run of its own."""
    other = Bench(bench.journal)
    await other.plan("looks", {})
    await other.call(looks, threads=threads)
    output: str = (await other.result()).output
    return output


async def test_a_resource_starts_with_the_first_call_and_is_shared(
    bench: Bench, site: Site
) -> None:
    threads = ToolThreads()
    assert [await look(bench, threads) for _ in range(3)] == ["1", "1", "1"]
    assert site.order == ["start"]
    await threads.resources.close()
    assert site.order == ["start", "stop"]
    [pool] = site.pools
    assert pool.closed_in is pool.task, "one task, so that cancel scopes and task groups work"


async def test_calls_at_the_same_time_start_it_once(bench: Bench, site: Site) -> None:
    threads = ToolThreads()
    site.holds = True
    calls = [asyncio.ensure_future(look(bench, threads)) for _ in range(5)]
    async with asyncio.timeout(10):
        while not site.order:
            await asyncio.sleep(0.01)
    site.holds = False
    await asyncio.gather(*calls)
    assert (site.order, len(site.pools)) == (["start"], 1)
    await threads.resources.close()


async def test_a_tool_in_a_thread_gets_those_that_may_be_used_there(
    bench: Bench, site: Site
) -> None:
    threads = ToolThreads()
    await bench.plan("threaded", {})
    await bench.call(threaded, threads=threads)
    assert (await bench.result()).output == "tool True"
    await threads.resources.close()
    assert site.order == ["start", "stop"]


async def test_one_that_does_not_start_fails_the_call_and_the_next_tries_again(
    bench: Bench, site: Site
) -> None:
    threads = ToolThreads()
    site.fails = ConnectionRefusedError(f"no database with {KEY}")
    await bench.plan("looks", {})
    clean = Redactor([KEY]).clean
    error = await failure(bench, looks, threads=threads, clean=clean)
    assert "the resource pool did not start: ConnectionRefusedError: no database" in error.message
    assert (HIDDEN in error.message, error.non_retryable) == (True, False)
    site.fails = None
    await bench.call(looks, attempt=2, threads=threads)
    assert (await bench.result()).output == "1"
    assert site.order == ["start", "start"]
    await threads.resources.close()


async def test_an_unsafe_tool_is_not_claimed_before_its_resource_is_there(
    bench: Bench, site: Site
) -> None:
    threads = ToolThreads()
    site.fails = OSError("not yet")
    await bench.plan("pays", {})
    error = await failure(bench, pays, threads=threads)
    assert not error.non_retryable
    assert await bench.types() == ["tool.failed"]
    site.fails = None
    await bench.call(pays, attempt=2, threads=threads)
    assert await bench.types() == ["tool.failed", "tool.started", "tool.completed"]
    await threads.resources.close()


async def test_a_slow_start_fails_a_call_in_its_time_and_goes_on_for_the_next(
    site: Site,
) -> None:
    resources = Resources(ToolLoop())
    site.holds = True
    with pytest.raises(NotStarted, match=r"it takes more than 0\.05 s"):
        await resources.given({"pool": pool}, 0.05)
    site.holds = False
    assert await resources.given({"pool": pool}, 10) == {"pool": site.pools[0]}
    assert site.order == ["start"]
    await resources.close()


async def test_a_start_without_end_is_given_up(site: Site) -> None:
    resources = Resources(ToolLoop(), start_s=0.05)
    site.holds = True
    with pytest.raises(NotStarted, match=r"it takes more than 0\.05 s"):
        await resources.given({"pool": pool}, 10)
    site.holds = False
    assert await resources.given({"pool": pool}, 10)
    await resources.close()


async def test_resources_stop_in_reverse_and_one_that_fails_stops_no_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    order: list[str] = []

    @resource
    async def first() -> AsyncIterator[int]:
        yield 1
        order.append("first")

    @resource
    async def second() -> AsyncIterator[int]:
        yield 2
        order.append("second")
        raise ValueError("as it stops")

    resources = Resources(ToolLoop())
    given = await resources.given({"a": first, "b": second}, 10)
    assert given == {"a": 1, "b": 2}
    with caplog.at_level(logging.WARNING):
        await resources.close()
    assert order == ["second", "first"]
    assert "a resource did not stop" in caplog.text


async def test_a_stop_without_end_does_not_hold_up_the_worker() -> None:
    @resource
    async def stubborn() -> AsyncIterator[int]:
        yield 1
        await asyncio.Event().wait()

    resources = Resources(ToolLoop(), stop_s=0.1)
    await resources.given({"a": stubborn}, 10)
    async with asyncio.timeout(10):
        await resources.close()


async def test_without_a_call_nothing_is_started_or_stopped() -> None:
    loop = ToolLoop()
    await Resources(loop).close()
    assert not loop.is_started
