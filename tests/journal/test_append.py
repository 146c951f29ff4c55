"""What every journal guarantees of appending and reading."""

from __future__ import annotations

import asyncio
import time

import pytest

from relayline.journal.port import (
    SEALED,
    Appended,
    Fence,
    Head,
    Journal,
    RunEnded,
    StaleAttempt,
    Unstorable,
)
from relayline.journal.table import EVERY
from tests.journal.samples import delta, end, fact, fresh_run, seqs, texts


async def test_events_are_numbered_from_one_without_gaps(journal: Journal) -> None:
    run = fresh_run()
    assert await journal.append(run, [delta("a"), delta("b")]) == [(1, True), (2, True)]
    assert await journal.append(run, [delta("c")]) == [Appended(3, new=True)]
    assert texts(await journal.read(EVERY, run)) == ["a", "b", "c"]
    assert await journal.head(EVERY, run) == Head(first_seq=1, last_seq=3, ended=False)


async def test_an_event_is_read_as_it_was_written(journal: Journal) -> None:
    run, before = fresh_run(), time.time_ns() // 1000
    event = fact("0/input", 'quote " newline \n snowman ☃ nul \0')
    await journal.append(run, [event.model_copy(update={"step": 3, "attempt": 2})])
    [stored] = await journal.read(EVERY, run)
    assert stored.body() == event.body
    assert stored[:2] == (run, 1)
    assert stored[3:7] == ("message.user", 3, 2, "0/input")
    assert before <= stored.at_us <= time.time_ns() // 1000


async def test_runs_are_numbered_apart(journal: Journal) -> None:
    one, two = fresh_run(), fresh_run()
    await journal.append(one, [fact("k"), delta()])
    assert await journal.append(two, [fact("k")]) == [(1, True)]


async def test_a_known_key_changes_nothing_and_gives_the_first_seq(journal: Journal) -> None:
    run = fresh_run()
    await journal.append(run, [delta(), fact("k", "first")])
    assert await journal.append(run, [fact("k", "second"), delta()]) == [(2, False), (3, True)]
    assert texts(await journal.read(EVERY, run)) == ["x", "first", "x"]


async def test_a_key_twice_in_one_append_is_written_once(journal: Journal) -> None:
    run = fresh_run()
    assert await journal.append(run, [fact("k", "1"), fact("k", "2")]) == [(1, True), (1, False)]
    assert texts(await journal.read(EVERY, run)) == ["1"]


async def test_a_lower_attempt_is_refused_whole(journal: Journal, other: Journal) -> None:
    run = fresh_run()
    await journal.append(run, [fact("k")], Fence("call", 2))
    with pytest.raises(StaleAttempt, match=r"'call'.*attempt 2"):
        await other.append(run, [fact("k"), fact("new"), delta()], Fence("call", 1))
    assert seqs(await other.read(EVERY, run)) == [1]


async def test_the_same_and_higher_attempts_and_other_scopes_go_on(journal: Journal) -> None:
    run = fresh_run()
    for fence in (Fence("a", 2), Fence("a", 2), Fence("a", 3), Fence("b", 1), None):
        await journal.append(run, [delta()], fence)
    assert seqs(await journal.read(EVERY, run)) == [1, 2, 3, 4, 5]


async def test_the_highest_attempt_under_a_scope_is_known(journal: Journal, other: Journal) -> None:
    run = fresh_run()
    assert await journal.fenced(run, "call") == 0
    await journal.append(run, [], Fence("call", 2))
    await journal.append(run, [], Fence("another", 3))
    with pytest.raises(StaleAttempt):
        await journal.append(run, [], Fence("call", 1))
    assert await other.fenced(run, "call") == 2
    assert await other.fenced(fresh_run(), "call") == 0


async def test_an_append_without_events_raises_the_fence_only(journal: Journal) -> None:
    run = fresh_run()
    assert await journal.append(run, [], Fence("call", SEALED)) == []
    assert await journal.head(EVERY, run) is None
    assert await journal.read(EVERY, run) == []
    with pytest.raises(StaleAttempt):
        await journal.append(run, [delta()], Fence("call", 7))
    assert await journal.append(run, []) == []
    assert await journal.append(run, [delta()]) == [(1, True)]


async def test_a_refused_append_does_not_raise_its_fence(journal: Journal) -> None:
    run = fresh_run()
    await journal.append(run, [end()])
    with pytest.raises(RunEnded):
        await journal.append(run, [delta()], Fence("call", 9))
    assert await journal.append(run, [end()], Fence("call", 1)) == [(1, False)]


async def test_nothing_new_comes_after_the_terminal_fact(journal: Journal) -> None:
    run = fresh_run()
    await journal.append(run, [fact("k"), end()])
    assert await journal.head(EVERY, run) == Head(first_seq=1, last_seq=2, ended=True)
    with pytest.raises(RunEnded, match=run):
        await journal.append(run, [fact("k"), delta()])
    assert await journal.append(run, [fact("k"), end()]) == [(1, False), (2, False)]
    assert seqs(await journal.read(EVERY, run)) == [1, 2]


async def test_an_append_with_more_after_its_terminal_fact_is_refused_whole(
    journal: Journal,
) -> None:
    run = fresh_run()
    with pytest.raises(RunEnded):
        await journal.append(run, [delta(), end(), delta()])
    assert await journal.head(EVERY, run) is None
    assert await journal.append(run, [fact("k"), end(), fact("k")]) == [
        (1, True),
        (2, True),
        (1, False),
    ]


