"""A run that was told of and did not begin leaves nothing; one that began stays."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from relayline.contracts.envelope import NewEvent
from relayline.journal.port import Fence
from relayline.journal.table import EVERY, RunFilter, Storage
from relayline.projections.row import row_of
from tests.journal.outbox import added, planned
from tests.journal.rows import STARTED, fresh_id, keyed, queued
from tests.journal.samples import delta, end, fact

METADATA = {"user": "ann"}
FOUND_BY = (RunFilter(), RunFilter(metadata=METADATA), RunFilter(words=("bug",)))


async def found(table: Storage, run: str) -> list[bool]:
    """Whether each of the lists has the run."""
    lists = [await table.list_runs(EVERY, wanted, 100) for wanted in FOUND_BY]
    return [run in {listed.row.run_id for listed in runs} for runs in lists]


async def test_a_run_that_is_withdrawn_leaves_nothing(table: Storage, other_table: Storage) -> None:
    run = fresh_id()
    await table.append(run, keyed(queued(metadata=METADATA)))
    assert await found(other_table, run) == [True] * 3
    assert await other_table.withdraw(run)
    assert await found(table, run) == [False] * 3
    assert await table.listed(EVERY, run) is None
    assert await table.head(EVERY, run) is None
    assert await table.read(EVERY, run) == []
    assert not await table.withdraw(run)


async def test_a_withdrawn_run_that_begins_after_all_comes_back(
    table: Storage, other_table: Storage
) -> None:
    run = fresh_id()
    await table.append(run, keyed(queued(metadata=METADATA)))
    await other_table.withdraw(run)
    placed = await table.append(run, keyed(queued(metadata=METADATA), STARTED), Fence("0", 1))
    assert placed == [(1, True), (2, True)]
    assert await found(other_table, run) == [True] * 3
    listed = await table.listed(EVERY, run)
    assert listed is not None
    assert listed.row == row_of(await table.read(EVERY, run, facts=True))


@pytest.mark.parametrize(
    "events",
    [keyed(queued(), STARTED), [*keyed(queued()), delta()], [fact("k")], [delta()], [end()], []],
    ids=("started", "said", "another", "older", "ended", "unknown"),
)
async def test_every_other_run_stays(table: Storage, events: list[NewEvent]) -> None:
    run = fresh_id()
    await table.append(run, events)
    before = await table.listed(EVERY, run)
    assert not await table.withdraw(run)
    assert len(await table.read(EVERY, run)) == len(events)
    assert await table.listed(EVERY, run) == before


async def test_a_run_begins_or_is_withdrawn_and_is_whole_either_way(
    table: Storage, other_table: Storage
) -> None:
    withdrawn = 0
    for _ in range(20):
        run = fresh_id()
        await table.append(run, keyed(queued()))
        begin = other_table.append(run, keyed(queued(), STARTED))
        gone, placed = await asyncio.gather(table.withdraw(run), begin)
        withdrawn += gone
        assert [place.seq for place in placed] == [1, 2]
        assert placed[0].new is gone
        events = await table.read(EVERY, run)
        assert [event.type for event in events] == ["run.queued", "run.started"]
        listed = await other_table.listed(EVERY, run)
        assert listed is not None
        assert listed.row == row_of(events)
    assert withdrawn <= 20


async def test_who_looks_at_a_list_hears_of_a_run_that_is_gone(
    table: Storage, other_table: Storage
) -> None:
    run = fresh_id()
    async with asyncio.timeout(20), aclosing(table.changed_runs()) as told:
        assert await anext(told) is None
        await table.append(run, keyed(queued()))
        assert await anext(told) == frozenset({run})
        await other_table.withdraw(run)
        assert await anext(told) in (None, frozenset({run}))  # None: any may have changed


@pytest.mark.parametrize("is_planned", [False, True])
async def test_receivers_get_nothing_of_a_withdrawn_run(
    table: Storage, other_table: Storage, *, is_planned: bool
) -> None:
    receiver, run = await added(table), fresh_id()
    await table.append(run, keyed(queued()))
    if is_planned:
        assert await planned(table.webhooks, receiver) == [(run, 1)]
    await other_table.withdraw(run)
    assert await planned(table.webhooks, receiver) == []
    await table.append(run, keyed(queued()))
    assert await planned(table.webhooks, receiver) == [(run, 1)]
