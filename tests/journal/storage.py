"""The adapters under test: one line each, and everything else follows."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

from relayline.journal.port import Journal, JournalUnavailable
from relayline.journal.postgres.journal import PostgresJournal
from relayline.journal.sqlite.journal import SqliteJournal
from relayline.journal.table import Storage
from relayline.journal.tenants.tenant_keys import Ring
from tests.postgres_server import MIGRATED, PostgresServer

T = TypeVar("T")
ADAPTERS = ("sqlite", "postgres")


def new_storage(adapter: str, folder: Path, postgres: Callable[[], PostgresServer]) -> str:
    """Where a fresh journal of that adapter lives; fits on a command line."""
    if adapter == "sqlite":
        return f"{adapter}:{folder / 'journal.db'}"
    return f"{adapter}:{postgres().create_database(f'test_{uuid4().hex}', MIGRATED)}"


def open_journal(storage: str) -> Journal:
    """A journal as one process holds it; open several to have several processes."""
    adapter, _, where = storage.partition(":")
    return SqliteJournal(Path(where)) if adapter == "sqlite" else PostgresJournal(where)


def open_table(storage: str, ring: Ring | None = None) -> Storage:
    """The same with the runs table, and with keys that wrap those of tenants."""
    adapter, _, where = storage.partition(":")
    if adapter == "sqlite":
        return SqliteJournal(Path(where), ring)
    return PostgresJournal(where, ring=ring)


def lose(file: Path, run_id: str, kept: int) -> None:
    """Take the run's events after that `seq` out of a SQLite journal, as a crash would."""
    with closing(sqlite3.connect(file)) as db, db:
        db.execute("DELETE FROM events WHERE run_id = ? AND seq > ?", (run_id, kept))
        db.execute("UPDATE runs SET last_seq = ? WHERE run_id = ?", (kept, run_id))


@asynccontextmanager
async def opened(dsn: str, *, relaxed_deltas: bool = True) -> AsyncIterator[PostgresJournal]:
    """A journal in that database, closed at the end."""
    journal = PostgresJournal(dsn, relaxed_deltas=relaxed_deltas)
    try:
        yield journal
    finally:
        await journal.close()


async def insist(ask: Callable[[], Awaitable[T]]) -> T:
    """The answer, from a Postgres that is perhaps away for longer than the journal waits."""
    while True:
        try:
            return await ask()
        except JournalUnavailable:
            await asyncio.sleep(0.1)
