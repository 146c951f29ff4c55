"""The SQLite journal when its file is foreign, locked or full."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import sys
import time
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from relayline.journal.port import JournalUnavailable
from relayline.journal.sqlite.file import JournalFile
from relayline.journal.sqlite.journal import SqliteJournal
from relayline.journal.sqlite.writer import Writer
from relayline.journal.table import EVERY
from tests.journal.samples import delta, fact, follow, seqs

ROOT = Path(__file__).parents[2]
RUN = "run-1"
HOLD_EVERYTHING = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("PRAGMA locking_mode = EXCLUSIVE")
db.execute("BEGIN EXCLUSIVE")
db.execute("DELETE FROM fences")
sys.stdout.write("held\\n")
sys.stdout.flush()
sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@pytest.fixture
async def journal(path: Path) -> AsyncIterator[SqliteJournal]:
    opened = SqliteJournal(path)
    yield opened
    await opened.close()


def change(path: Path, *statements: str) -> None:
    """What a person with the sqlite3 shell could do."""
    with closing(sqlite3.connect(path)) as db, db:
        for statement in statements:
            db.execute(statement)


def is_there(path: Path) -> bool:
    return path.exists()


def remove(*paths: Path) -> None:
    for path in paths:
        path.unlink()


def in_a_file(path: Path) -> Path:
    path.write_text("a file")
    return path / "data" / "journal.db"


def no_database(path: Path) -> Path:
    path.write_text("this is a text of more than a hundred bytes, and no database\n" * 10)
    return path


def a_folder(path: Path) -> Path:
    path.mkdir()
    return path


def of_another_program(path: Path) -> Path:
    change(path, "CREATE TABLE executions (id TEXT)", "PRAGMA user_version = 1")
    return path


def of_a_newer_version(path: Path) -> Path:
    change(path, "PRAGMA application_id = 1382834553", "PRAGMA user_version = 99")
    return path


@pytest.mark.parametrize(
    ("make", "remedy"),
    [
        (in_a_file, "can't be created.*name another"),
        (no_database, "not a SQLite database; move it away"),
        (a_folder, "can't be opened; check"),
        (of_another_program, "another program; name another file"),
        (of_a_newer_version, "schema 99, this version knows 1"),
    ],
)
async def test_storage_that_is_no_journal_is_named_with_what_to_do(
    path: Path, make: Callable[[Path], Path], remedy: str
) -> None:
    journal = SqliteJournal(make(path))
    calls = (
        journal.check(),
        journal.append(RUN, [delta()]),
        journal.read(EVERY, RUN),
        journal.head(EVERY, RUN),
        journal.get(EVERY, RUN, "k"),
        journal.sweep(datetime.now(UTC)),
        follow(journal, RUN),
    )
    for call in calls:
        with pytest.raises(JournalUnavailable, match=f"{path}.*{remedy}"):
            await call
    await journal.close()


async def test_nothing_is_created_before_the_first_use(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path / "new" / "deep" / "journal ?#%.db")
    await journal.close()
    assert not is_there(tmp_path / "new")
    journal = SqliteJournal(tmp_path / "new" / "deep" / "journal ?#%.db")
    await journal.check()
    assert is_there(tmp_path / "new" / "deep" / "journal ?#%.db")
    await journal.close()


async def test_a_journal_that_could_not_be_opened_works_once_the_cause_is_gone(path: Path) -> None:
    journal = SqliteJournal(no_database(path))
    with pytest.raises(JournalUnavailable):
        await journal.append(RUN, [delta()])
    remove(path)
    assert await journal.append(RUN, [delta()]) == [(1, True)]
    await journal.close()


async def test_many_openers_at_once_create_one_journal(path: Path) -> None:
    journals = [SqliteJournal(path) for _ in range(8)]
    placed = await asyncio.gather(*(journal.append(RUN, [delta()]) for journal in journals))
    assert sorted(places[0].seq for places in placed) == list(range(1, 9))
    for journal in journals:
        await journal.close()


async def test_a_short_lock_is_waited_for(path: Path, journal: SqliteJournal) -> None:
    await journal.append(RUN, [delta()])
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        waiting = asyncio.create_task(journal.append(RUN, [delta()]))
        await asyncio.sleep(0.2)
        assert not waiting.done()
        db.execute("ROLLBACK")
        released = time.monotonic()
        assert await waiting == [(2, True)]
        assert time.monotonic() - released < 3


@pytest.mark.slow
async def test_a_lock_that_another_process_keeps_is_unavailable_not_a_hang(
    path: Path, journal: SqliteJournal
) -> None:
    before = SqliteJournal(path)
    await before.append(RUN, [fact("k")])
    await before.close()
    command = (sys.executable, "-c", HOLD_EVERYTHING, str(path))
    holder = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE)
    assert holder.stdout
    assert await holder.stdout.readline() == b"held\n"
    started = time.monotonic()
    results = await asyncio.gather(
        journal.append(RUN, [delta()]),
        journal.check(),
        *(journal.read(EVERY, RUN) for _ in range(20)),
        follow(journal, RUN),
        return_exceptions=True,
    )
    assert 4 < time.monotonic() - started < 8
    assert all(isinstance(result, JournalUnavailable) for result in results), results
    assert all("lock" in str(result) for result in results)
    waiting = asyncio.create_task(journal.append(RUN, [delta("later")]))
    await asyncio.sleep(0.1)
    await holder.communicate(b"")
    assert await waiting == [(2, True)]
    assert seqs(await journal.read(EVERY, RUN)) == [1, 2]


WRITE_UNTIL_FULL = """
import asyncio, resource, sys
from pathlib import Path
from relayline.journal.port import JournalUnavailable
from relayline.journal.sqlite.journal import SqliteJournal
from relayline.journal.table import EVERY
from tests.journal.samples import delta, fact

