"""What every journal says of runs that have no end, and of sweeping a few at a time."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from relayline.journal.port import Fence, Journal
from relayline.journal.table import EVERY
from tests.journal.samples import delta, end, fresh_run


def soon() -> datetime:
    """A moment after everything that has been appended."""
    return datetime.now(UTC) + timedelta(seconds=5)


async def test_open_runs_are_those_without_a_terminal_fact(
    journal: Journal, other: Journal
) -> None:
    ended, open_, fenced = fresh_run(), fresh_run(), fresh_run()
    before = datetime.now(UTC)
    await journal.append(ended, [delta(), end()])
    await journal.append(open_, [delta(), delta()])
    await journal.append(fenced, [], Fence("call", 1))
    [found] = await other.open_runs(soon())
    assert found.run_id == open_
    assert before - timedelta(seconds=1) <= found.quiet_since <= datetime.now(UTC)
    await other.append(open_, [end()])
    assert await journal.open_runs(soon()) == []


async def test_open_runs_leave_out_those_that_are_not_quiet(journal: Journal) -> None:
    quiet, busy = fresh_run(), fresh_run()
    await journal.append(quiet, [delta()])
    await journal.append(busy, [delta()])
    await asyncio.sleep(0.01)
    line = datetime.now(UTC)
    await asyncio.sleep(0.01)
    await journal.append(busy, [delta()])
    assert [run.run_id for run in await journal.open_runs(line)] == [quiet]


async def test_open_runs_come_by_id_a_page_at_a_time(journal: Journal) -> None:
    runs = sorted(fresh_run() for _ in range(7))
    for run in runs:
        await journal.append(run, [delta()])
    found: list[str] = [""]
    for size in (3, 3, 1, 0):
        page = await journal.open_runs(soon(), after=found[-1], limit=3)
        assert len(page) == size
        found += [run.run_id for run in page]
    assert found[1:] == runs


async def test_a_bounded_sweep_takes_those_that_ended_first(journal: Journal) -> None:
    runs = [fresh_run() for _ in range(5)]
    for run in runs:
        await journal.append(run, [delta() for _ in range(250)])
        await journal.append(run, [end()])
        await asyncio.sleep(0.002)
    assert await journal.sweep(soon(), limit=2) == 2
    heads = [await journal.head(EVERY, run) for run in runs]
    assert [head.first_seq for head in heads if head] == [252, 252, 1, 1, 1]
    assert await journal.sweep(soon(), limit=2) == 2
    assert await journal.sweep(soon(), limit=2) == 1
    assert await journal.sweep(soon(), limit=2) == 0
