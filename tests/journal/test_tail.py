"""What every journal guarantees of following a run while it is written."""

from __future__ import annotations

import asyncio
import statistics
import time
from datetime import UTC, datetime, timedelta

import pytest

from relayline.contracts.envelope import StoredEvent
from relayline.journal.port import CursorExpired, EventsLost, Journal, JournalUnavailable
from relayline.journal.table import EVERY
from tests.journal.samples import delta, end, fact, follow, fresh_run, seqs, tailing, texts


async def test_a_tail_gives_what_was_there_and_what_comes_and_ends_with_the_run(
    journal: Journal, other: Journal
) -> None:
    run = fresh_run()
    await journal.append(run, [fact("k"), delta()])
    following = asyncio.create_task(follow(other, run))
    for _ in range(30):
        await journal.append(run, [delta()])
        await asyncio.sleep(0.002)
    await journal.append(run, [end()])
    assert seqs(await following) == list(range(1, 34))


async def test_a_tail_starts_after_its_cursor(journal: Journal) -> None:
    run = fresh_run()
    await journal.append(run, [delta() for _ in range(5)])
    following = asyncio.create_task(follow(journal, run, 3))
    await asyncio.sleep(0.02)
    await journal.append(run, [delta(), end()])
    assert seqs(await following) == [4, 5, 6, 7]


async def test_a_tail_of_an_ended_run_gives_the_rest_and_ends(journal: Journal) -> None:
    run = fresh_run()
    await journal.append(run, [delta() for _ in range(1200)])
    await journal.append(run, [end()])
    assert seqs(await follow(journal, run)) == list(range(1, 1202))
    assert seqs(await follow(journal, run, 1200)) == [1201]
    assert await follow(journal, run, 1201) == []


async def test_a_tail_waits_for_a_run_that_is_not_known_yet(
    journal: Journal, other: Journal
) -> None:
    run = fresh_run()
    following = asyncio.create_task(follow(other, run))
    await asyncio.sleep(0.1)
    assert not following.done()
    await journal.append(run, [delta(), end()])
    assert seqs(await following) == [1, 2]


async def test_a_tail_ahead_of_the_run_is_told_so(journal: Journal) -> None:
    run = fresh_run()
    with pytest.raises(EventsLost, match="event 50 is lost, the newest is 0"):
        await follow(journal, run, 50)
    await journal.append(run, [delta(), end()])
    with pytest.raises(EventsLost, match="event 3 is lost, the newest is 2"):
        await follow(journal, run, 3)


async def test_a_tail_goes_on_from_an_event_only_while_that_stands(journal: Journal) -> None:
    run = fresh_run()
    await journal.append(run, [delta(f"{n}") for n in range(450)])
    await journal.append(run, [end()])
    stored = await journal.read(EVERY, run)
    for after in (stored[0], stored[249], stored[449]):
        assert seqs(await follow(journal, run, after)) == list(range(after.seq + 1, 452))
        with pytest.raises(EventsLost, match=f"event {after.seq} was replaced by another"):
            await follow(journal, run, after._replace(at_us=after.at_us - 1))
    assert await follow(journal, run, stored[450]) == []


async def test_several_tails_of_one_run_and_of_others_each_get_their_own(
    journal: Journal,
) -> None:
    runs = [fresh_run() for _ in range(3)]
    following = [asyncio.create_task(follow(journal, run)) for run in runs * 4]
    for n in range(40):
        await asyncio.gather(*(journal.append(run, [delta(f"{run}/{n}")]) for run in runs))
    await asyncio.gather(*(journal.append(run, [end()]) for run in runs))
    for run, events in zip(runs * 4, await asyncio.gather(*following), strict=True):
        assert texts(events) == [f"{run}/{n}" for n in range(40)]


async def test_tails_that_join_while_the_run_is_written_miss_nothing(journal: Journal) -> None:
    run = fresh_run()
    following: list[tuple[int, asyncio.Task[list[StoredEvent]]]] = []
    for n in range(200):
        after = n * 3 // 4
        following.append((after, asyncio.create_task(follow(journal, run, after))))
        await journal.append(run, [delta()])
    await journal.append(run, [end()])
    for after, task in following:
        assert seqs(await task) == list(range(after + 1, 202))


