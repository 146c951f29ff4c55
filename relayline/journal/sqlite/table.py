"""The runs table of the SQLite journal, as its readers see it."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from typing import Any, TypeVar

from relayline.contracts.runs import RunStatus
from relayline.journal.access.owners import Owners
from relayline.journal.changes import follow_changes
from relayline.journal.columns import summed
from relayline.journal.filters import Dialect, Filters, Rare
from relayline.journal.rows import now_us
from relayline.journal.sqlite import run_rows
from relayline.journal.sqlite.reader import Reader
from relayline.journal.sqlite.watch.watcher import Watcher
from relayline.journal.sqlite.writer import Writer
from relayline.journal.table import (
    Listed,
    Position,
    RunFilter,
    Summed,
    Tenant,
    may_see,
)
from relayline.journal.tenants.filling import Filling
from relayline.journal.tenants.known_rows import KnownRows
from relayline.journal.tenants.lists import filters_of, listed_of
from relayline.journal.tenants.vault import Vault

T = TypeVar("T")
DIALECT = Dialect(schema="", find="instr")
_ONE = """
SELECT r.run_id, r.state, h.last_seq, r.attention, 0
FROM run_rows r JOIN runs h ON h.run_id = r.run_id WHERE r.run_id = ?
"""
_Found = tuple[str, str, int, str | None, int]


class SqliteRunTable:
    """`journal.table.RunTable` on the threads of the journal.

    Rows and sums that older versions have left behind are brought up to date before an answer; the
    first one after an upgrade fills those of all runs that there are.
    """

    def __init__(self, reader: Reader, writer: Writer, watcher: Watcher, vault: Vault) -> None:
        self._reader = reader
        self._writer = writer
        self._watcher = watcher
        self._vault = vault
        self._owners = Owners(self.listed)
        self._known = KnownRows(vault)
        """What it remembers is for the writer's thread alone."""
        self._filling = Filling(vault, self._stale, self._bring_up_to_date)

    async def listed(self, tenant: Tenant, run_id: str) -> Listed | None:
        """As in the port."""
        found = await self._read(lambda db: db.execute(_ONE, (run_id,)).fetchone(), tenant, run_id)
        [one] = await listed_of(self._vault, self._known, [found]) if found else [None]
        return one if one and may_see(tenant, one.row.tenant) else None

    async def owner(self, run_id: str) -> str | None:
        """As in the port."""
        return await self._owners.of(run_id)

    async def list_runs(
        self, tenant: Tenant, wanted: RunFilter, limit: int, before: Position | None = None
    ) -> Sequence[Listed]:
        """As in the port."""
        filters = await filters_of(self._vault, DIALECT, tenant, wanted)

        def read(db: sqlite3.Connection) -> list[_Found]:
            sql, arguments = filters.page(max(limit, 0), before, _rare(db, filters))
            return db.execute(sql, arguments).fetchall()

        return await listed_of(self._vault, self._known, await self._read(read, tenant))

    async def count_runs(self, tenant: Tenant, wanted: RunFilter) -> Mapping[RunStatus, int]:
        """As in the port."""
        filters = await filters_of(self._vault, DIALECT, tenant, wanted)

        def read(db: sqlite3.Connection) -> list[tuple[str, int, int]]:
            return db.execute(*filters.counts(_rare(db, filters))).fetchall()

        return {RunStatus(status): count for status, count, _ in await self._read(read, tenant)}

    async def sum_runs(self, tenant: Tenant, wanted: RunFilter) -> Mapping[RunStatus, Summed]:
        """As in the port."""
        filters = await filters_of(self._vault, DIALECT, tenant, wanted)

        def read(db: sqlite3.Connection) -> list[tuple[Any, ...]]:
            return db.execute(*filters.sums(_rare(db, filters))).fetchall()

        return dict(map(summed, await self._read(read, tenant)))

    async def withdraw(self, run_id: str) -> bool:
        """As in the port."""
        self._owners.forget(run_id)
        return await self._vault.retry(
            lambda: self._writer.submit(
                lambda db: run_rows.withdraw(db, run_id, self._known), synced=False
            )
        )

    async def note_attention(self, found: Mapping[str, str | None]) -> None:
        """As in the port."""
        at_us = now_us()

        def work(db: sqlite3.Connection) -> None:
            for run_id, attention in found.items():
                run_rows.note(db, run_id, attention, at_us)

        if found:
            await self._writer.submit(work, synced=False)

    def changed_runs(self) -> AsyncGenerator[frozenset[str] | None, None]:
        """As in the port."""
        return follow_changes(self._watcher)

    async def fill_rows(self) -> int:
        """As in the port."""
        return await self._filling.fill()

    async def _stale(self, limit: int) -> list[str]:
        return await self._reader.run(lambda db: run_rows.stale(db, limit))

    async def _bring_up_to_date(self, run_ids: Sequence[str]) -> None:
        def work(db: sqlite3.Connection) -> None:
            for run_id in run_ids:
                run_rows.bring_up_to_date(db, run_id, self._known)

        await self._writer.submit(work, synced=False)

    async def _read(
        self, query: Callable[[sqlite3.Connection], T], tenant: Tenant, run_id: str | None = None
    ) -> T:
        """Run a query on rows that have all facts that were appended before this call."""

        def unless_stale(db: sqlite3.Connection) -> tuple[T] | None:
            return None if run_rows.stale(db, 1) else (query(db),)

        found = await self._reader.run(unless_stale)
        if found is None:
            await self._filling.fill()
            self._filling.check(tenant, run_id)
            return await self._reader.run(query)
        return found[0]


def _rare(db: sqlite3.Connection, filters: Filters) -> Rare | None:
    """What is under the longest prefix, None if there is none, or much; also ranks the labels."""
    if len(filters.labels) > 1:
        counts = (db.execute(*query).fetchone() for query in filters.label_entries())
        filters.rank_labels([count for (count,) in counts])
    if not filters.prefixes:
        return None
    (entries,) = db.execute(*filters.entries()).fetchone()
    if rare := filters.rare(entries):
        return rare
    return filters.rare_words([word for (word,) in db.execute(*filters.words())])
