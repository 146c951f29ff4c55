"""The SQLite journal while its file is away, emptied or replaced, and other processes start."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from relayline.journal.port import JournalUnavailable
from relayline.journal.sqlite.journal import SqliteJournal
from relayline.journal.table import EVERY
from tests.journal.samples import delta, end, follow, fresh_run, seqs, tailing

RUN = "run-1"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@pytest.fixture
async def journal(path: Path) -> AsyncIterator[SqliteJournal]:
    opened = SqliteJournal(path)
    yield opened
    await opened.close()


def is_there(path: Path) -> bool:
    return path.exists()


def move(path: Path, to: Path) -> None:
    path.rename(to)


def remove(*paths: Path) -> None:
    for path in paths:
        path.unlink()


def make_empty(path: Path) -> None:
    path.touch()


async def test_a_file_that_goes_away_is_unavailable_until_it_is_back(
    path: Path, journal: SqliteJournal
) -> None:
    await journal.append(RUN, [delta()])
    following = asyncio.create_task(follow(journal, RUN))
    await asyncio.sleep(0.2)
    away = path.with_name("away.db")
    move(path, away)
    for call in (journal.append(RUN, [delta()]), journal.read(EVERY, RUN), journal.check()):
        with pytest.raises(JournalUnavailable, match=f"{path} is gone.*put it back"):
            await call
    await asyncio.sleep(0.1)
    assert not is_there(path)
    move(away, path)
    assert await journal.append(RUN, [delta(), end()]) == [(2, True), (3, True)]
    assert seqs(await following) == [1, 2, 3]


@pytest.mark.slow
async def test_an_idle_tail_is_told_when_the_file_stays_away(
    path: Path, journal: SqliteJournal
) -> None:
    async with tailing(journal, RUN) as tail:
        waiting = asyncio.create_task(anext(tail))
        await journal.append(fresh_run(), [delta()])
        await asyncio.sleep(0.2)
        remove(path)
        started = time.monotonic()
        with pytest.raises(JournalUnavailable, match="gone"):
            await waiting
        assert 4 < time.monotonic() - started < 8


async def test_a_process_that_starts_while_the_file_is_away_makes_no_other(
    path: Path, journal: SqliteJournal
) -> None:
    await journal.append(RUN, [delta()])
    away = path.with_name("away.db")
    move(path, away)
    late = SqliteJournal(path)
    for call in (late.append(RUN, [delta()]), late.read(EVERY, RUN), late.check()):
        with pytest.raises(JournalUnavailable, match=r"is gone, but not its journal\.db-wal; put"):
            await call
    assert not is_there(path)
    move(away, path)
    assert await late.append(RUN, [delta()]) == [(2, True)]
    await late.close()


async def test_an_empty_file_in_the_place_of_the_journal_is_no_new_journal(
    path: Path, journal: SqliteJournal
) -> None:
    await journal.append(RUN, [delta()])
    away = path.with_name("away.db")
    move(path, away)
    make_empty(path)
    for call in (journal.append(RUN, [delta()]), journal.read(EVERY, RUN), journal.check()):
        with pytest.raises(JournalUnavailable, match=r"is gone, but not its journal\.db-wal"):
            await call
    move(away, path)
    assert await journal.append(RUN, [delta()]) == [(2, True)]


async def test_an_empty_file_without_a_log_is_no_new_journal_either(
    path: Path, journal: SqliteJournal
) -> None:
    await journal.append(RUN, [delta()])
    remove(path, Path(f"{path}-wal"), Path(f"{path}-shm"))
    make_empty(path)
    for call in (journal.append(RUN, [delta()]), journal.read(EVERY, RUN), journal.check()):
        with pytest.raises(JournalUnavailable, match="replaced by an empty file; put it back"):
            await call


async def test_a_copy_put_in_the_place_of_the_file_is_taken_up(
    path: Path, journal: SqliteJournal
) -> None:
    await journal.append(RUN, [delta()])
    async with asyncio.timeout(10), tailing(journal, RUN) as tail:
        assert seqs(await anext(tail)) == [1]
        waiting = asyncio.create_task(anext(tail))
        copy = path.with_name("copy.db")
        with closing(sqlite3.connect(path)) as db:
            db.execute("VACUUM INTO ?", (str(copy),))
        elsewhere = SqliteJournal(copy)
        await elsewhere.append(RUN, [delta()])
        await elsewhere.close()
        remove(Path(f"{path}-wal"), Path(f"{path}-shm"))
        move(copy, path)
        assert seqs(await waiting) == [2]
        assert await journal.append(RUN, [end()]) == [(3, True)]
        assert seqs(await anext(tail)) == [3]
