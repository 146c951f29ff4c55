"""The audit log on both adapters: rows that stand, chains that tell of tampering."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from pathlib import Path

import asyncpg
import pytest

from relayline.contracts.envelope import NewEvent
from relayline.contracts.events import RunCompleted
from relayline.contracts.messages import Usage
from relayline.journal.access.audit import EVERY_ROW, Audit, AuditFilter, AuditRow
from relayline.journal.access.audit_log import AuditLog
from relayline.journal.access.chain import START, Anchor, follows, verify
from relayline.journal.access.keeping import AuditKeeping
from relayline.journal.access.spool import Spool
from relayline.journal.port import RunEnded
from relayline.journal.table import Storage
from tests.journal.auditing import attempt, audit_row, tamper, written
from tests.journal.samples import fresh_run

ENDED = NewEvent(key="0/run/ended", body=RunCompleted(output="", usage=Usage()))
COPY = "INSERT INTO audit SELECT 'new', at_us, tenant, subject, key_id, via, address, action, "
COPY += "target, outcome, request_id, detail, "


async def rows_of(audit: Audit, tenant: str = "blue") -> list[AuditRow]:
    return [it.row for it in await audit.sealed(tenant, 0, 10_000)]


async def test_rows_are_sealed_in_a_chain_per_tenant_and_stored_once(
    table: Storage, other_table: Storage
) -> None:
    blue, red = [audit_row(at_us=at) for at in (1, 2, 3)], audit_row("red", at_us=2)
    await table.audit.add([*blue, red])
    await other_table.audit.add([blue[0]._replace(subject="eve")])
    assert (await table.audit.unsealed(), await rows_of(table.audit)) == (4, [])
    assert [await other_table.audit.seal(3), await table.audit.seal(3)] == [3, 1]
    assert await table.audit.seal(3) == 0
    assert [await rows_of(other_table.audit, it) for it in ("blue", "red")] == [blue, [red]]
    sealed = await table.audit.sealed("blue", 1, 10)
    assert [it.seq for it in sealed] == [2, 3]
    assert sealed[1].hash == follows(follows(follows(START, blue[0]), blue[1]), blue[2]).hash
    assert await table.audit.tenants() == ["blue", "red"]


async def test_rows_are_found_by_what_they_say(table: Storage) -> None:
    rows = [
        audit_row(at_us=10, action="run.pause"),
        audit_row(at_us=20, subject="bob"),
        audit_row(at_us=30, target="run_2"),
    ]
    await table.audit.add(rows)
    await table.audit.seal(10)

    async def found(wanted: AuditFilter, limit: int = 10) -> list[int]:
        return [rows.index(it.row) for it in await table.audit.sealed("blue", 0, limit, wanted)]

    assert await found(EVERY_ROW, 2) == [0, 1]
    assert await found(AuditFilter(action="run.pause")) == [0]
    assert await found(AuditFilter(subject="bob")) == [1]
    assert await found(AuditFilter(target="run_2")) == [2]
    assert await found(AuditFilter(from_us=20)) == [1, 2]
    assert await found(AuditFilter(from_us=10, to_us=20)) == [0]
    assert await found(AuditFilter(subject="bob", target="run_2")) == []


async def test_a_row_is_added_with_the_events_or_not_at_all(table: Storage) -> None:
    run, row = fresh_run(), audit_row()
    await table.append_audited(run, [ENDED], [row])
    other = NewEvent(key="0/other", body=RunCompleted(output="", usage=Usage()))
    with pytest.raises(RunEnded):
        await table.append_audited(run, [other], [audit_row()])
    assert await table.append_audited(run, [ENDED], [row])
    await table.audit.seal(10)
    assert await rows_of(table.audit) == [row]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET subject = 'eve' WHERE seq = 2",
        "UPDATE audit SET seq = 9 WHERE seq = 2",
        "UPDATE audit SET seq = NULL, hash = NULL WHERE seq = 2",
        "UPDATE audit SET subject = 'eve' WHERE seq IS NULL",
        "UPDATE audit SET subject = 'eve', seq = 4, hash = 'x' WHERE seq IS NULL",
        "DELETE FROM audit WHERE seq = 2",
        "DELETE FROM audit WHERE seq IS NULL",
    ],
)
async def test_the_storage_changes_and_deletes_no_row(
    table: Storage, storage: str, statement: str
) -> None:
    rows = await written(table.audit, 3)
    await table.audit.add([last := audit_row()])
    with pytest.raises((sqlite3.IntegrityError, asyncpg.RaiseError)):
        await attempt(storage, statement)
    await table.audit.seal(10)
    assert await rows_of(table.audit) == [*rows, last]


@pytest.mark.parametrize(
    ("statements", "broken"),
    [
        (("UPDATE audit SET subject = 'eve' WHERE seq = 3",), 3),
        (("UPDATE audit SET at_us = at_us + 1 WHERE seq = 1",), 1),
        (("UPDATE audit SET tenant = 'red' WHERE seq = 3",), 3),
        (("DELETE FROM audit WHERE seq = 3",), 3),
        (("DELETE FROM audit WHERE seq = 1",), 1),
        (
            (
                "UPDATE audit SET seq = seq + 100 WHERE seq > 2",
                COPY + "3, hash FROM audit WHERE seq = 2",
                "UPDATE audit SET seq = seq - 99 WHERE seq > 100",
            ),
            3,
        ),
        (
            (
                "UPDATE audit SET seq = 99 WHERE seq = 2",
                "UPDATE audit SET seq = 2 WHERE seq = 3",
                "UPDATE audit SET seq = 3 WHERE seq = 99",
            ),
            2,
        ),
        (
            (
                "INSERT INTO audit_anchors VALUES ('blue', 2, 'x')",
                "DELETE FROM audit WHERE seq < 3",
            ),
            3,
        ),
    ],
    ids=["changed", "time", "moved", "removed", "first", "inserted", "swapped", "beginning"],
)
async def test_the_first_row_that_was_tampered_with_is_told(
    table: Storage, storage: str, statements: tuple[str, ...], broken: int
) -> None:
    await written(table.audit, 5)
    verdict = await verify(table.audit, "blue")
    assert (verdict.broken, verdict.head.seq) == (None, 5)
    await tamper(storage, *statements)
    verdict = await verify(table.audit, "blue")
    assert verdict.broken
    assert verdict.broken.seq == broken


async def test_a_noted_head_tells_what_the_chain_alone_can_not(
    table: Storage, storage: str
) -> None:
    await written(table.audit, 5)
    known = (await verify(table.audit, "blue")).head
    await written(table.audit, 2)
    assert (await verify(table.audit, "blue", known)).broken is None
    assert (await verify(table.audit, "blue", Anchor(5, "0" * 64))).broken
    await tamper(storage, "DELETE FROM audit WHERE seq > 4")
    assert (await verify(table.audit, "blue")).broken is None
    verdict = await verify(table.audit, "blue", known)
    assert verdict.broken
    assert verdict.broken.seq == 5


async def test_a_sweep_keeps_the_place_where_the_chain_goes_on(table: Storage) -> None:
    old, new = [audit_row(at_us=at) for at in (1, 2, 3)], audit_row()
    await table.audit.add([*old, new, audit_row("red")])
    await AuditKeeping(table.audit, None).keep()
    last = (await table.audit.sealed("blue", 2, 1))[0]
    assert await table.audit.sweep(3, 1) == 1
    assert await rows_of(table.audit) == [*old[1:], new]
    early = (await table.audit.sealed("blue", 1, 1))[0]
    noted = Anchor(early.seq, early.hash)
    assert (await verify(table.audit, "blue", noted)).unseen is None
    assert await table.audit.sweep(4, 10) == 2
    assert await table.audit.sweep(4, 10) == 0
    assert await table.audit.anchor("blue") == Anchor(3, last.hash)
    verdict = await verify(table.audit, "blue")
    assert (verdict.begins.seq, verdict.head.seq, verdict.broken) == (3, 4, None)
    assert (await verify(table.audit, "blue", noted)).unseen == noted
    assert (await verify(table.audit, "blue", Anchor(3, last.hash))).broken is None
    another = (await verify(table.audit, "blue", Anchor(3, "0" * 64))).broken
    assert another
    assert another.seq == 3
    assert await table.audit.sweep(new.at_us + 1, 10) >= 1
    await written(table.audit, 1)
    assert [it.seq for it in await table.audit.sealed("blue", 0, 10)] == [5]
    assert (await verify(table.audit, "blue")).broken is None


async def test_the_chain_holds_under_concurrent_writers_and_sealers(
    table: Storage, other_table: Storage
) -> None:
    tables = (table, other_table)

    async def write(number: int) -> None:
        audit = tables[number % 2].audit
        await audit.add([audit_row(f"tenant-{number % 2}") for _ in range(3)])
        await audit.seal(2)

    await asyncio.gather(*(write(number) for number in range(20)))
    await AuditKeeping(table.audit, None).keep()
    for tenant in await table.audit.tenants():
        verdict = await verify(other_table.audit, tenant)
        assert (verdict.head.seq, verdict.broken) == (30, None)


async def test_a_kill_loses_no_row_that_was_kept(
    table: Storage, storage: str, tmp_path: Path
) -> None:
    folder = tmp_path / "spool"
    words = ("-m", "tests.journal.auditing", storage, str(folder))
    process = await asyncio.create_subprocess_exec(
        sys.executable, *words, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout
    told: set[str] = set()
    while len(told) < 40:
        told |= {*(await process.stdout.readline()).decode().split()}
    process.kill()
    told |= {*(await process.stdout.read()).decode().rpartition("\n")[0].split()}
    await process.wait()
    file = next(folder.iterdir())
    file.write_bytes(file.read_bytes() + b'["cut off')
    log = AuditLog(table.audit, Spool(folder))
    log.start()
    async with asyncio.timeout(60):
        while [*folder.iterdir()]:
            await asyncio.sleep(0.01)
    await log.close()
    await AuditKeeping(table.audit, None).keep()
    rows = await rows_of(table.audit, "killed")
    assert told <= {row.id for row in rows}
    assert len(rows) <= len(told) + 2
    assert (await verify(table.audit, "killed")).broken is None
