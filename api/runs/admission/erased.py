"""Refuses what is submitted for a tenant whose key was erased."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from relayline.api.errors import TenantGone
from relayline.journal.port import JournalUnavailable, TenantErased
from relayline.journal.table import Storage

ASK_S = 0.5
"""The most that a submission waits for the keys to be read again, every few seconds."""


async def check_tenant(storage: Storage, tenant: str) -> None:
    """Return if something may be submitted for the tenant.

    While the journal does not answer, everything passes: the run's own appends are refused.

    Raises:
        TenantGone: its key was erased, or is being erased.
    """
    try:
        with suppress(JournalUnavailable, TimeoutError):
            async with asyncio.timeout(ASK_S):
                await storage.tenant_keys.check(tenant)
    except TenantErased as error:
        raise TenantGone(tenant) from error
