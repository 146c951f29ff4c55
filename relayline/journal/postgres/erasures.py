"""Erasures on the Postgres journal."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Collection, Sequence
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from asyncpg import Record

from relayline.contracts.envelope import moment
from relayline.journal.columns import indexed
from relayline.journal.erasures import Erasure
from relayline.journal.files.file_port import Files
from relayline.journal.port import RunOpen
from relayline.journal.postgres.run_rows import bring_up_to_date, forget
from relayline.journal.rows import now_us
from relayline.journal.table import EVERY, Tenant, may_see
from relayline.journal.tenants.known_rows import KnownRows
from relayline.journal.tenants.vault import Vault
from relayline.projections.row import RunRow

if TYPE_CHECKING:
    from relayline.journal.postgres.database import Connection

T = TypeVar("T")
_BATCH = 1000
"""Events deleted in one transaction."""
_LOCK = "SELECT ended_at_us FROM relayline.runs WHERE run_id = $1 FOR UPDATE"
_TENANT = "SELECT tenant FROM relayline.erased WHERE digest = relayline.digest_of($1)"
_STATE = "SELECT state FROM relayline.run_rows WHERE run_id = $1"
_BURY = """
INSERT INTO relayline.erased (digest, tenant, at_us) VALUES (relayline.digest_of($1), $2, $3)
ON CONFLICT DO NOTHING
"""
_BEGIN = """
INSERT INTO relayline.erasures (run_id, begun_us) VALUES ($1, $2) ON CONFLICT DO NOTHING
"""
_DELETE = (
    "DELETE FROM relayline.held WHERE run_id = $1",
    "DELETE FROM relayline.fences WHERE run_id = $1",
    "DELETE FROM relayline.untold WHERE run_id = $1",
    "DELETE FROM relayline.deliveries WHERE run_id = $1",
    "DELETE FROM relayline.webhook_runs WHERE run_id = $1",
    "DELETE FROM relayline.run_starts WHERE run_id = $1",
    "DELETE FROM relayline.runs WHERE run_id = $1",
)
"""What a run has besides its row and its events."""
_OF_TENANT = "SELECT run_id, state FROM relayline.run_rows WHERE tenant = $1 LIMIT $2"
_FEW = (
    ("run_labels", "SELECT ctid FROM relayline.run_labels WHERE tenant = $1 LIMIT 1000"),
    ("run_words", "SELECT ctid FROM relayline.run_words WHERE tenant = $1 LIMIT 1000"),
    (
        "run_starts",
        """
        SELECT s.ctid FROM relayline.batches b
        JOIN relayline.run_starts s ON s.batch_id = b.batch_id WHERE b.tenant = $1 LIMIT 1000
        """,
    ),
    ("batches", "SELECT ctid FROM relayline.batches WHERE tenant = $1 LIMIT 50"),
    (
        "webhooks",
        "SELECT ctid FROM relayline.webhooks WHERE tenant = $1 AND named_only = 1 LIMIT 1000",
    ),
)
"""What a tenant has besides its runs, a few at a time."""
REST = tuple(
    f"""
    WITH gone AS (
        DELETE FROM relayline.{table} WHERE ctid = ANY (ARRAY({few})) RETURNING 1
    ) SELECT count(*) FROM gone
    """  # noqa: S608  constants only
    for table, few in _FEW
)
_EVENTS = """
WITH gone AS (
    DELETE FROM relayline.events WHERE run_id = $1 AND seq < $2 + (
        SELECT min(seq) FROM relayline.events WHERE run_id = $1
    ) RETURNING 1
) SELECT count(*) FROM gone
"""
_EXPIRED = """
SELECT run_id FROM relayline.run_rows WHERE expires_us <= $1 ORDER BY expires_us LIMIT $2
"""
_UNFINISHED = """
SELECT run_id, begun_us FROM relayline.erasures ORDER BY checked_us, begun_us LIMIT $1
"""
_DONE = "DELETE FROM relayline.erasures WHERE run_id = ANY ($1)"
_LOOKED_AT = "UPDATE relayline.erasures SET checked_us = $2 WHERE run_id = ANY ($1)"


class PostgresErasures(ABC):
    """`journal.erasures.Erasures` on the connections of the journal."""

    _vault: Vault
    _known: KnownRows
    files: Files

    @abstractmethod
    async def _fetch(self, tenant: Tenant, query: str, *arguments: object) -> list[Record]:
        """The rows of an idempotent statement, which is retried after transient errors."""

    @abstractmethod
    async def _transact(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Do idempotent work in a transaction, which is retried after transient errors."""

    async def erase(self, tenant: Tenant, run_id: str) -> str | None:
        """As in the port."""
        begin = partial(_begin, tenant=tenant, run_id=run_id, known=self._known)
        of = await self._vault.retry(partial(self._transact, begin))
        if of is None:
            return None
        await self._delete_rest(run_id)
        return of

    async def _delete_rest(self, run_id: str) -> None:
        while (await self._fetch(EVERY, _EVENTS, run_id, _BATCH))[0][0]:
            pass
        await self.files.forget_run(run_id)

    async def erase_runs(self, tenant: str, limit: int) -> int:
        """As in the port."""
        found = await self._fetch(EVERY, _OF_TENANT, indexed(tenant), limit)
        for run_id, state in found:
            row = self._known.row_to_forget(tenant, run_id, state)
            await self._transact(partial(_bury_one, row=row, known=self._known))
            await self._delete_rest(run_id)
        if len(found) < limit:
            for statement in REST:
                while (await self._fetch(EVERY, statement, indexed(tenant)))[0][0]:
                    pass
            await self.files.forget_tenant(tenant)
        return len(found)

    async def expired(self, limit: int) -> Sequence[str]:
        """As in the port."""
        return [run_id for (run_id,) in await self._fetch(EVERY, _EXPIRED, now_us(), limit)]

    async def unfinished(self, limit: int) -> Sequence[Erasure]:
        """As in the port."""
        found = await self._fetch(EVERY, _UNFINISHED, limit)
        return [Erasure(run_id, moment(begun_us)) for run_id, begun_us in found]

    async def settle(self, done: Collection[str], others: Collection[str] = ()) -> None:
        """As in the port."""
        await self._fetch(EVERY, _DONE, [*done])
        await self._fetch(EVERY, _LOOKED_AT, [*others], now_us())


