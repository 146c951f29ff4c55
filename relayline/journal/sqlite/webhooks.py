"""The outbox of the SQLite journal, on its threads."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Generator
from typing import TypeVar

from relayline.journal.outbox import Outbox
from relayline.journal.outbox_sql import TYPES, Row, Statement
from relayline.journal.sqlite.reader import Reader
from relayline.journal.sqlite.writer import Writer
from relayline.journal.subscription import OpenEvents
from relayline.journal.table import Tenant
from relayline.journal.webhooks import Receiver

T = TypeVar("T")

_NOTE = f"""
CREATE TRIGGER IF NOT EXISTS facts_to_tell AFTER INSERT ON events
WHEN new.key IS NOT NULL AND new.type IN ({TYPES}) AND EXISTS (SELECT 1 FROM webhooks)
BEGIN INSERT OR IGNORE INTO untold (run_id, seq) VALUES (new.run_id, new.seq); END
"""  # noqa: S608  constants only
"""Notes facts to tell, whichever version appends them. The first receiver brings it: it costs each
delta two microseconds."""


class SqliteWebhooks(Outbox):
    """`journal.webhooks.Webhooks` in the file of the journal; what it writes is on the disk."""

    def __init__(self, reader: Reader, writer: Writer, opened: OpenEvents) -> None:
        self._reader = reader
        self._writer = writer
        self._opened = opened

    async def add(self, receiver: Receiver, secret: str) -> Receiver:
        """As in the port."""
        await self._run((_NOTE, ()))
        return await super().add(receiver, secret)

    async def _run(self, *statements: Statement) -> list[list[Row]]:
        return await run_statements(self._reader, self._writer, *statements)

    async def _run_of(self, tenant: Tenant, *statements: Statement) -> list[list[Row]]:  # noqa: ARG002  no such security here
        return await self._run(*statements)


async def run_statements(reader: Reader, writer: Writer, *statements: Statement) -> list[list[Row]]:
    """Run the statements in one transaction; what they write is on the disk then."""

    def work(db: sqlite3.Connection) -> list[list[Row]]:
        return [run_here(db, statement) for statement in statements]

    if all(text.lstrip().startswith("SELECT") for text, _ in statements):
        return await reader.run(work)
    return await writer.submit(work, synced=True)


async def run_steps(writer: Writer, steps: Callable[[], Generator[Statement, list[Row], T]]) -> T:
    """Run statements that depend on each other in one transaction, which no other writer enters."""

    def work(db: sqlite3.Connection) -> T:
        running = steps()
        try:
            statement = next(running)
            while True:
                statement = running.send(run_here(db, statement))
        except StopIteration as done:
            result: T = done.value
            return result

    return await writer.submit(work, synced=True)


def run_here(db: sqlite3.Connection, statement: Statement) -> list[Row]:
    """Run a statement in the transaction of the connection."""
    text, arguments = statement
    return db.execute(text.replace("{s}", ""), arguments).fetchall()