async def test_a_tail_that_is_not_consumed_holds_up_nobody_and_loses_nothing(
    journal: Journal,
) -> None:
    run = fresh_run()
    async with tailing(journal, run) as slow:
        waiting = asyncio.create_task(anext(slow))
        await journal.append(run, [delta("first")])
        got = list(await waiting)
        quick = asyncio.create_task(follow(journal, run))
        for _ in range(30):
            await journal.append(run, [delta("y" * 1000) for _ in range(100)])
        await journal.append(run, [end()])
        assert seqs(await quick) == list(range(1, 3003))
        async for batch in slow:
            got.extend(batch)
            await asyncio.sleep(0.01)
    assert seqs(got) == list(range(1, 3003))


async def test_a_tail_goes_on_after_nobody_watched_for_a_while(journal: Journal) -> None:
    run = fresh_run()
    for n in range(5):
        await journal.append(run, [delta()])
        async with asyncio.timeout(5), tailing(journal, run, n) as tail:
            assert seqs(await anext(tail)) == [n + 1]
        await asyncio.sleep(0.01)
    assert seqs(await journal.read(EVERY, run)) == [1, 2, 3, 4, 5]


async def test_a_tail_wakes_when_something_is_written(journal: Journal, other: Journal) -> None:
    async def wait_s() -> float:
        run, waits = fresh_run(), []
        async with tailing(other, run) as tail:
            for _ in range(30):
                waiting = asyncio.create_task(anext(tail))
                await asyncio.sleep(0.005)
                await journal.append(run, [delta()])
                appended = time.perf_counter()
                await waiting
                waits.append(time.perf_counter() - appended)
        return statistics.median(waits)

    assert min([await wait_s() for _ in range(3)]) < 0.1, "benchmarks tell how soon, on an idle one"


async def test_sweep_removes_the_events_of_runs_that_ended_before(
    journal: Journal, other: Journal
) -> None:
    old, young, live = fresh_run(), fresh_run(), fresh_run()
    await journal.append(old, [delta() for _ in range(450)])
    await journal.append(old, [end()])
    await asyncio.sleep(0.01)
    line = datetime.now(UTC)
    await journal.append(young, [end()])
    await journal.append(live, [delta()])
    assert await other.sweep(line) == 1
    assert await other.sweep(line) == 0
    assert await journal.head(EVERY, old) == (452, 451, True)
    assert seqs(await journal.read(EVERY, young)) == seqs(await journal.read(EVERY, live)) == [1]
    assert await journal.sweep(line + timedelta(days=1)) == 1


async def test_a_cursor_into_a_swept_run_is_told_what_is_still_there(journal: Journal) -> None:
    run = fresh_run()
    await journal.append(run, [delta(), delta(), end()])
    await journal.sweep(datetime.now(UTC) + timedelta(days=1))
    readings = (
        journal.read(EVERY, run, 2),
        journal.read(EVERY, run, facts=True),
        follow(journal, run, 1),
    )
    for reading in readings:
        with pytest.raises(CursorExpired, match="before 4") as caught:
            await reading
        assert caught.value.oldest == 4
    assert await journal.read(EVERY, run, 3) == []
    assert await follow(journal, run, 3) == []


async def test_writers_go_on_while_a_sweep_is_under_way(journal: Journal, other: Journal) -> None:
    for _ in range(5):  # a busy machine may be done with a sweep before it comes to an append
        waits = await waits_beside_a_sweep(journal, other)
        assert max(waits) < 2
        if len(waits) > 5:
            return
    raise AssertionError(waits)


async def waits_beside_a_sweep(journal: Journal, other: Journal) -> list[float]:
    """Seconds of each append that began while a long run was swept."""
    old, live, waits = fresh_run(), fresh_run(), list[float]()
    for _ in range(10):
        await journal.append(old, [delta("z" * 200) for _ in range(1000)])
    await journal.append(old, [end()])
    sweeping = asyncio.create_task(other.sweep(datetime.now(UTC) + timedelta(days=1)))
    while not sweeping.done():
        started = time.perf_counter()
        await journal.append(live, [delta()])
        waits.append(time.perf_counter() - started)
    assert await sweeping == 1
    return waits


async def test_closing_fails_open_tails_and_is_safe_to_repeat(journal: Journal) -> None:
    run = fresh_run()
    following = [asyncio.create_task(follow(journal, run)) for _ in range(3)]
    await asyncio.sleep(0.05)
    accepted = asyncio.create_task(journal.append(run, [delta()]))
    await asyncio.sleep(0)
    await asyncio.gather(journal.close(), journal.close())
    await journal.close()
    assert await accepted == [(1, True)]
    for task in following:
        with pytest.raises(JournalUnavailable, match="closed"):
            await task
    reads = (journal.read(EVERY, run), follow(journal, run))
    late = (journal.append(run, []), *reads, journal.check())
    for call in late:
        with pytest.raises(JournalUnavailable, match="closed"):
            await call