async def _begin(
    connection: Connection, *, tenant: Tenant, run_id: str, known: KnownRows
) -> str | None:
    """Write the tombstone and delete all but the events, which nobody can reach any more.

    Returns the tenant of the run; None if nothing of it may be deleted.
    """
    header = await connection.fetchrow(_LOCK, run_id)
    if header is None:
        of: str | None = await connection.fetchval(_TENANT, run_id)
        if of is None or not may_see(tenant, of):
            return None
        await connection.execute(_BEGIN, run_id, now_us())
        return of
    await bring_up_to_date(connection, [run_id], known)
    state = await connection.fetchval(_STATE, run_id)
    row = known.row(run_id, state) if state is not None else RunRow(run_id=run_id)
    if not may_see(tenant, row.tenant):
        return None
    if header["ended_at_us"] is None:
        raise RunOpen(run_id)
    await _bury(connection, row, known)
    return row.tenant


async def _bury_one(connection: Connection, *, row: RunRow, known: KnownRows) -> None:
    """Erase a run whatever its status; only its events are left."""
    await connection.fetchrow(_LOCK, row.run_id)
    await _bury(connection, row, known)


async def _bury(connection: Connection, row: RunRow, known: KnownRows) -> None:
    await connection.execute(_BURY, row.run_id, row.tenant, now_us())
    await connection.execute(_BEGIN, row.run_id, now_us())
    await forget(connection, row, known)
    for statement in _DELETE:
        await connection.execute(statement, row.run_id)
