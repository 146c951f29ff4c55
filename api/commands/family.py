"""Finds the run that has asked, where a run above it is named."""

from __future__ import annotations

from relayline.contracts.family.asking import MAX_DEPTH
from relayline.journal.table import RunTable, Tenant


async def asked_by(table: RunTable, tenant: Tenant, run_id: str, id_: str) -> tuple[str, str]:
    """The run that waits, and what for.

    An item of a run below this one has the id `{run_id}.{id}`. Any other id is the run's own.

    Raises:
        JournalUnavailable: the storage does not answer.
    """
    below, dot, own = id_.partition(".")
    above: str | None = below if dot else None
    for _ in range(MAX_DEPTH):
        listed = await table.listed(tenant, above) if above else None
        above = listed.row.parent if listed else None
        if above == run_id:
            return below, own
    return run_id, id_
