"""The SQLite journal: one file, for any number of processes on one host."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncGenerator, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path

from relayline.contracts.envelope import NewEvent, StoredEvent, microseconds, moment, storable
from relayline.journal.access.api_keys import ApiKeys
from relayline.journal.access.audit import Audit, AuditRow
from relayline.journal.access.quotas import QuotaTable, StoredQuotas
from relayline.journal.access.stored_audit import StoredAudit, added
from relayline.journal.access.stored_keys import StoredKeys
from relayline.journal.catalogs.specs_by_build import Catalogs, CatalogTable
from relayline.journal.files.adapters import files_in_folder
from relayline.journal.files.file_port import Files
from relayline.journal.port import Appended, Fence, Head, OpenRun, RunErased
from relayline.journal.rows import NewRow, new_row
from relayline.journal.sqlite import sql
from relayline.journal.sqlite.batches import SqliteBatches
from relayline.journal.sqlite.erasures import SqliteErasures
from relayline.journal.sqlite.file import JournalFile
from relayline.journal.sqlite.reader import Reader
from relayline.journal.sqlite.table import SqliteRunTable
from relayline.journal.sqlite.together import DeltaAppend
from relayline.journal.sqlite.watch.watcher import Watcher
from relayline.journal.sqlite.webhooks import (
    SqliteWebhooks,
    run_here,
    run_statements,
    run_steps,
)
from relayline.journal.sqlite.writer import Writer
from relayline.journal.subscription import TAIL_PAGE, Page, follow
from relayline.journal.table import EVERY, Tenant, may_see
from relayline.journal.tenants.sealing import Sealing
from relayline.journal.tenants.stored_tenant_keys import StoredTenantKeys
from relayline.journal.tenants.tenant_keys import NoRing, Ring, TenantKeys
from relayline.journal.tenants.vault import Vault
from relayline.journal.webhooks import Webhooks
from relayline.projections.selection import Selection
from relayline.projections.valid import DELTAS


class SqliteJournal(SqliteRunTable, SqliteBatches, SqliteErasures):
    """`journal.table.Storage` in one SQLite file in WAL mode.

    The first use creates the file and its folder. Facts and seals are on the disk when `append`
    returns. An append of deltas alone is then in the operating system's cache: it survives the
    death of any process but not a power failure.

    A run that has only fences does not exist yet: `head` returns None. After a sweep the keys of a
    run are unknown: a repeated one raises `RunEnded`. Later runs reuse the space of swept ones.

    One thread writes, four read, and one looks for new events while a tail is open: when the kernel
    tells of a write, or every millisecond where it can't. Safe to use from several event loops.
    """

    def __init__(self, path: Path, ring: Ring | None = None) -> None:
        """Open nothing yet.

        Args:
            path: The file.
            ring: Wraps the keys of tenants.
        """
        file = JournalFile(path)
        self._path = file.path
        reader, writer = Reader(file), Writer(file)
        statements, steps = partial(run_statements, reader, writer), partial(run_steps, writer)
        vault = Vault(StoredTenantKeys(statements, steps), ring or NoRing())
        super().__init__(reader, writer, Watcher(file), vault)
        self._sealing = Sealing(vault, self._owners.of)
        self.tenant_keys: TenantKeys = vault
        self.webhooks: Webhooks = SqliteWebhooks(reader, writer, self._sealing.opened)
        self.api_keys: ApiKeys = StoredKeys(statements)
        self.audit: Audit = StoredAudit(statements, steps)
        self.quotas: StoredQuotas = QuotaTable(statements)
        self.catalogs: Catalogs = CatalogTable(statements, ring)
        self.files: Files = files_in_folder(statements, file.path, vault, ring)

    async def append(
        self, run_id: str, events: Sequence[NewEvent], fence: Fence | None = None
    ) -> list[Appended]:
        """As in the port; concurrent appends share one commit."""
        rows = await self._sealing.sealed(run_id, [new_row(event) for event in events])

        def work(db: sqlite3.Connection) -> list[Appended]:
            return sql.append(db, self._known, run_id, rows, fence)

        if not rows or any(row.key is not None for row in rows):
            return await self._vault.retry(partial(self._writer.submit, work, synced=True))
        plain = fence is not None and fence.holder is None and _plain(rows)
        deltas = DeltaAppend(run_id, rows, fence) if fence and plain else None
        return await self._writer.submit(work, synced=False, deltas=deltas)

    async def append_audited(
        self, run_id: str, events: Sequence[NewEvent], audit: Sequence[AuditRow]
    ) -> list[Appended]:
        """As in the port; concurrent appends share one commit."""
        rows = await self._sealing.sealed(run_id, [new_row(event) for event in events])

        def work(db: sqlite3.Connection) -> list[Appended]:
            placed = sql.append(db, self._known, run_id, rows, None)
            for statement in added(audit):
                run_here(db, statement)
            return placed

        return await self._vault.retry(partial(self._writer.submit, work, synced=True))

    async def read(  # noqa: PLR0913  what to read, and how much of it
        self,
        tenant: Tenant,
        run_id: str,
        after: int = 0,
        limit: int = 1000,
        *,
        facts: bool = False,
        max_bytes: int | None = None,
        selection: Selection | None = None,
    ) -> list[StoredEvent]:
        """As in the port."""
        if not await self._owners.has(tenant, run_id):
            return []
        wanted = sql.Wanted(after, max(limit, 0), max_bytes, facts, selection)
        page = await self._reader.run(lambda db: sql.page(db, run_id, wanted))
        return await self._sealing.opened(page.events)

    async def get(self, tenant: Tenant, run_id: str, key: str) -> StoredEvent | None:
        """As in the port."""
        if not storable(key) or not await self._owners.has(tenant, run_id):
            return None
        found = await self._reader.run(lambda db: sql.fact(db, run_id, key))
        return (await self._sealing.opened([found]))[0] if found else None

    async def fenced(self, run_id: str, scope: str) -> int:
        """As in the port."""
        return await self._reader.run(lambda db: sql.fenced(db, run_id, scope))

    async def head(self, tenant: Tenant, run_id: str) -> Head | None:
        """As in the port."""
        try:
            found = await self._reader.run(lambda db: sql.head(db, run_id))
        except RunErased as error:
            if may_see(tenant, error.tenant or ""):
                raise
            return None
        return found if found and await self._owners.has(tenant, run_id) else None

    def tail(
        self, tenant: Tenant, run_id: str, after: int | StoredEvent = 0
    ) -> AsyncGenerator[Sequence[StoredEvent], None]:
        """As in the port; also raises `JournalUnavailable` when the journal is closed."""
        how = (partial(self._page, run_id), self._sealing.opened)
        batches = follow(self._watcher, run_id, after, *how)
        return batches if tenant is EVERY else self._owners.only_theirs(tenant, run_id, batches)

    async def _page(self, run_id: str, after: int) -> Page:
        return await self._reader.run(lambda db: sql.page(db, run_id, sql.Wanted(after, TAIL_PAGE)))

    async def open_runs(
        self, quiet_since: datetime, after: str = "", limit: int = 100
    ) -> list[OpenRun]:
        """As in the port."""
        before_us = microseconds(quiet_since)
        rows = await self._reader.run(lambda db: sql.open_runs(db, before_us, after, limit))
        return [OpenRun(run_id, moment(at_us)) for run_id, at_us in rows]

    async def sweep(self, older_than: datetime, limit: int | None = None) -> int:
        """As in the port; in small transactions, so that others can write in between."""
        before_us = microseconds(older_than)
        runs = 0
        while limit is None or runs < limit:
            swept = await self._writer.submit(
                lambda db: sql.sweep_step(db, before_us), synced=False
            )
            if not swept.more:
                break
            runs += swept.finished
        return runs

    async def check(self) -> None:
        """As in the port."""
        await self._writer.submit(sql.touch, synced=False)

    async def close(self) -> None:
        """As in the port; open tails raise `JournalUnavailable`."""
        await self._sealing.finished()
        self._reader.refuse()
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        self._watcher.close()
        self._writer.close()
        self._reader.close()


def _plain(rows: Sequence[NewRow]) -> bool:
    """True for rows that change nothing but the journal's length."""
    return all(row.type in DELTAS for row in rows)
