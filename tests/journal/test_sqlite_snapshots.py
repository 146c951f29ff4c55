"""What the SQLite journal reads in several statements is of one moment, whoever writes then."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from relayline.journal.sqlite import run_rows
from relayline.journal.sqlite.file import JournalFile, Link
from tests.journal.rows import fresh_id


class Interrupted(sqlite3.Connection):
    """Another connection does its work between two statements of this one."""

    before = ""
    work: Callable[[], object] | None = None

    def execute(self, sql: str, *arguments: object) -> sqlite3.Cursor:
        """Execute it; the first one that contains `before` waits for the other's work."""
        if (work := self.work) is not None and self.before in sql:
            Interrupted.work = self.work = None
            work()
        return super().execute(sql, *arguments)  # type: ignore[arg-type]


def make_meanwhile(path: Path) -> None:
    try:
        JournalFile(path).connect().close()
    except sqlite3.OperationalError:
        return  # it must wait for the first one


def test_a_file_that_another_connection_creates_is_not_taken_for_a_foreign_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "journal.db"
    monkeypatch.setattr(sqlite3, "connect", partial(sqlite3.connect, factory=Interrupted))
    monkeypatch.setattr(Interrupted, "before", "PRAGMA user_version")
    monkeypatch.setattr(Interrupted, "work", partial(make_meanwhile, path))
    link = Link(JournalFile(path))
    link.use(lambda db: db.execute("SELECT count(*) FROM events"))
    assert Interrupted.work is None
    link.close()


def test_a_row_that_changes_between_two_statements_is_told_once(tmp_path: Path) -> None:
    file, runs = JournalFile(tmp_path / "journal.db"), [fresh_id(), fresh_id()]

    def change(run: str) -> None:
        with closing(file.connect()) as db:
            db.execute(
                "INSERT INTO events (run_id, seq, at_us, type, step, attempt, key, data) "
                "VALUES (?, 1, 0, 'run.queued', 0, 0, 'queued', '{}')",
                (run,),
            )

    change(runs[0])
    with closing(sqlite3.connect(file.path, isolation_level=None, factory=Interrupted)) as db:
        db.before, db.work = "SELECT run_id FROM events", partial(change, runs[1])
        first, mark = run_rows.changed(db, run_rows.Mark(0, 0))
        second, _ = run_rows.changed(db, mark)
    assert (first, second) == (frozenset(runs[:1]), frozenset(runs[1:]))
