"""A journal that can be taken away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from datetime import datetime
from typing import Any

from relayline.contracts.envelope import NewEvent, StoredEvent
from relayline.contracts.runs import RunStatus
from relayline.journal.access.audit import EVERY_ROW, Audit, AuditFilter, AuditRow, SealedRow
from relayline.journal.access.chain import Anchor
from relayline.journal.port import Appended, Fence, Head, JournalUnavailable, OpenRun
from relayline.journal.table import Listed, Position, RunFilter, Storage, Summed, Tenant


class FlakyJournal:
    """A journal whose storage can be taken away."""

    def __init__(self, inner: Storage) -> None:
        self._inner = inner
        self.fenced = inner.fenced
        self.changed_runs = inner.changed_runs
        self.fill_rows = inner.fill_rows
        self.webhooks = inner.webhooks
        self.api_keys = inner.api_keys
        self.audit: Audit = FlakyAudit(self, inner.audit)
        self.quotas = inner.quotas
        self.catalogs = inner.catalogs
        self.tenant_keys = inner.tenant_keys
        self.files = inner.files
        self.store_batch = inner.store_batch
        self.find_batch = inner.find_batch
        self.batches = inner.batches
        self.pending_starts = inner.pending_starts
        self.pending_start = inner.pending_start
        self.forget_starts = inner.forget_starts
        self.batches_to_start = inner.batches_to_start
        self.erase = inner.erase
        self.erase_runs = inner.erase_runs
        self.expired = inner.expired
        self.unfinished = inner.unfinished
        self.settle = inner.settle
        self._error: Exception | None = None
        self._went_down = asyncio.Event()

    def go_down(self, error: Exception | None = None) -> None:
        """From now on every call fails, and every tail breaks off."""
        self._error = error or JournalUnavailable("the disk is gone")
        self._went_down.set()

    def come_back(self) -> None:
        """Work again."""
        self._error = None
        self._went_down.clear()

    def check_up(self) -> None:
        """Fail if it is down."""
        if self._error:
            raise self._error

    async def append(
        self, run_id: str, events: Sequence[NewEvent], fence: Fence | None = None
    ) -> list[Appended]:
        self.check_up()
        return await self._inner.append(run_id, events, fence)

    async def append_audited(
        self, run_id: str, events: Sequence[NewEvent], audit: Sequence[AuditRow]
    ) -> Sequence[Appended]:
        self.check_up()
        return await self._inner.append_audited(run_id, events, audit)

    async def read(
        self, tenant: Tenant, run_id: str, after: int = 0, limit: int = 1000, **more: Any
    ) -> list[StoredEvent]:
        self.check_up()
        return await self._inner.read(tenant, run_id, after, limit, **more)

    async def get(self, tenant: Tenant, run_id: str, key: str) -> StoredEvent | None:
        self.check_up()
        return await self._inner.get(tenant, run_id, key)

    async def head(self, tenant: Tenant, run_id: str) -> Head | None:
        self.check_up()
        return await self._inner.head(tenant, run_id)

    async def tail(
        self, tenant: Tenant, run_id: str, after: int | StoredEvent = 0
    ) -> AsyncGenerator[Sequence[StoredEvent], None]:
        self.check_up()
        batches = self._inner.tail(tenant, run_id, after)
        broken = asyncio.create_task(self._went_down.wait())
        try:
            while True:
                step = asyncio.ensure_future(anext(batches))
                await asyncio.wait({step, broken}, return_when=asyncio.FIRST_COMPLETED)
                if not step.done():
                    step.cancel()
                    await asyncio.gather(step, return_exceptions=True)
                    self.check_up()
                try:
                    batch = step.result()
                except StopAsyncIteration:
                    return
                yield batch
        finally:
            broken.cancel()
            await batches.aclose()

    async def owner(self, run_id: str) -> str | None:
        self.check_up()
        return await self._inner.owner(run_id)

    async def listed(self, tenant: Tenant, run_id: str) -> Listed | None:
        self.check_up()
        return await self._inner.listed(tenant, run_id)

    async def list_runs(
        self, tenant: Tenant, wanted: RunFilter, limit: int, before: Position | None = None
    ) -> Sequence[Listed]:
        self.check_up()
        return await self._inner.list_runs(tenant, wanted, limit, before)

    async def count_runs(self, tenant: Tenant, wanted: RunFilter) -> Mapping[RunStatus, int]:
        self.check_up()
        return await self._inner.count_runs(tenant, wanted)

    async def sum_runs(self, tenant: Tenant, wanted: RunFilter) -> Mapping[RunStatus, Summed]:
        self.check_up()
        return await self._inner.sum_runs(tenant, wanted)

    async def withdraw(self, run_id: str) -> bool:
        self.check_up()
        return await self._inner.withdraw(run_id)

    async def note_attention(self, found: Mapping[str, str | None]) -> None:
        self.check_up()
        await self._inner.note_attention(found)

    async def open_runs(
        self, quiet_since: datetime, after: str = "", limit: int = 100
    ) -> list[OpenRun]:
        self.check_up()
        return await self._inner.open_runs(quiet_since, after, limit)

    async def sweep(self, older_than: datetime, limit: int | None = None) -> int:
        self.check_up()
        return await self._inner.sweep(older_than, limit)

    async def check(self) -> None:
        self.check_up()
        await self._inner.check()

    async def close(self) -> None:
        await self._inner.close()


class FlakyAudit:
    """The audit log of that journal."""

    def __init__(self, journal: FlakyJournal, inner: Audit) -> None:
        self._journal = journal
        self._inner = inner

    async def add(self, rows: Sequence[AuditRow]) -> None:
        self._journal.check_up()
        await self._inner.add(rows)

    async def seal(self, limit: int) -> int:
        self._journal.check_up()
        return await self._inner.seal(limit)

    async def sealed(
        self, tenant: str, after: int, limit: int, wanted: AuditFilter = EVERY_ROW
    ) -> Sequence[SealedRow]:
        self._journal.check_up()
        return await self._inner.sealed(tenant, after, limit, wanted)

    async def tenants(self) -> Sequence[str]:
        return await self._inner.tenants()

    async def anchor(self, tenant: str) -> Anchor:
        return await self._inner.anchor(tenant)

    async def unsealed(self) -> int:
        return await self._inner.unsealed()

    async def sweep(self, before_us: int, limit: int) -> int:
        return await self._inner.sweep(before_us, limit)
