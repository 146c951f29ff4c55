"""A journal that can be taken away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from datetime import datetime
from typing import Any

from relayline.contracts.envelope import NewEvent, StoredEvent
from relayline.contracts.runs import RunStatus
from relayline.journal.port import Appended, Fence, Head, JournalUnavailable, OpenRun
from relayline.journal.table import Listed, Position, RunFilter, Storage, Tenant


class FlakyJournal:
    """A journal whose storage can be taken away."""

    def __init__(self, inner: Storage) -> None:
        self._inner = inner
        self.fenced = inner.fenced
        self.changed_runs = inner.changed_runs
        self.fill_rows = inner.fill_rows
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

    def _check(self) -> None:
        if self._error:
            raise self._error

    async def append(
        self, run_id: str, events: Sequence[NewEvent], fence: Fence | None = None
    ) -> list[Appended]:
        self._check()
        return await self._inner.append(run_id, events, fence)

    async def read(
        self, run_id: str, after: int = 0, limit: int = 1000, **more: Any
    ) -> list[StoredEvent]:
        self._check()
        return await self._inner.read(run_id, after, limit, **more)

    async def get(self, run_id: str, key: str) -> StoredEvent | None:
        self._check()
        return await self._inner.get(run_id, key)

    async def head(self, run_id: str) -> Head | None:
        self._check()
        return await self._inner.head(run_id)

    async def tail(
        self, run_id: str, after: int | StoredEvent = 0
    ) -> AsyncGenerator[Sequence[StoredEvent], None]:
        self._check()
        batches = self._inner.tail(run_id, after)
        broken = asyncio.create_task(self._went_down.wait())
        try:
            while True:
                step = asyncio.ensure_future(anext(batches))
                await asyncio.wait({step, broken}, return_when=asyncio.FIRST_COMPLETED)
                if not step.done():
                    step.cancel()
                    await asyncio.gather(step, return_exceptions=True)
                    self._check()
                try:
                    batch = step.result()
                except StopAsyncIteration:
                    return
                yield batch
        finally:
            broken.cancel()
            await batches.aclose()

    async def listed(self, tenant: Tenant, run_id: str) -> Listed | None:
        self._check()
        return await self._inner.listed(tenant, run_id)

    async def list_runs(
        self, tenant: Tenant, wanted: RunFilter, limit: int, before: Position | None = None
    ) -> Sequence[Listed]:
        self._check()
        return await self._inner.list_runs(tenant, wanted, limit, before)

    async def count_runs(self, tenant: Tenant, wanted: RunFilter) -> Mapping[RunStatus, int]:
        self._check()
        return await self._inner.count_runs(tenant, wanted)

    async def note_attention(self, found: Mapping[str, str | None]) -> None:
        self._check()
        await self._inner.note_attention(found)

    async def open_runs(
        self, quiet_since: datetime, after: str = "", limit: int = 100
    ) -> list[OpenRun]:
        self._check()
        return await self._inner.open_runs(quiet_since, after, limit)

    async def sweep(self, older_than: datetime, limit: int | None = None) -> int:
        self._check()
        return await self._inner.sweep(older_than, limit)

    async def check(self) -> None:
        self._check()
        await self._inner.check()

    async def close(self) -> None:
        await self._inner.close()
