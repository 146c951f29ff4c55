"""Lists for readers of tenants with keys: what their filters mean, and rows as they were folded."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from relayline.journal.filters import Dialect, Filters
from relayline.journal.table import Listed, RunFilter, Tenant
from relayline.journal.tenants.known_rows import KnownRows
from relayline.journal.tenants.vault import Vault


async def filters_of(vault: Vault, dialect: Dialect, tenant: Tenant, wanted: RunFilter) -> Filters:
    """The filter on what is stored: labels may be digests.

    Raises:
        Unreadable: this process can't unwrap a key that may apply.
        JournalUnavailable: the keys must be read, and the storage did not answer.
    """
    if not wanted.metadata:
        return Filters(dialect, tenant, wanted)
    await vault.fresh()
    return Filters(dialect, tenant, wanted, vault.that_apply(tenant))


async def listed_of(vault: Vault, known: KnownRows, found: Iterable[Any]) -> list[Listed]:
    """The rows; each is found as a tuple of id, state, newest event, attention, and more.

    Raises:
        Unreadable: this process can't open one of them.
        JournalUnavailable: the keys must be read, and the storage did not answer.
    """
    rows = list(map(tuple, found))
    if vault.in_use:
        await vault.fresh()  # a process that only reads must forget keys, too

    async def opened() -> list[Listed]:
        return [
            Listed(known.row(run_id, state), last_seq, attention)
            for run_id, state, last_seq, attention, *_ in rows
        ]

    return await vault.retry(opened)