async def main():
    journal = SqliteJournal(Path(sys.argv[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, resource.RLIM_INFINITY))
    n = 0
    try:
        while n < 1000:
            await journal.append("run-1", [delta("x" * 5000)])
            n += 1
    except JournalUnavailable as error:
        sys.stdout.write(f"{error}\\n")
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    [placed] = await journal.append("run-1", [fact("k")])
    assert placed.seq == n + 1, (placed, n)
    assert len(await journal.read(EVERY, "run-1")) == n + 1
    await journal.close()

asyncio.run(main())
"""


async def test_storage_that_takes_no_more_is_unavailable_and_then_goes_on(path: Path) -> None:
    command = (sys.executable, "-c", WRITE_UNTIL_FULL, str(path))
    child = await asyncio.create_subprocess_exec(*command, stdout=PIPE, cwd=ROOT)
    said, _ = await child.communicate()
    assert child.returncode == 0
    assert f"the journal {path} is unavailable".encode() in said


async def test_a_path_that_can_not_be_looked_at_is_unavailable_and_says_so(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path / ("long" * 100))
    async with asyncio.timeout(10):
        for call in (journal.append(RUN, [delta()]), journal.read(EVERY, RUN), journal.check()):
            with pytest.raises(JournalUnavailable, match=r"can't be accessed .*File name too long"):
                await call
        await journal.close()


async def test_a_new_journal_is_for_its_user_alone(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        journal = SqliteJournal(tmp_path / "made" / "journal.db")
        await journal.check()
        made = [tmp_path / "made", *(tmp_path / "made").iterdir()]
        assert len(made) >= 3
        assert not [path for path in made if path.stat().st_mode & 0o077]
        await journal.close()
    finally:
        os.umask(before)


async def test_a_folder_that_is_a_file_is_unavailable_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    journal = SqliteJournal(tmp_path / "file" / "journal.db")
    async with asyncio.timeout(10):
        for call in (journal.append(RUN, [delta()]), journal.read(EVERY, RUN)):
            with pytest.raises(JournalUnavailable, match=r"folder .*file can't be created"):
                await call
        await journal.close()


async def test_nobody_waits_for_ever_for_a_writer_that_met_what_nobody_foresaw(
    tmp_path: Path,
) -> None:
    writer = Writer(JournalFile(tmp_path / "no\0path"))
    async with asyncio.timeout(10):
        for _ in range(2):
            with pytest.raises(ValueError, match="null byte"):
                await writer.submit(lambda db: db.total_changes, synced=True)
    writer.close()
