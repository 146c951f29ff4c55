"""The audit log in SQL that both adapters run as it stands.

`?` stands for an argument and `{s}` for the schema; all numbers are 64 bits.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from functools import partial
from itertools import takewhile
from typing import Protocol, TypeVar

from relayline.journal.access.audit import EVERY_ROW, AuditFilter, AuditRow, SealedRow
from relayline.journal.access.chain import START, Anchor, follows
from relayline.journal.access.stored_keys import Run
from relayline.journal.outbox_sql import Row, Statement

T = TypeVar("T")
Steps = Generator[Statement, list[Row], T]
"""The statements of a transaction, where later ones depend on what earlier ones found."""
_COLUMNS = ", ".join(AuditRow._fields)
_MARKS = ", ".join("?" * len(AuditRow._fields))
_TOGETHER = 100
"""Rows in one statement."""
_UNSEALED = f"""
SELECT {_COLUMNS} FROM {{s}}audit WHERE seq IS NULL ORDER BY at_us, id LIMIT ?
"""  # noqa: S608  constants only
_HEAD = """
SELECT seq, hash FROM {s}audit WHERE tenant = ? AND seq IS NOT NULL ORDER BY seq DESC LIMIT 1
"""
_ANCHOR = "SELECT seq, hash FROM {s}audit_anchors WHERE tenant = ?"
_SEAL = "UPDATE {s}audit SET seq = ?, hash = ? WHERE id = ? AND seq IS NULL"
_TENANTS = """
WITH RECURSIVE found (tenant) AS (
    SELECT min(tenant) FROM {s}audit
    UNION ALL SELECT (SELECT min(tenant) FROM {s}audit a WHERE a.tenant > found.tenant)
    FROM found WHERE found.tenant IS NOT NULL
)
SELECT tenant FROM found WHERE tenant IS NOT NULL UNION SELECT tenant FROM {s}audit_anchors
ORDER BY 1
"""
"""Steps from one tenant to the next in the index, whatever the number of rows."""
_OLD = """
SELECT DISTINCT tenant FROM (
    SELECT tenant FROM {s}audit WHERE at_us < ? AND seq IS NOT NULL ORDER BY at_us LIMIT 1000
) AS old ORDER BY tenant
"""
_FIRST = """
SELECT seq, hash, at_us FROM {s}audit WHERE tenant = ? AND seq IS NOT NULL ORDER BY seq LIMIT ?
"""
_KEEP = """
INSERT INTO {s}audit_anchors (tenant, seq, hash) VALUES (?, ?, ?)
ON CONFLICT (tenant) DO UPDATE SET seq = excluded.seq, hash = excluded.hash
"""
_DELETE = "DELETE FROM {s}audit WHERE tenant = ? AND seq <= ?"
_WANTED = {"action": "action = ?", "subject": "subject = ?", "target": "target = ?"} | {
    "from_us": "at_us >= ?",
    "to_us": "at_us < ?",
}


class Transact(Protocol):
    """Runs steps in one transaction; what they write is on the disk then."""

    async def __call__(self, steps: Callable[[], Steps[T]]) -> T:
        """Run them, perhaps again from the start."""
        ...


def added(rows: Sequence[AuditRow]) -> list[Statement]:
    """The statements that add rows."""
    statements: list[Statement] = []
    for first in range(0, len(rows), _TOGETHER):
        part = rows[first : first + _TOGETHER]
        values = ", ".join([f"({_MARKS})"] * len(part))
        insert = (
            f"INSERT INTO {{s}}audit ({_COLUMNS}) VALUES {values} "  # noqa: S608  constants only
            "ON CONFLICT (id) DO NOTHING"
        )
        statements.append((insert, tuple(value for row in part for value in row)))
    return statements


class StoredAudit:
    """`journal.access.audit.Audit` on whatever runs statements in a transaction.

    Args:
        run: Runs statements in one transaction.
        transact: Runs steps in one.
        lock: Keeps other processes from sealing until the transaction ends; None where a
            transaction that writes does so anyway.
    """

    def __init__(self, run: Run, transact: Transact, lock: Statement | None = None) -> None:
        self._run = run
        self._transact = transact
        self._lock = lock

    async def add(self, rows: Sequence[AuditRow]) -> None:
        """As in the port."""
        if rows:
            await self._run(*added(rows))

    async def seal(self, limit: int) -> int:
        """As in the port."""
        [waiting] = await self._run((_UNSEALED, (1,)))
        return await self._transact(partial(self._sealing, limit)) if waiting else 0

    async def sealed(
        self, tenant: str, after: int, limit: int, wanted: AuditFilter = EVERY_ROW
    ) -> Sequence[SealedRow]:
        """As in the port."""
        given = {name: it for name, it in wanted._asdict().items() if it is not None}
        where = " AND ".join(["tenant = ?", "seq > ?", *(_WANTED[name] for name in given)])
        query = (
            f"SELECT seq, hash, {_COLUMNS} FROM {{s}}audit WHERE {where} "  # noqa: S608
            "ORDER BY seq LIMIT ?"
        )
        [found] = await self._run((query, (tenant, after, *given.values(), limit)))
        return [SealedRow(row[0], row[1], AuditRow(*row[2:])) for row in found]

    async def tenants(self) -> Sequence[str]:
        """As in the port."""
        [found] = await self._run((_TENANTS, ()))
        return [tenant for (tenant,) in found]

    async def anchor(self, tenant: str) -> Anchor:
        """As in the port."""
        [found] = await self._run((_ANCHOR, (tenant,)))
        return Anchor(*found[0]) if found else START

    async def unsealed(self) -> int:
        """As in the port."""
        [[found]] = await self._run(("SELECT count(*) FROM {s}audit WHERE seq IS NULL", ()))
        return int(found[0])

    async def sweep(self, before_us: int, limit: int) -> int:
        """As in the port."""
        [tenants] = await self._run((_OLD, (before_us,)))
        swept = 0
        for (tenant,) in tenants:
            swept += await self._transact(partial(self._sweeping, tenant, before_us, limit))
        return swept

    def _sealing(self, limit: int) -> Steps[int]:
        if self._lock:
            yield self._lock
        waiting = yield (_UNSEALED, (limit,))
        heads: dict[str, Anchor] = {}
        for row in (AuditRow(*it) for it in waiting):
            if row.tenant not in heads:
                newest = (yield (_HEAD, (row.tenant,))) or (yield (_ANCHOR, (row.tenant,)))
                heads[row.tenant] = Anchor(*newest[0]) if newest else START
            head = heads[row.tenant] = follows(heads[row.tenant], row)
            yield (_SEAL, (head.seq, head.hash, row.id))
        return len(waiting)

    def _sweeping(self, tenant: str, before_us: int, limit: int) -> Steps[int]:
        if self._lock:
            yield self._lock
        first = yield (_FIRST, (tenant, limit))
        old = [*takewhile(lambda row: row[2] < before_us, first)]
        if old:
            seq, kept, _ = old[-1]
            yield (_KEEP, (tenant, seq, kept))
            yield (_DELETE, (tenant, seq))
        return len(old)
