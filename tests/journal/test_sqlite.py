"""What the SQLite journal does inside one process: its threads, its order, its memory."""

from __future__ import annotations

import asyncio
import itertools
import sqlite3
import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from relayline.contracts.envelope import StoredEvent
from relayline.journal.port import JournalUnavailable
from relayline.journal.sqlite.journal import SqliteJournal
from relayline.journal.subscription import MAX_WAITING, Subscription
from relayline.journal.table import EVERY
from tests.journal.samples import delta, end, follow, fresh_run, seqs, tailing


def stored(seq: int, text: str = "x") -> StoredEvent:
    return StoredEvent("run-1", seq, 0, "message.delta", 1, 1, None, f'{{"text":"{text}"}}')


async def test_a_subscription_starts_with_reading_the_journal() -> None:
    subscription = Subscription("run-1")
    subscription.deliver([stored(1)])
    assert await subscription.take() is None
    subscription.deliver([stored(2)])
    subscription.deliver([stored(3)])
    assert await subscription.take() == [stored(2), stored(3)]


async def test_a_subscription_keeps_a_bounded_amount_and_then_reads_the_journal() -> None:
    subscription = Subscription("run-1")
    await subscription.take()
    for seq in range(1, 4):
        subscription.deliver([stored(seq, "x" * (MAX_WAITING // 2))])
    assert await subscription.take() is None
    subscription.deliver([stored(4)])
    assert await subscription.take() == [stored(4)]


async def test_a_subscription_that_failed_raises() -> None:
    subscription = Subscription("run-1")
    await subscription.take()
    waiting = asyncio.create_task(subscription.take())
    await asyncio.sleep(0)
    subscription.fail(JournalUnavailable("gone"))
    for take in (waiting, subscription.take()):
        with pytest.raises(JournalUnavailable, match="gone"):
            await take


async def test_the_watcher_stands_still_while_nobody_watches(tmp_path: Path) -> None:
    others = set(threading.enumerate())
    journal = SqliteJournal(tmp_path / "journal.db")
    await journal.append("run-1", [delta()])
    assert not _new("journal-watcher", others)
    async with tailing(journal, "run-1") as tail:
        await anext(tail)
        assert await _wake_ups(others, 0.2) > 10
    await asyncio.sleep(0.05)
    assert await _wake_ups(others, 0.2) <= 1
    await journal.close()
    assert not _new("journal-", others)


def _new(name: str, others: set[threading.Thread]) -> list[threading.Thread]:
    """Threads of that name that are not among the others."""
    return [t for t in threading.enumerate() if t.name.startswith(name) and t not in others]


async def _wake_ups(others: set[threading.Thread], during_s: float) -> int:
    """How often the watcher's thread was put to sleep."""
    before = _switches(others)
    await asyncio.sleep(during_s)
    return _switches(others) - before


def _switches(others: set[threading.Thread]) -> int:
    [watcher] = _new("journal-watcher", others)
    status = Path(f"/proc/self/task/{watcher.native_id}/status").read_text()
    [line] = [line for line in status.splitlines() if line.startswith("voluntary_ctxt_switches")]
    return int(line.split()[1])


async def test_times_do_not_go_back_when_the_clock_does(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path / "journal.db")
    await journal.append("run-1", [delta()])
    later = 4_000_000_000_000_000  # in the year 2096
    with closing(sqlite3.connect(tmp_path / "journal.db")) as db, db:
        db.execute("UPDATE runs SET last_at_us = ?", (later,))
    await journal.append("run-1", [delta()])
    assert (await journal.read(EVERY, "run-1"))[1].at_us == later
    await journal.close()


async def test_a_tail_reads_again_what_it_was_not_handed(tmp_path: Path) -> None:
    """Somebody edits the file so that an event does not come last in commit order."""
    journal, swept = SqliteJournal(tmp_path / "journal.db"), fresh_run()
    await journal.append(swept, [delta(), end()])
    await journal.sweep(datetime.now(UTC) + timedelta(days=1))
    await journal.append("run-1", [delta()])
    following = asyncio.create_task(follow(journal, "run-1"))
    await asyncio.sleep(0.05)
    with closing(sqlite3.connect(tmp_path / "journal.db")) as db, db:
        db.execute(
            "INSERT INTO events (id, run_id, seq, at_us, type, data)"
            " VALUES (1, 'run-1', 2, 0, 'message.delta', '{\"text\":\"x\"}')"
        )
        db.execute("UPDATE runs SET last_seq = 2 WHERE run_id = 'run-1'")
    await journal.append("run-1", [delta(), end()])
    assert seqs(await following) == [1, 2, 3, 4]
    await journal.close()


def test_a_loop_that_was_closed_holds_up_nobody(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path / "journal.db")

    async def watch_from_here() -> list[int]:
        following = asyncio.create_task(follow(journal, "run-1", 1))
        await asyncio.sleep(0.05)
        await journal.append("run-1", [delta(), end()])
        return seqs(await following)

    gone = asyncio.new_event_loop()
    tail = journal.tail(EVERY, "run-1")
    gone.run_until_complete(journal.append("run-1", [delta()]))
    gone.run_until_complete(anext(tail))
    gone.close()
    assert asyncio.run(watch_from_here()) == [2, 3]
    asyncio.run(journal.close())
    del tail


async def test_a_tail_in_another_event_loop_is_served(tmp_path: Path) -> None:
    journal, run = SqliteJournal(tmp_path / "journal.db"), fresh_run()
    following = asyncio.create_task(asyncio.to_thread(asyncio.run, follow(journal, run)))
    here = asyncio.create_task(follow(journal, run))
    for part in itertools.repeat([delta()], 20):
        await journal.append(run, part)
        await asyncio.sleep(0.002)
    await journal.append(run, [end()])
    assert seqs(await following) == seqs(await here) == list(range(1, 22))
    await journal.close()
