"""Rows of the audit log, a hand that tampers with them, and a process that is killed writing them.

`python -m tests.journal.auditing STORAGE FOLDER` adds rows, each to the storage and to a spool in
the folder, seals now and then, and prints the id of each row that it was told is kept.
"""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import time
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg

from relayline.journal.access.audit import Audit, AuditRow
from relayline.journal.access.spool import Spool
from tests.journal.storage import open_table


def audit_row(tenant: str = "blue", **fields: Any) -> AuditRow:
    row = AuditRow(
        *(uuid4().hex, time.time_ns() // 1000, tenant, "ann", "key1", "key", "127.0.0.1"),
        *("run.submit", "run_1", "accepted", "req_1", '{"command_id":"c"}'),
    )
    return row._replace(**fields)


async def written(audit: Audit, count: int, tenant: str = "blue") -> list[AuditRow]:
    """So many sealed rows."""
    rows = [audit_row(tenant) for _ in range(count)]
    for row in rows:
        await audit.add([row])
        await audit.seal(10)
    return rows


async def tamper(storage: str, *statements: str) -> None:
    """Run statements as somebody who may switch off whatever keeps the rows."""
    adapter, _, where = storage.partition(":")
    if adapter == "sqlite":
        with closing(sqlite3.connect(where)) as db, db:
            for trigger in ("audit_stands", "audit_stays"):
                db.execute(f"DROP TRIGGER {trigger}")
            for statement in statements:
                db.execute(statement)
        return
    connection = await asyncpg.connect(where)
    try:
        await connection.execute("SET search_path TO relayline")
        await connection.execute("ALTER TABLE audit DISABLE TRIGGER USER")
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def attempt(storage: str, statement: str) -> None:
    """Run a statement as the user of the journal, with whatever keeps the rows in place."""
    adapter, _, where = storage.partition(":")
    if adapter == "sqlite":
        with closing(sqlite3.connect(where)) as db, db:
            db.execute(statement)
        return
    connection = await asyncpg.connect(where)
    try:
        await connection.execute("SET search_path TO relayline")
        await connection.execute(statement)
    finally:
        await connection.close()


async def main(storage: str, folder: Path) -> None:
    """Write until somebody ends it."""
    table, spool = open_table(storage), Spool(folder)
    for number in count():
        row, spooled = audit_row("killed"), audit_row("killed")
        await table.audit.add([row])
        spool.add([spooled])
        sys.stdout.write(f"{row.id} {spooled.id}\n")
        sys.stdout.flush()
        if number % 3 == 0:
            await table.audit.seal(2)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
