"""A tail learns of commits without asking a thousand times a second."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from contextlib import aclosing
from pathlib import Path

import pytest

from relayline.journal.sqlite.journal import SqliteJournal
from relayline.journal.sqlite.watch.log_writes import LONGEST_S, POLL_S, LogWrites
from relayline.journal.table import EVERY
from tests.journal.samples import delta

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the kernel tells on Linux only")


def _sleeps(thread: threading.Thread) -> int:
    """How often the thread has slept so far."""
    status = Path(f"/proc/self/task/{thread.native_id}/status").read_text()
    [line] = [line for line in status.splitlines() if line.startswith("voluntary_ctxt")]
    return int(line.split()[1])


async def test_a_tail_of_a_silent_run_sleeps_nearly_all_the_time(tmp_path: Path) -> None:
    journal, others = (SqliteJournal(tmp_path / "journal.db") for _ in range(2))
    await others.append("run", [delta("a")])
    elsewhere = {*threading.enumerate()}  # of other tests, too
    async with aclosing(journal.tail(EVERY, "run")) as tail:
        assert [event.seq for event in await anext(tail)] == [1]
        fresh = {*threading.enumerate()} - elsewhere
        [watcher] = [thread for thread in fresh if thread.name == "journal-watcher"]
        before, began = _sleeps(watcher), time.monotonic()
        await asyncio.sleep(1)
        slept, took = _sleeps(watcher) - before, time.monotonic() - began
        await others.append("run", [delta("b")])
        assert [event.seq for event in await anext(tail)] == [2]
    assert slept < 2 * took / LONGEST_S
    await journal.close()
    await others.close()


def test_without_a_log_to_watch_it_polls(tmp_path: Path) -> None:
    writes = LogWrites(tmp_path / "none.db")
    writes.watch()
    began = time.monotonic()
    for _ in range(5):
        writes.sleep(found=False)
    assert time.monotonic() - began >= 5 * POLL_S
    writes.close()
