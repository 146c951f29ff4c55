"""A tenant with a key, what it has, and a hand that changes the database."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from typing import Any

import asyncpg

from relayline.contracts.envelope import NewEvent
from relayline.contracts.events import InputRequested, RunFailed
from relayline.contracts.runs import RunError
from relayline.journal.access.audit import AuditRow
from relayline.journal.postgres.table import numbered
from relayline.journal.table import Storage
from relayline.journal.tenants.tenant_keys import TenantKey
from relayline.runtime.payloads.ring import KeyRing, ListedKeys, new_key
from tests.journal.auditing import audit_row
from tests.journal.rows import STARTED, fresh_id, keyed, queued
from tests.journal.samples import delta, fact
from tests.journal.storage import open_table

MARK = "sesame-4711"
"""Is in everything that somebody said."""
FIRST = ListedKeys([new_key("first")])


@asynccontextmanager
async def holding(storage: str, ring: KeyRing = FIRST) -> AsyncIterator[Storage]:
    """The storage as a process with that ring holds it."""
    opened = open_table(storage, ring)
    try:
        yield opened
    finally:
        await opened.close()


def row(action: str = "tenant-key.create") -> AuditRow:
    """A row of the audit log."""
    return audit_row("acme", action=action, target="acme")


async def with_key(table: Storage, tenant: str = "acme") -> TenantKey:
    return await table.tenant_keys.create(tenant, row())


async def said(table: Storage, tenant: str = "acme", what: str = MARK, **fields: Any) -> str:
    """A run that has said something wherever one can, and waits."""
    run = fresh_id()
    told = queued(tenant=tenant, **({"title": what, "metadata": {"user": what}} | fields))
    asked = InputRequested(request_id="r", call_id="c", question=what)
    await table.append(run, keyed(told, STARTED, asked))
    await table.append(run, [fact("said", what), delta(what), delta(what)])
    return run


async def failed(table: Storage, run: str) -> None:
    """The run ends, and says why."""
    error = RunError(type="x", message=MARK)
    await table.append(run, [NewEvent(body=RunFailed(error=error), key="0/run/ended")])


async def change(storage: str, statement: str, *arguments: str) -> None:
    """Change the database behind everybody's back; `?` stands for an argument."""
    await stored(storage, statement, *arguments)


async def stored(storage: str, query: str, *arguments: str) -> list[tuple[Any, ...]]:
    """What the database says."""
    adapter, _, where = storage.partition(":")
    if adapter == "sqlite":
        with closing(sqlite3.connect(where)) as file, file:
            return file.execute(query.replace("{s}", ""), arguments).fetchall()
    db = await asyncpg.connect(where)
    try:
        found = await db.fetch(numbered(query.replace("{s}", "relayline.")), *arguments)
        return [tuple(it) for it in found]
    finally:
        await db.close()
