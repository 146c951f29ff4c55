"""A whole stack whose journal is locked, full or gone for a while: late, but whole."""

from __future__ import annotations

import asyncio
import resource
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from relayline.journal.sqlite.file import BUSY_WAIT_S
from tests.dev_stack import DevStack
from tests.faults.watching import (
    beating,
    check_whole,
    readiness,
    ready,
    refused,
    streaming,
    watching,
)

WATCHERS = 3
TEXT = " ".join(f"word{number}" for number in range(100))
SCRIPT: tuple[dict[str, Any], ...] = (
    {"say": TEXT, "every_ms": 50},
    {"call": "calculate", "arguments": {"expression": "6*7"}},
    {"say": TEXT, "every_ms": 5},
)


def journal_of(stack: DevStack) -> Path:
    return stack.data_dir / "journal.db"


@contextmanager
def locked(stack: DevStack) -> Iterator[None]:
    """Another program begins to write and does not end."""
    with closing(sqlite3.connect(journal_of(stack), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


@contextmanager
def no_room(*pids: int) -> Iterator[None]:
    """Those processes can make no file longer than a page."""
    unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    for pid in pids:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
    try:
        yield
    finally:
        for pid in pids:
            resource.prlimit(pid, resource.RLIMIT_FSIZE, unlimited)


@contextmanager
def moved_away(path: Path) -> Iterator[None]:
    """Somebody moves the file, and puts it back."""
    away = path.with_name("away.db")
    path.rename(away)
    try:
        yield
        assert not path.exists(), "somebody made a new journal"
    finally:
        away.rename(path)


async def test_a_locked_journal_holds_runs_and_streams_until_it_is_free(stack: DevStack) -> None:
    run_id = await stack.submit(*SCRIPT)
    async with watching(stack, run_id, each=WATCHERS) as [watchers]:
        await streaming(*watchers)
        with locked(stack):
            assert "lock" in (await readiness(stack))["journal"]
            page = await stack.client.get(f"/v1/runs/{run_id}/events")
            assert page.status_code == 200, "reading goes on"
            late = await stack.submit(*SCRIPT)
            await asyncio.sleep(BUSY_WAIT_S + 1)
            await beating(watchers, 3)
        await ready(stack)
    assert (await stack.ended(late))["status"] == "completed"
    assert not any(watcher.notices or watcher.refusals for watcher in watchers)
    await check_whole(stack, run_id, *watchers)
    await check_whole(stack, late)


async def test_a_full_disk_holds_runs_and_streams_until_there_is_room(stack: DevStack) -> None:
    run_id = await stack.submit(*SCRIPT)
    async with watching(stack, run_id, each=WATCHERS) as [watchers]:
        await streaming(*watchers)
        state = stack.state
        with no_room(state["api"]["pid"], *(worker["pid"] for worker in state["workers"])):
            assert "unavailable" in (await readiness(stack))["journal"]
            before = len(await stack.events(run_id))
            await asyncio.sleep(2)
            assert len(await stack.events(run_id)) == before
            await beating(watchers, 2)
        assert (await readiness(stack))["journal"] == "ok"
    journal = await check_whole(stack, run_id, *watchers)
    assert "attempt.superseded" in [event["type"] for event in journal]


async def test_a_journal_that_is_gone_is_missed_and_never_made_anew(stack: DevStack) -> None:
    run_id = await stack.submit(*SCRIPT)
    async with watching(stack, run_id, each=WATCHERS) as [watchers]:
        await streaming(*watchers)
        with moved_away(journal_of(stack)):
            assert "gone" in (await readiness(stack))["journal"]
            refused(await stack.client.get(f"/v1/runs/{run_id}/events"), "journal-unavailable")
            killed = stack.kill_worker()
            await asyncio.sleep(2.5)
            assert stack.state["workers"][0]["pid"] != killed
            await beating(watchers, 2)
        await ready(stack)
    await check_whole(stack, run_id, *watchers)
