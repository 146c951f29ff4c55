"""The beats of workers and the calls that they hold: one contract for every adapter."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import pytest

from relayline.contracts.envelope import NewEvent
from relayline.contracts.events import ToolCompleted
from relayline.journal.beats import Attempted, Beats, HeldCall, beats_path
from relayline.journal.port import (
    SEALED,
    Fence,
    Holder,
    Journal,
    JournalUnavailable,
    RunEnded,
    StaleAttempt,
)
from relayline.journal.postgres.beats import PostgresBeats
from relayline.journal.sqlite.beats import SqliteBeats
from relayline.journal.table import EVERY
from tests.journal.samples import end, fact

WORKER = Holder("1@host/a", "5", b"\x00token\xff")
OTHER = Holder("2@host/b", "5", b"another")


def open_beats(storage: str) -> Beats:
    adapter, _, where = storage.partition(":")
    return SqliteBeats(Path(where)) if adapter == "sqlite" else PostgresBeats(where)


@pytest.fixture
async def beats(storage: str) -> AsyncIterator[Beats]:
    opened = open_beats(storage)
    yield opened
    await opened.close()


@pytest.fixture
async def others(storage: str) -> AsyncIterator[Beats]:
    """The same beats, as another process would see them."""
    opened = open_beats(storage)
    yield opened
    await opened.close()


@pytest.fixture
def run() -> str:
    return f"run_{uuid4().hex}"


async def test_everybody_sees_who_beats_until_it_leaves(beats: Beats, others: Beats) -> None:
    assert await others.counters() == {}
    await beats.beat("a", 1)
    await others.beat("b", 7)
    await beats.beat("a", 2)
    assert await others.counters() == await beats.counters() == {"a": 2, "b": 7}
    await others.leave("a")
    await others.leave("nobody")
    assert await beats.counters() == {"b": 7}
    await beats.beat("a", 3)
    assert await others.counters() == {"a": 3, "b": 7}


async def test_a_call_is_held_from_its_fence_to_its_release(
    journal: Journal, beats: Beats, run: str
) -> None:
    await journal.append(run, [fact("k")], Fence("call", 1, WORKER))
    await journal.append(run, [], Fence("other", 3, OTHER))
    attempted = Attempted(run, "call", 1)
    assert await beats.held(WORKER.worker) == [HeldCall(attempted, "5", WORKER.task_token)]
    await journal.append(run, [fact("l")], Fence("call", 1))
    await beats.release(OTHER.worker, [attempted])
    await beats.release(WORKER.worker, [Attempted(run, "call", 2)])
    assert len(await beats.held(WORKER.worker)) == 1, "that was another worker's, or attempt"
    await beats.release(WORKER.worker, [attempted, Attempted(run, "unknown", 1)])
    await beats.release(WORKER.worker, [])
    assert await beats.held(WORKER.worker) == []
    assert len(await beats.held(OTHER.worker)) == 1


async def test_who_is_refused_holds_nothing(journal: Journal, beats: Beats, run: str) -> None:
    await journal.append(run, [], Fence("call", 2, OTHER))
    with pytest.raises(StaleAttempt):
        await journal.append(run, [fact("k")], Fence("call", 1, WORKER))
    await journal.append(run, [end()])
    with pytest.raises(RunEnded):
        await journal.append(run, [fact("l")], Fence("late", 1, WORKER))
    assert await beats.held(WORKER.worker) == []


async def test_a_worker_s_next_attempt_replaces_its_last(
    journal: Journal, beats: Beats, run: str
) -> None:
    await journal.append(run, [], Fence("call", 1, WORKER))
    again = WORKER._replace(task_token=b"second")
    await journal.append(run, [], Fence("call", 2, again))
    assert await beats.held(WORKER.worker) == [HeldCall(Attempted(run, "call", 2), "5", b"second")]


async def test_a_sealed_call_is_held_by_nobody(journal: Journal, beats: Beats, run: str) -> None:
    await journal.append(run, [], Fence("call", 1, WORKER))
    await journal.append(run, [], Fence("kept", 1, WORKER))
    await journal.append(run, [], Fence("call", SEALED))
    assert [it.attempted.scope for it in await beats.held(WORKER.worker)] == ["kept"]


async def test_many_begin_and_end_at_once(journal: Journal, beats: Beats, run: str) -> None:
    names = [f"call-{number}" for number in range(30)]
    facts: list[NewEvent] = [
        NewEvent(key=name, body=ToolCompleted(call_id=name, name="t", output="")) for name in names
    ]
    await asyncio.gather(
        *(
            journal.append(run, [it], Fence(name, 1, WORKER if number % 2 else None))
            for number, (name, it) in enumerate(zip(names, facts, strict=True))
        )
    )
    held = await beats.held(WORKER.worker)
    assert {it.attempted.scope for it in held} == set(names[1::2])
    await beats.release(WORKER.worker, [it.attempted for it in held])
    assert await beats.held(WORKER.worker) == []


async def test_a_run_that_is_told_of_reaches_who_waits_and_who_looks_later(
    beats: Beats, others: Beats
) -> None:
    await others.tell("before")
    assert not await beats.told(0)
    waiting = asyncio.ensure_future(beats.told(10))
    await asyncio.sleep(0.05)
    await others.tell("run_1")
    assert set(await waiting) == {"run_1"}
    await others.tell("run_2")
    await beats.tell("run_3")
    found: set[str] = set()
    while found != {"run_2", "run_3"}:
        found |= set(await beats.told(5))
        assert found <= {"run_2", "run_3"}


async def test_beats_wake_no_tail(journal: Journal, beats: Beats, storage: str, run: str) -> None:
    """On SQLite they are in another file; on Postgres nothing is notified."""
    await journal.append(run, [fact("k")])
    await beats.beat("a", 1)
    before = written(storage)
    tail = journal.tail(EVERY, run)
    await anext(tail)
    waiting = asyncio.ensure_future(anext(tail))
    for number in range(20):
        await beats.beat("a", number)
    await asyncio.sleep(0.2)
    assert not waiting.done()
    assert written(storage) == before
    waiting.cancel()
    with suppress(asyncio.CancelledError):
        await waiting


def written(storage: str) -> list[int]:
    """When the files of a SQLite journal were last written."""
    adapter, _, where = storage.partition(":")
    files = [Path(where), Path(f"{where}-wal")] if adapter == "sqlite" else []
    return [file.stat().st_mtime_ns for file in files]


def remove(path: Path) -> None:
    for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
        path.with_name(name).unlink(missing_ok=True)


async def test_the_file_of_beats_may_vanish_at_any_time(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    mine, others = SqliteBeats(path), SqliteBeats(path)
    await mine.beat("a", 1)
    await others.beat("b", 1)
    remove(beats_path(path))
    await mine.beat("a", 2)
    await others.beat("b", 2)
    assert await mine.counters() == await others.counters() == {"a": 2, "b": 2}
    await mine.close()
    await others.close()


async def test_a_file_that_can_t_be_written_is_unavailable_soon_and_comes_back(
    tmp_path: Path,
) -> None:
    path = tmp_path / "journal.db"
    beats = SqliteBeats(path)
    beats_path(path).mkdir()
    begun = time.monotonic()
    with pytest.raises(JournalUnavailable, match="beats"):
        await beats.beat("a", 1)
    assert time.monotonic() - begun < 5
    beats_path(path).rmdir()
    await beats.beat("a", 1)
    assert await beats.counters() == {"a": 1}
    await beats.close()
