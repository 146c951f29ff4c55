"""The runs table of the Postgres journal, as its readers see it."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from asyncpg import Record

from relayline.contracts.runs import RunStatus
from relayline.journal.access.owners import Owners
from relayline.journal.changes import follow_changes
from relayline.journal.columns import summed
from relayline.journal.filters import Dialect, Filters, Query, Rare
from relayline.journal.postgres import run_rows, sums
from relayline.journal.postgres.watcher import Watcher
from relayline.journal.rows import now_us
from relayline.journal.table import (
    EVERY,
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

if TYPE_CHECKING:
    from relayline.journal.postgres.database import Connection

T = TypeVar("T")
DIALECT = Dialect(schema="relayline.", find="strpos")
_ONE = """
SELECT r.run_id, r.state, h.last_seq, r.attention, EXISTS (SELECT 1 FROM relayline.stale_rows)
FROM relayline.run_rows r JOIN relayline.runs h ON h.run_id = r.run_id WHERE r.run_id = $1
"""


class PostgresRunTable(ABC):
    """`journal.table.RunTable` on the connections of the journal.

    Rows and sums that older versions have left behind are brought up to date before an answer.
    """

    def __init__(self, watcher: Watcher, vault: Vault, known: KnownRows) -> None:
        self._watcher = watcher
        self._vault = vault
        self._known = known
        self._owners = Owners(self.listed)
        self._filling = Filling(vault, self._stale, self._bring_up_to_date)

    @abstractmethod
    async def _fetch(self, tenant: Tenant, query: str, *arguments: object) -> list[Record]:
        """The rows of an idempotent statement, which is retried after transient errors."""

    @abstractmethod
    async def _transact(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Do idempotent work in a transaction, which is retried after transient errors."""

    async def listed(self, tenant: Tenant, run_id: str) -> Listed | None:
        """As in the port."""
        found = await self._current(lambda: self._fetch(tenant, _ONE, run_id), tenant, run_id)
        [one] = await listed_of(self._vault, self._known, found) if found else [None]
        return one if one and may_see(tenant, one.row.tenant) else None

    async def owner(self, run_id: str) -> str | None:
        """As in the port."""
        return await self._owners.of(run_id)

    async def list_runs(
        self, tenant: Tenant, wanted: RunFilter, limit: int, before: Position | None = None
    ) -> Sequence[Listed]:
        """As in the port."""
        filters = await filters_of(self._vault, DIALECT, tenant, wanted)

        async def read() -> list[Record]:
            rare = await self._rare(filters)
            return await self._ask_for(tenant, filters.page(max(limit, 0), before, rare))

        return await listed_of(self._vault, self._known, await self._current(read, tenant))

    async def count_runs(self, tenant: Tenant, wanted: RunFilter) -> Mapping[RunStatus, int]:
        """As in the port."""
        filters = await filters_of(self._vault, DIALECT, tenant, wanted)

        async def read() -> list[Record]:
            return await self._ask_for(tenant, filters.counts(await self._rare(filters)))

        return {RunStatus(status): count for status, count, _ in await self._current(read, tenant)}

    async def sum_runs(self, tenant: Tenant, wanted: RunFilter) -> Mapping[RunStatus, Summed]:
        """As in the port."""
        filters = await filters_of(self._vault, DIALECT, tenant, wanted)

        async def read() -> list[Record]:
            return await self._ask_for(tenant, filters.sums(await self._rare(filters)))

        return dict(summed(tuple(record)) for record in await self._current(read, tenant))

    async def withdraw(self, run_id: str) -> bool:
        """As in the port."""
        self._owners.forget(run_id)
        withdraw = partial(run_rows.withdraw, run_id=run_id, known=self._known)
        return await self._vault.retry(partial(self._transact, withdraw))

    async def note_attention(self, found: Mapping[str, str | None]) -> None:
        """As in the port."""
        at_us = now_us()
        for run_id, attention in found.items():
            await self._fetch(EVERY, run_rows.NOTE, run_id, attention, at_us)

    def changed_runs(self) -> AsyncGenerator[frozenset[str] | None, None]:
        """As in the port."""
        return follow_changes(self._watcher)

    async def fill_rows(self) -> int:
        """As in the port."""
        return await self._filling.fill()

    async def _stale(self, limit: int) -> list[str]:
        return [run_id for (run_id,) in await self._fetch(EVERY, sums.STALE, limit)]

    async def _bring_up_to_date(self, run_ids: Sequence[str]) -> None:
        await self._transact(partial(_bring_up_to_date, run_ids=run_ids, known=self._known))

    async def _current(
        self,
        read: Callable[[], Awaitable[list[Record]]],
        tenant: Tenant,
        run_id: str | None = None,
    ) -> list[Record]:
        """Read rows that have all facts that were appended before this call.

        The last column of what is read says whether rows are stale, as of the same moment.
        """
        found = await read()
        if found and not found[0][-1]:
            return found
        await self._filling.fill()  # or another process has done it meanwhile
        self._filling.check(tenant, run_id)
        return await read()

    async def _rare(self, filters: Filters) -> Rare | None:
        """What is under the longest prefix, None if there is none or much; ranks the labels."""
        if len(filters.labels) > 1:
            counts = [await self._ask_for(EVERY, query) for query in filters.label_entries()]
            filters.rank_labels([count for ((count,),) in counts])
        if not filters.prefixes:
            return None
        ((entries,),) = await self._ask_for(EVERY, filters.entries())
        if rare := filters.rare(entries):
            return rare
        words = await self._ask_for(EVERY, filters.words())
        return filters.rare_words([word for (word,) in words])

    async def _ask_for(self, tenant: Tenant, query: Query) -> list[Record]:
        return await self._fetch(tenant, numbered(query.sql), *query.arguments)


def numbered(sql: str) -> str:
    """The statement with `$1`, `$2`, … for `?`; it has no `?` in texts."""
    numbers = iter(range(1, sql.count("?") + 1))
    return re.sub(r"\?", lambda _: f"${next(numbers)}", sql)


async def _bring_up_to_date(
    connection: Connection, run_ids: Sequence[str], known: KnownRows
) -> None:
    await connection.execute(run_rows.LOCK, run_ids)
    await run_rows.bring_up_to_date(connection, run_ids, known)
    await sums.sum_up(connection, run_ids, known)
