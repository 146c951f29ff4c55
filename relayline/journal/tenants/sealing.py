"""What an adapter does to content on its way in and out, where a tenant has a key."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence

from relayline.contracts.envelope import StoredEvent
from relayline.journal.rows import NewRow, tenant_told
from relayline.journal.tenants.data_key import is_sealed, key_id_of
from relayline.journal.tenants.known_rows import event_bounds, opened_events
from relayline.journal.tenants.vault import Vault
from relayline.projections.valid import QUEUED

_STARTED = "run.started"


class Sealing:
    """Seals what is appended and opens what is read; plain where no key applies.

    All methods raise `TenantErased` and `Unreadable`, and `JournalUnavailable` if the keys must be
    read and the storage does not answer.
    """

    def __init__(self, vault: Vault, owner: Callable[[str], Awaitable[str | None]]) -> None:
        """Use these keys.

        Args:
            vault: The keys.
            owner: Gives the tenant of a run; None if it has no row.
        """
        self._vault = vault
        self._owner = owner
        self._waiting: set[asyncio.Future[None]] = set()
        """One for each call of `sealed` that waits for the storage."""

    async def sealed(self, run_id: str, rows: Sequence[NewRow]) -> Sequence[NewRow]:
        """The rows as they must be stored.

        Raises:
            TenantErased: nothing may be stored for the run's tenant.
        """
        if self._vault.is_fresh and not self._vault.in_use:
            return rows
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(done)
        try:
            return await self._sealed(run_id, rows)
        finally:
            self._waiting.discard(done)
            done.set_result(None)

    async def finished(self) -> None:
        """Return once the calls of `sealed` that wait in this event loop have returned."""
        loop = asyncio.get_running_loop()
        if waiting := [it for it in self._waiting if it.get_loop() is loop]:
            await asyncio.wait(waiting)  # who is cancelled here cancels none of them

    async def _sealed(self, run_id: str, rows: Sequence[NewRow]) -> Sequence[NewRow]:
        await self._vault.fresh()
        if not (rows and self._vault.in_use):
            return rows
        tenant = _told_by(rows, QUEUED) or await self._owner(run_id) or _told_by(rows, _STARTED)
        key = self._vault.accepting(tenant, run_id) if tenant else None
        if key is None:
            return rows
        return [
            row._replace(data=key.seal(row.data, *event_bounds(run_id, row.type, row.key)))
            for row in rows
        ]

    async def opened(self, events: list[StoredEvent]) -> list[StoredEvent]:
        """The events as they were appended."""
        if not any(is_sealed(event.data) for event in events):
            return events

        async def opened() -> list[StoredEvent]:
            return opened_events(self._vault, events)

        await self._vault.fresh()
        return await self._vault.retry(opened)

    async def seal(self, tenant: str, text: str, *bound: str) -> str:
        """A text of that tenant which is no event, as it must be stored."""
        await self._vault.fresh()
        key = self._vault.accepting(tenant)
        return key.seal(text, *bound) if key else text

    async def open(self, text: str, *bound: str) -> str:
        """The text again."""
        if not is_sealed(text):
            return text

        async def opened() -> str:
            return self._vault.by_id(key_id_of(text)).open(text, *bound)

        await self._vault.fresh()
        return await self._vault.retry(opened)


def _told_by(rows: Sequence[NewRow], kind: str) -> str | None:
    """The tenant that a new event of that type tells; None without one."""
    return next((tenant_told(json.loads(row.data)) for row in rows if row.type == kind), None)
