"""The keys of tenants in SQL that both adapters run as it stands.

`?` stands for an argument and `{s}` for the schema; all numbers are 64 bits.
"""

from __future__ import annotations

from collections.abc import Sequence

from relayline.journal.access.audit import AuditRow
from relayline.journal.access.stored_audit import Steps, Transact, added
from relayline.journal.access.stored_keys import Run
from relayline.journal.outbox_sql import Row
from relayline.journal.tenants.tenant_keys import KeyState, TenantKey

_COLUMNS = ", ".join(TenantKey._fields)
_ALL = f"SELECT {_COLUMNS} FROM {{s}}tenant_keys ORDER BY tenant"  # noqa: S608  constants only
_ONE = f"SELECT {_COLUMNS} FROM {{s}}tenant_keys WHERE tenant = ?"  # noqa: S608  as above
_ADD = f"""
INSERT INTO {{s}}tenant_keys ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (tenant) DO NOTHING RETURNING key_id
"""  # noqa: S608  as above
_BEGIN = """
UPDATE {s}tenant_keys SET state = 'erasing', erasing_us = ?
WHERE tenant = ? AND state = 'active' RETURNING key_id
"""
_FINISH = """
UPDATE {s}tenant_keys SET state = 'erased', erased_us = ?, wrapped = '', ring_id = ''
WHERE tenant = ? AND state = 'erasing' RETURNING key_id
"""
_REWRAP = """
UPDATE {s}tenant_keys SET ring_id = ?, wrapped = ? WHERE tenant = ? AND wrapped = ?
RETURNING key_id
"""


class StoredTenantKeys:
    """The table of keys, on whatever runs statements in a transaction."""

    def __init__(self, run: Run, transact: Transact) -> None:
        self._run = run
        self._transact = transact

    async def all(self) -> list[TenantKey]:
        """All of them, ordered by tenant."""
        [found] = await self._run((_ALL, ()))
        return [_key(row) for row in found]

    async def add(self, key: TenantKey, audit: AuditRow) -> TenantKey:
        """Add the key and the row, unless the tenant has one; returns the one that it has now."""

        def steps() -> Steps[TenantKey]:
            if (yield _ADD, (*key[:2], key.state.value, *key[3:])):
                yield from _noted(audit)
            [row] = yield _ONE, (key.tenant,)
            return _key(row)

        return await self._transact(steps)

    async def begin(self, tenant: str, now_us: int, audit: AuditRow) -> TenantKey | None:
        """Mark the key as being erased, if it is active; returns the tenant's key."""

        def steps() -> Steps[TenantKey | None]:
            if (yield _BEGIN, (now_us, tenant)):
                yield from _noted(audit)
            found: Sequence[Row] = yield _ONE, (tenant,)
            return _key(found[0]) if found else None

        return await self._transact(steps)

    async def finish(self, tenant: str, now_us: int, audit: AuditRow) -> None:
        """Delete a key that is being erased."""

        def steps() -> Steps[None]:
            if (yield _FINISH, (now_us, tenant)):
                yield from _noted(audit)

        await self._transact(steps)

    async def rewrap(self, key: TenantKey, ring_id: str, wrapped: str) -> bool:
        """Replace what is stored of the key; False if it is another meanwhile."""
        asked = (ring_id, wrapped, key.tenant, key.wrapped)
        [found] = await self._run((_REWRAP, asked))
        return bool(found)


def _noted(audit: AuditRow) -> Steps[None]:
    """Adds the row to the audit log."""
    for statement in added([audit]):  # noqa: UP028  a list can't be sent what a statement finds
        yield statement


def _key(row: Row) -> TenantKey:
    tenant, key_id, state, *rest = row
    return TenantKey(tenant, key_id, KeyState(state), *rest)
