"""A worker's beats in a real thread on a real file; only the clock is the test's."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from relayline.journal.beats import Attempted, beats_path
from relayline.journal.port import Fence, Holder, JournalUnavailable
from relayline.journal.sqlite.beats import SqliteBeats
from relayline.journal.sqlite.journal import SqliteJournal
from relayline.runtime.beats.heart import STALL_S, Heart, Pulse
from relayline.runtime.beats.window import Timing

TIMING = Timing(beat_s=0.04, patience_s=0.08)
BOUND_S = 15


class Clock:
    """Seconds, as the test says."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


class Body:
    """A heart with what it has reported."""

    def __init__(self, path: Path, name: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.heart = Heart(lambda: SqliteBeats(path / "journal.db"), name, TIMING, clock)
        self.pulse = Pulse()
        self.told: list[str] = []
        self.late = set[str]()

    def _report(self, pulse: Pulse) -> None:
        self.pulse = pulse
        self.told += pulse.told
        self.late |= pulse.late

    @asynccontextmanager
    async def alive(self) -> AsyncIterator[Body]:
        async with self.heart.beating(self._report, lambda: True):
            yield self


async def until(check: Callable[[], bool]) -> None:
    async with asyncio.timeout(BOUND_S):
        while not check():
            await asyncio.sleep(0.005)


async def test_two_live_workers_see_each_other_and_leave_no_trace(tmp_path: Path) -> None:
    table = SqliteBeats(tmp_path / "journal.db")
    async with Body(tmp_path, "a").alive(), Body(tmp_path, "b").alive():
        before = await table.counters()
        assert before.keys() == {"a", "b"}
        await asyncio.sleep(0.2)
    assert await table.counters() == {}
    await table.close()


async def test_who_stands_still_is_late_until_it_beats_again(tmp_path: Path) -> None:
    table = SqliteBeats(tmp_path / "journal.db")
    await table.beat("dead", 7)
    async with Body(tmp_path, "a").alive() as body:
        await until(lambda: "dead" in body.pulse.late)
        await table.beat("dead", 8)
        await until(lambda: "dead" not in body.pulse.late)
        await until(lambda: "dead" in body.pulse.late)
        await table.leave("dead")
        await until(lambda: not body.pulse.late)
    await table.close()


class Looks(SqliteBeats):
    """Counts the looks at everybody's counters."""

    looks = 0

    async def counters(self) -> Mapping[str, int]:
        self.looks += 1
        return await super().counters()


@pytest.mark.slow
async def test_a_worker_looks_four_times_a_beat_only_while_there_are_others(tmp_path: Path) -> None:
    table = Looks(tmp_path / "journal.db")
    own = SqliteBeats(tmp_path / "journal.db")
    heart = Heart(lambda: table, "a", Timing(beat_s=0.4, patience_s=0.8))

    async def looks_per_beat() -> float:
        began, looks = (await own.counters())["a"], table.looks
        async with asyncio.timeout(BOUND_S):
            while (beats := (await own.counters())["a"] - began) < 4:
                await asyncio.sleep(0.005)
        return (table.looks - looks) / beats

    async with heart.beating(lambda _: None, lambda: True):
        assert await looks_per_beat() <= 1.5
        await own.beat("b", 1)
        await looks_per_beat()
        assert await looks_per_beat() > 1.5
        await own.leave("b")
        await looks_per_beat()
        assert await looks_per_beat() <= 1.5
    await own.close()


async def test_a_watcher_goes_by_its_own_clock_alone(tmp_path: Path) -> None:
    """It stands still: no time passes for the watcher; it jumps: that is a gap, no evidence."""
    table, clock = SqliteBeats(tmp_path / "journal.db"), Clock()
    await table.beat("other", 7)
    async with Body(tmp_path, "a", clock).alive() as body:
        await asyncio.sleep(5 * TIMING.patience_s)
        for _ in range(5):
            clock.now_s += 86_400
            await asyncio.sleep(3 * TIMING.read_s)
        assert not body.late
    await table.close()


async def test_while_nobody_can_write_a_worker_is_unable_and_judges_nobody(tmp_path: Path) -> None:
    table = SqliteBeats(tmp_path / "journal.db")
    await table.beat("other", 7)
    async with Body(tmp_path, "a").alive() as body:
        lock = sqlite3.connect(beats_path(tmp_path / "journal.db"), isolation_level=None)
        lock.execute("BEGIN IMMEDIATE")
        await until(lambda: not body.pulse.able)
        assert not body.pulse.late
        lock.execute("ROLLBACK")
        lock.close()
        await until(lambda: body.pulse.able)
        await until(lambda: "other" in body.pulse.late)
    await table.close()


@pytest.mark.slow
async def test_a_worker_that_can_t_write_its_first_beat_does_not_start(tmp_path: Path) -> None:
    beats_path(tmp_path / "journal.db").mkdir()
    with pytest.raises(JournalUnavailable, match="first beat"):
        async with Body(tmp_path, "a").alive():
            pass


@pytest.mark.slow
async def test_a_loop_that_does_not_turn_does_not_beat(tmp_path: Path) -> None:
    table = SqliteBeats(tmp_path / "journal.db")
    async with Body(tmp_path, "a").alive() as body:
        time.sleep(STALL_S + 0.5)  # noqa: ASYNC251  that is the fault
        first = (await table.counters())["a"]
        time.sleep(0.5)  # noqa: ASYNC251
        assert (await table.counters())["a"] == first
        await until(lambda: body.pulse.able)
        await asyncio.sleep(0.2)
        assert (await table.counters())["a"] > first
    await table.close()


async def test_ended_calls_are_released_and_runs_told_of_reach_every_worker(
    tmp_path: Path,
) -> None:
    journal, table = SqliteJournal(tmp_path / "journal.db"), SqliteBeats(tmp_path / "journal.db")
    async with Body(tmp_path, "a").alive() as one, Body(tmp_path, "b").alive() as other:
        await journal.append("run", [], Fence("call", 1, Holder("a", "1", b"token")))
        assert len(await table.held("a")) == 1
        one.heart.release(Attempted("run", "call", 1))
        async with asyncio.timeout(BOUND_S):
            while await table.held("a"):
                await asyncio.sleep(0.01)
        one.heart.tell("run")
        await until(lambda: "run" in other.told)
    await table.close()
    await journal.close()