async def test_pages_are_bounded_in_bytes_but_have_one_event_at_least(journal: Journal) -> None:
    run = fresh_run()
    large, events = "é" * 100_000, [fact("a"), delta(), fact("b"), delta(), delta()]
    await journal.append(run, [*events, fact("large", large), fact("last")])
    sizes = [len(event.data.encode()) for event in await journal.read(EVERY, run)]
    assert sizes[5] > 200_000
    assert seqs(await journal.read(EVERY, run, max_bytes=sum(sizes[:3]))) == [1, 2, 3]
    assert seqs(await journal.read(EVERY, run, max_bytes=sum(sizes[:3]) - 1)) == [1, 2]
    assert seqs(await journal.read(EVERY, run, 1, 2, max_bytes=1_000_000)) == [2, 3]
    assert seqs(await journal.read(EVERY, run, 3, max_bytes=sizes[5])) == [4, 5]
    assert seqs(await journal.read(EVERY, run, 5, max_bytes=1)) == [6]
    assert seqs(await journal.read(EVERY, run, 5, max_bytes=sum(sizes))) == [6, 7]
    assert seqs(await journal.read(EVERY, run, facts=True, max_bytes=2 * sizes[0])) == [1, 3]
    assert await journal.read(EVERY, run, 7, max_bytes=1) == []


async def test_pages_are_bounded_and_follow_on(journal: Journal) -> None:
    run = fresh_run()
    await journal.append(run, [fact("a"), delta(), delta(), fact("b"), delta()])
    assert seqs(await journal.read(EVERY, run, 0, 2)) == [1, 2]
    assert seqs(await journal.read(EVERY, run, 2, 2)) == [3, 4]
    assert seqs(await journal.read(EVERY, run, 4, 2)) == [5]
    assert await journal.read(EVERY, run, 5) == []
    assert await journal.read(EVERY, run, 0, 0) == []
    assert seqs(await journal.read(EVERY, run, facts=True)) == [1, 4]
    assert seqs(await journal.read(EVERY, run, 1, 1, facts=True)) == [4]


async def test_a_fact_is_found_by_its_key(journal: Journal) -> None:
    run = fresh_run()
    await journal.append(run, [delta(), fact("k", "it")])
    found = await journal.get(EVERY, run, "k")
    assert found is not None
    assert (found.seq, texts([found])) == (2, ["it"])
    assert await journal.get(EVERY, run, "other") is None
    assert await journal.get(EVERY, fresh_run(), "k") is None


async def test_an_unknown_run_reads_as_empty(journal: Journal) -> None:
    assert await journal.read(EVERY, fresh_run(), 5) == []
    assert await journal.head(EVERY, fresh_run()) is None


async def test_concurrent_appends_are_each_whole(journal: Journal, other: Journal) -> None:
    run = fresh_run()
    appends = [
        (journal, other)[n % 2].append(run, [delta(f"{n}/{part}") for part in range(3)])
        for n in range(60)
    ]
    placed = await asyncio.gather(*appends)
    stored = texts(await journal.read(EVERY, run))
    assert len(stored) == 180
    for n, places in enumerate(placed):
        first = places[0].seq - 1
        assert stored[first : first + 3] == [f"{n}/{part}" for part in range(3)]


async def test_a_refused_append_does_not_hold_up_those_committed_with_it(journal: Journal) -> None:
    run = fresh_run()
    await journal.append(run, [], Fence("call", 2))
    results = await asyncio.gather(
        *(journal.append(run, [delta(str(n))], Fence("call", 1 + n % 2)) for n in range(40)),
        journal.append(run, [delta(), delta().model_copy(update={"step": 2**70})]),
        return_exceptions=True,
    )
    assert isinstance(results[-1], Unstorable)
    assert [isinstance(result, StaleAttempt) for result in results[:-1]] == [True, False] * 20
    assert texts(await journal.read(EVERY, run)) == [str(n) for n in range(40) if n % 2]


async def test_a_cancelled_append_leaves_the_journal_working(journal: Journal) -> None:
    run = fresh_run()
    tasks = [asyncio.create_task(journal.append(run, [delta()])) for _ in range(20)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    placed = await asyncio.gather(*tasks[1::2])
    [last] = await journal.append(run, [delta()])
    read = seqs(await journal.read(EVERY, run))
    assert read == list(range(1, last.seq + 1))
    assert {places[0].seq for places in placed} < set(read)


async def test_the_times_of_a_run_never_go_back(journal: Journal, other: Journal) -> None:
    run = fresh_run()
    for n in range(50):
        await (journal, other)[n % 2].append(run, [delta(), delta()])
    times = [event.at_us for event in await journal.read(EVERY, run)]
    assert times == sorted(times)


async def test_what_was_appended_is_there_when_the_journal_is_opened_again(
    journal: Journal, other: Journal
) -> None:
    run = fresh_run()
    await journal.append(run, [delta("kept")], Fence("call", 2))
    await journal.close()
    assert texts(await other.read(EVERY, run)) == ["kept"]
    with pytest.raises(StaleAttempt):
        await other.append(run, [delta()], Fence("call", 1))


async def test_check_returns_when_the_storage_takes_writes(journal: Journal) -> None:
    await journal.check()
    await journal.append(fresh_run(), [delta()])
    await journal.check()
