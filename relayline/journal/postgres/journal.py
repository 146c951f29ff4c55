"""The Postgres journal: for any number of processes on any number of hosts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, TypeVar, cast

from asyncpg import Record

from relayline.contracts.envelope import NewEvent, StoredEvent, microseconds, moment, storable
from relayline.journal.access.api_keys import ApiKeys
from relayline.journal.access.audit import Audit, AuditRow
from relayline.journal.access.quotas import QuotaTable, StoredQuotas
from relayline.journal.access.stored_audit import StoredAudit
from relayline.journal.access.stored_keys import StoredKeys
from relayline.journal.catalogs.specs_by_build import Catalogs, CatalogTable
from relayline.journal.columns import changes_row
from relayline.journal.files.adapters import files_in_table
from relayline.journal.port import Appended, Fence, Head, OpenRun, RunErased
from relayline.journal.postgres import sql
from relayline.journal.postgres.batches import PostgresBatches
from relayline.journal.postgres.database import CHECK_S, WAIT_S, Database, bind
from relayline.journal.postgres.erasures import PostgresErasures
from relayline.journal.postgres.table import PostgresRunTable
from relayline.journal.postgres.watcher import Watcher
from relayline.journal.postgres.webhooks import PostgresWebhooks, run_statements, run_steps
from relayline.journal.postgres.writer import Writer
from relayline.journal.rows import new_row
from relayline.journal.subscription import TAIL_PAGE, Page, follow, oldest_wanted
from relayline.journal.table import EVERY, Tenant, may_see
from relayline.journal.tenants.known_rows import KnownRows
from relayline.journal.tenants.sealing import Sealing
from relayline.journal.tenants.stored_tenant_keys import StoredTenantKeys
from relayline.journal.tenants.tenant_keys import NoRing, Ring, TenantKeys
from relayline.journal.tenants.vault import Vault
from relayline.journal.webhooks import Webhooks
from relayline.projections.selection import Selection

if TYPE_CHECKING:
    from relayline.journal.postgres.database import Connection

T = TypeVar("T")
_READERS = 8
_LANES = 3
"""Concurrent groups of facts; deltas have one more lane."""


class PostgresJournal(PostgresRunTable, PostgresBatches, PostgresErasures):
    """`journal.table.Storage` in the schema `relayline` of a database.

    Postgres must be 14 or newer.

    `relayline migrate` creates the schema. When `append` returns, facts and seals are committed as
    Postgres is configured (by default, on its disk). An append of deltas alone does not wait for
    the disk: it survives the death of any Relayline process and a restart of Postgres, but a crash
    of Postgres or its machine may lose the newest deltas (less than a second of them). `seq` then
    continues from the events that are left, and tails that had yielded lost ones raise
    `EventsLost`. Without `relaxed_deltas`, deltas are as durable as facts.

    After a sweep the keys of a run are unknown: a repeated one raises `RunEnded`.

    Uses at most `_READERS + _LANES + 2` connections, opened when needed. One of them listens while
    a tail is open, so a pooler in between must keep sessions. For one event loop.
    """

    def __init__(self, dsn: str, *, relaxed_deltas: bool = True, ring: Ring | None = None) -> None:
        """Connect to nothing yet.

        Args:
            dsn: Address of the database.
            relaxed_deltas: As above.
            ring: Wraps the keys of tenants.
        """
        self._database = Database(dsn)
        statements = partial(run_statements, self._transact)
        steps = partial(run_steps, self._transact)
        vault = Vault(StoredTenantKeys(statements, steps), ring or NoRing())
        super().__init__(Watcher(self._database), vault, KnownRows(vault))
        self._sealing = Sealing(vault, self._owners.of)
        self._facts = Writer(self._database, self._known, _LANES, relaxed=False)
        self._deltas = Writer(self._database, self._known, 1, relaxed=relaxed_deltas)
        self.tenant_keys: TenantKeys = vault
        self.webhooks: Webhooks = PostgresWebhooks(self._transact, self._sealing.opened)
        self.api_keys: ApiKeys = StoredKeys(statements)
        self.quotas: StoredQuotas = QuotaTable(statements)
        self.catalogs: Catalogs = CatalogTable(statements, ring)
        self.files = files_in_table(statements, vault, ring)
        self.audit: Audit = StoredAudit(statements, steps, sql.AUDIT_LOCK)
        self._pool = self._database.pool(_READERS)
        self._opening: asyncio.Task[object] | None = None
        self._is_bound: bool | None = None  # whether row-level security holds for this role
        self._was_available = self._closed = False

    async def append(
        self, run_id: str, events: Sequence[NewEvent], fence: Fence | None = None
    ) -> list[Appended]:
        """As in the port; concurrent appends share one commit."""
        if self._closed:
            raise self._database.closed()
        if not events and fence is None:
            return []
        rows = await self._sealing.sealed(run_id, [new_row(event) for event in events])
        deltas_only = bool(rows) and all(row.key is None for row in rows)
        writer = self._deltas if deltas_only else self._facts
        arguments = sql.append_arguments(run_id, rows, fence, notify=writer.relaxed)
        folded = rows if any(changes_row(row.type, row.key) for row in rows) else ()
        holder = sql.holder_arguments(fence)
        submit = partial(writer.submit, run_id, arguments, holder=holder, rows=folded)
        answer = await self._vault.retry(submit)
        return sql.appended(answer, run_id, rows, fence)

    async def append_audited(
        self, run_id: str, events: Sequence[NewEvent], audit: Sequence[AuditRow]
    ) -> list[Appended]:
        """As in the port; concurrent appends share one commit."""
        if self._closed:
            raise self._database.closed()
        rows = await self._sealing.sealed(run_id, [new_row(event) for event in events])
        arguments = sql.append_arguments(run_id, rows, None, notify=False)
        submit = partial(self._facts.submit, run_id, arguments, rows=rows, audit=audit)
        answer = await self._vault.retry(submit)
        return sql.appended(answer, run_id, rows, None)

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
        query, more = sql.reading(selection, facts=facts)
        found = await self._fetch(tenant, query, run_id, after, max(limit, 0), max_bytes, *more)
        page = sql.page(found, oldest_wanted(after, selection))
        return await self._sealing.opened(page.events)

    async def get(self, tenant: Tenant, run_id: str, key: str) -> StoredEvent | None:
        """As in the port."""
        if not storable(key) or not await self._owners.has(tenant, run_id):
            return None
        found = await self._fetch(tenant, sql.FACT, run_id, key)
        facts = await self._sealing.opened([StoredEvent._make(it) for it in found])
        return facts[0] if facts else None

    async def fenced(self, run_id: str, scope: str) -> int:
        """As in the port."""
        found = await self._fetch(EVERY, sql.FENCED, run_id, scope)
        return int(found[0][0]) if found else 0

    async def head(self, tenant: Tenant, run_id: str) -> Head | None:
        """As in the port."""
        found = await self._fetch(tenant, sql.HEAD, run_id)
        if not found:
            return None
        *bounds, erased = found[0]
        if erased is None:
            return Head._make(bounds) if await self._owners.has(tenant, run_id) else None
        if may_see(tenant, erased):
            raise RunErased(run_id, erased)
        return None

    def tail(
        self, tenant: Tenant, run_id: str, after: int | StoredEvent = 0
    ) -> AsyncGenerator[Sequence[StoredEvent], None]:
        """As in the port; also raises `JournalUnavailable` when the journal is closed."""
        how = (partial(self._page, tenant, run_id), self._sealing.opened)
        batches = follow(self._watcher, run_id, after, *how)
        return batches if tenant is EVERY else self._owners.only_theirs(tenant, run_id, batches)

    async def _page(self, tenant: Tenant, run_id: str, after: int) -> Page:
        page = sql.page(await self._fetch(tenant, sql.PAGE, run_id, after, TAIL_PAGE), after + 1)
        if len(page.events) < TAIL_PAGE:
            self._watcher.caught_up(run_id, page.last_seq)
        return page

    async def open_runs(
        self, quiet_since: datetime, after: str = "", limit: int = 100
    ) -> list[OpenRun]:
        """As in the port."""
        found = await self._fetch(EVERY, sql.OPEN, after, microseconds(quiet_since), limit)
        return [OpenRun(run_id, moment(at_us)) for run_id, at_us in found]

    async def sweep(self, older_than: datetime, limit: int | None = None) -> int:
        """As in the port; in small transactions, so that others can write in between."""
        before_us = microseconds(older_than)
        runs = 0
        while limit is None or runs < limit:
            swept = await self._fetch(EVERY, sql.SWEEP, before_us, sql.SWEEP_BATCH)
            if not swept:
                break
            runs += swept[0][0]
        return runs

    async def check(self) -> None:
        """As in the port; also checks that the schema is recent enough for this version.

        After a first success, an unreachable Postgres fails the check after `CHECK_S`.
        """
        patience_s = CHECK_S if self._was_available else WAIT_S
        asked = partial(self._fetch, EVERY, patience_s=patience_s)
        revision = (await asked(sql.CURRENT_REVISION))[0][0]
        if revision is None or revision < sql.REVISION:
            raise self._database.outdated(revision, sql.REVISION)
        await asked(sql.TOUCH)
        self._is_bound = (await asked(sql.IS_BOUND))[0][0]
        self._was_available = True

    async def close(self) -> None:
        """As in the port; open tails raise `JournalUnavailable`."""
        await self._sealing.finished()
        self._closed = True
        await self._watcher.close()
        await asyncio.gather(self._facts.close(), self._deltas.close())
        if self._opening is not None:
            await self._opening
            try:
                await asyncio.wait_for(self._pool.close(), WAIT_S)
            except TimeoutError:  # a query is still running: its caller gets an error
                self._pool.terminate()

    async def _fetch(
        self, tenant: Tenant, query: str, *arguments: object, patience_s: float = WAIT_S
    ) -> list[Record]:
        """The rows of an idempotent statement, which is retried after transient errors.

        Where row-level security holds, it sees those of that tenant only.

        Raises:
            JournalUnavailable: Postgres did not answer, or the journal is closed.
        """
        await self._opened()
        ask = partial(self._ask, tenant, query, *arguments)
        return await self._database.retry(ask, patience_s)

    async def _transact(
        self, work: Callable[[Connection], Awaitable[T]], tenant: Tenant = EVERY
    ) -> T:
        """Do idempotent work in a transaction, which is retried after transient errors.

        Where row-level security holds, it sees the rows of that tenant only.

        Raises:
            JournalUnavailable: Postgres did not answer, or the journal is closed.
        """
        await self._opened()
        return await self._database.retry(partial(self._try, work, tenant))

    async def _try(self, work: Callable[[Connection], Awaitable[T]], tenant: Tenant) -> T:
        """Do the work once; after a time-out, drop the connection, which is still busy."""
        async with self._pool.acquire() as pooled:
            connection = cast("Connection", pooled)
            try:
                async with connection.transaction():
                    if await self._must_bind(connection):
                        await bind(connection, tenant)
                    return await work(connection)
            except (TimeoutError, asyncio.CancelledError):
                connection.terminate()
                raise

    async def _ask(self, tenant: Tenant, query: str, *arguments: object) -> list[Record]:
        """Run the statement once; after a time-out, drop the connection, which is still busy."""
        async with self._pool.acquire() as pooled:
            connection = cast("Connection", pooled)
            try:
                if not await self._must_bind(connection):
                    return await connection.fetch(query, *arguments)
                async with connection.transaction():
                    await bind(connection, tenant)
                    return await connection.fetch(query, *arguments)
            except (TimeoutError, asyncio.CancelledError):
                connection.terminate()
                raise

    async def _must_bind(self, connection: Connection) -> bool:
        """True if row-level security holds, as the newest check said; the first call asks."""
        if self._is_bound is None:
            self._is_bound = bool(await connection.fetchval(sql.IS_BOUND))
        return self._is_bound

    async def _opened(self) -> None:
        if self._closed:
            raise self._database.closed()
        if self._opening is None:
            self._opening = asyncio.ensure_future(self._open())
        await asyncio.shield(self._opening)  # who is cancelled must not cancel it for others

    async def _open(self) -> None:
        await self._pool
