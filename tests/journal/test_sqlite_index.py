"""A SQLite journal that was made before there was an index of open runs."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from relayline.journal.sqlite.journal import SqliteJournal
from tests.journal.samples import delta, end, fresh_run


async def test_a_file_without_the_index_gets_it(tmp_path: Path) -> None:
    path, open_, ended = tmp_path / "journal.db", fresh_run(), fresh_run()
    journal = SqliteJournal(path)
    await journal.append(open_, [delta()])
    await journal.append(ended, [end()])
    await journal.close()
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("DROP INDEX runs_open")
    journal = SqliteJournal(path)
    found = await journal.open_runs(datetime.now(UTC) + timedelta(seconds=5))
    assert [run.run_id for run in found] == [open_]
    await journal.close()
