"""The port to the quotas of tenants, its SQL for both adapters, and what their runs have used."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple, Protocol

from relayline.contracts.access.quotas import Quotas
from relayline.contracts.messages import UsageSum
from relayline.journal.access.stored_keys import Run
from relayline.journal.table import RunFilter, RunTable

_FIND = "SELECT data FROM {s}tenant_quotas WHERE tenant = ?"
_SET = """
INSERT INTO {s}tenant_quotas (tenant, data, updated_us, updated_by) VALUES (?, ?, ?, ?)
ON CONFLICT (tenant) DO UPDATE SET data = excluded.data, updated_us = excluded.updated_us,
    updated_by = excluded.updated_by
"""
_REMOVE = "DELETE FROM {s}tenant_quotas WHERE tenant = ?"
_OPEN = RunFilter(open=True)


class Spent(NamedTuple):
    """What the runs of a tenant have used."""

    open_runs: int = 0
    runs: int = 0
    """Submitted since the time that was asked for; the rest is of these runs."""
    tokens: int = 0
    cost: float = 0.0
    """US dollars; runs without a known cost count nothing."""


class StoredQuotas(Protocol):
    """The quotas that tenants have of their own.

    All methods raise `JournalUnavailable` if the storage does not answer.
    """

    async def find(self, tenant: str) -> Quotas | None:
        """The tenant's own; None if it has none."""
        ...

    async def set(self, tenant: str, quotas: Quotas, at_us: int, by: str) -> None:
        """Give the tenant these, in place of those that it had."""
        ...

    async def remove(self, tenant: str) -> None:
        """The tenant has none of its own any more."""
        ...


class QuotaTable:
    """`StoredQuotas` on whatever runs statements in a transaction."""

    def __init__(self, run: Run) -> None:
        self._run = run

    async def find(self, tenant: str) -> Quotas | None:
        """As in the port."""
        [found] = await self._run((_FIND, (tenant,)))
        return Quotas.model_validate_json(found[0][0], extra="ignore") if found else None

    async def set(self, tenant: str, quotas: Quotas, at_us: int, by: str) -> None:
        """As in the port."""
        data = quotas.model_dump_json(exclude_none=True)
        await self._run((_SET, (tenant, data, at_us, by)))

    async def remove(self, tenant: str) -> None:
        """As in the port."""
        await self._run((_REMOVE, (tenant,)))


async def spent_of(table: RunTable, tenant: str, since: datetime | None) -> Spent:
    """What the tenant's runs have used since then; None: only how many are open.

    Raises:
        JournalUnavailable: the storage did not answer.
    """
    open_runs = sum((await table.count_runs(tenant, _OPEN)).values())
    if since is None:
        return Spent(open_runs)
    sums = (await table.sum_runs(tenant, RunFilter(created_after=since))).values()
    usage = sum((it.usage for it in sums), start=UsageSum())
    tokens = usage.input_tokens + usage.output_tokens
    cost = float(usage.cost.dollars) if usage.cost else 0.0
    return Spent(open_runs, sum(it.runs for it in sums), tokens, cost)
