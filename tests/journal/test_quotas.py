"""The quotas of tenants, on both adapters."""

from __future__ import annotations

from relayline.contracts.access.quotas import Quotas
from relayline.journal.table import Storage


async def test_quotas_are_kept_per_tenant_and_replaced_whole(
    table: Storage, other_table: Storage
) -> None:
    assert await table.quotas.find("acme") is None
    first = Quotas(open_runs=3, cost_per_day=1.5, models=("openai:*", "rehearsal"))
    await table.quotas.set("acme", first, 1, "root")
    assert await other_table.quotas.find("acme") == first
    assert await other_table.quotas.find("beta") is None
    await other_table.quotas.set("acme", Quotas(open_runs=4), 2, "root")
    assert await table.quotas.find("acme") == Quotas(open_runs=4)
    await table.quotas.remove("acme")
    await table.quotas.remove("acme")
    assert await other_table.quotas.find("acme") is None
