"""The writer of the audit log: groups, and the spool while the database is away."""

from __future__ import annotations

import asyncio
import json
import logging
from pathlib import Path

import pytest

from relayline.journal.access import audit_log
from relayline.journal.access.audit import AuditRow
from relayline.journal.access.audit_log import AuditLog
from relayline.journal.access.chain import verify
from relayline.journal.access.spool import Spool
from relayline.journal.sqlite.journal import SqliteJournal
from relayline.runtime.log_lines import LogLine
from tests.api.flaky import FlakyJournal
from tests.api.serving import eventually
from tests.journal.auditing import audit_row


@pytest.fixture
async def flaky(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FlakyJournal:
    monkeypatch.setattr(audit_log, "AWAY_S", 0.05)
    monkeypatch.setattr(audit_log, "SEAL_S", 0.01)
    return FlakyJournal(SqliteJournal(tmp_path / "journal.db"))


async def ids(journal: FlakyJournal) -> list[str]:
    return [it.row.id for it in await journal.audit.sealed("blue", 0, 1000)]


async def test_what_is_written_is_sealed_soon_and_shown(
    flaky: FlakyJournal, tmp_path: Path
) -> None:
    shown: list[AuditRow] = []
    log = AuditLog(flaky.audit, Spool(tmp_path / "spool"), shown.append)
    rows = [audit_row() for _ in range(20)]
    await asyncio.gather(*map(log.record, rows))
    while len(await ids(flaky)) < 20:
        await asyncio.sleep(0.01)
    assert shown == rows
    assert not (tmp_path / "spool").exists()
    await log.close()
    await flaky.close()


async def test_rows_are_spooled_while_the_database_is_away_and_stored_once_later(
    flaky: FlakyJournal, tmp_path: Path
) -> None:
    folder = tmp_path / "spool"
    log = AuditLog(flaky.audit, Spool(folder))
    rows = [audit_row() for _ in range(12)]
    await log.record(rows[0])
    flaky.go_down()
    await asyncio.gather(*map(log.record, rows[1:8]))
    assert [it for it in folder.iterdir() if it.stat().st_mode & 0o777 == 0o600]
    await log.spool(rows[0])  # as one that the database had taken without saying so
    flaky.come_back()
    await asyncio.gather(*map(log.record, rows[8:]))
    await eventually(lambda: not [*folder.iterdir()])
    while len(found := await ids(flaky)) < 12:
        await asyncio.sleep(0.01)
    assert sorted(found) == sorted(row.id for row in rows)
    assert (await verify(flaky.audit, "blue")).broken is None
    await log.close()
    await flaky.close()


async def test_a_process_that_ends_leaves_its_spool_to_the_next(
    flaky: FlakyJournal, tmp_path: Path
) -> None:
    folder, row = tmp_path / "spool", audit_row()
    flaky.go_down()
    first = AuditLog(flaky.audit, Spool(folder))
    await first.record(row)
    flaky.come_back()
    alive = Spool(folder)
    alive.add([audit_row()])
    second = AuditLog(flaky.audit, Spool(folder))
    await first.close()
    second.start()
    while await ids(flaky) != [row.id]:
        await asyncio.sleep(0.01)
    assert len([*folder.iterdir()]) == 1  # that of a process that still writes it
    alive.rotate()
    second.start()
    await eventually(lambda: not [*folder.iterdir()])
    await second.close()
    await flaky.close()


async def test_a_row_that_can_be_written_nowhere_is_in_the_log(
    flaky: FlakyJournal, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "spool"
    folder.write_text("not a folder")
    log, row = AuditLog(flaky.audit, Spool(folder)), audit_row()._replace(detail="d" * 1000)
    flaky.go_down()
    with caplog.at_level(logging.ERROR):
        await log.record(row)
    assert json.dumps(row) in LogLine().format(caplog.records[-1])
    await log.close()
    await flaky.close()


async def drained(
    log: AuditLog, flaky: FlakyJournal, row: AuditRow, caplog: pytest.LogCaptureFixture
) -> None:
    """Start the log, and return when its spool has brought that row alone."""
    with caplog.at_level(logging.ERROR):
        log.start()
        while await ids(flaky) != [row.id]:
            await asyncio.sleep(0.01)


async def test_a_spooled_row_that_cannot_be_read_is_in_the_log(
    flaky: FlakyJournal, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder, row = tmp_path / "spool", audit_row()
    folder.mkdir()
    later = json.dumps([*row, "a field of a later version"])
    (folder / "1.jsonl").write_text(f"{later}\n{json.dumps(row)}\ncut o")
    log = AuditLog(flaky.audit, Spool(folder))
    await drained(log, flaky, row, caplog)
    [told] = caplog.records
    assert told.getMessage().endswith(f"only here: {later}")
    await log.close()
    await flaky.close()


async def test_a_spool_that_cannot_be_read_is_told_of_and_holds_up_no_other(
    flaky: FlakyJournal, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder, row = tmp_path / "spool", audit_row()
    (folder / "0.jsonl").mkdir(parents=True)
    (folder / "1.jsonl").write_text(f"{json.dumps(row)}\n")
    log = AuditLog(flaky.audit, Spool(folder))
    await drained(log, flaky, row, caplog)
    assert ["0.jsonl" in vars(it)["file"] for it in caplog.records] == [True]
    await log.close()
    await flaky.close()
