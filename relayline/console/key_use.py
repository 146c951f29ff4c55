"""Which keys open workflows and schedules need, as far as Temporal shows it without histories.

A run's memo is encrypted when it is submitted, and again as it continues: the oldest key in it is
the oldest that the run needs, but for keys that were in use in between.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import timedelta

from temporalio.client import Client, WorkflowExecution

from relayline.journal.tenants.tenant_keys import TenantKey
from relayline.runtime.payloads.found import key_ids_in
from relayline.runtime.payloads.ring import NO_KEYS
from relayline.runtime.temporal import connect

OPEN = "ExecutionStatus = 'Running'"
_CALL = timedelta(seconds=10)
_PAGE = 1000


class KeyUse(Counter[str]):
    """How many open workflows, schedules and keys of tenants need a key."""

    def __str__(self) -> str:
        """`12 open workflows, 3 schedules`."""
        return ", ".join(f"{count} {kind}" for kind, count in sorted(self.items()))


async def key_use() -> dict[str, KeyUse]:
    """By name of the key; under "" what has no encrypted payload.

    Raises:
        RPCError: Temporal did not answer.
        TemporalUnreachable: there is none.
    """
    client = await connect(NO_KEYS)
    used: dict[str, KeyUse] = {}
    async for execution in client.list_workflows(OPEN, page_size=_PAGE, rpc_timeout=_CALL):
        for key_id in await _of_workflow(client, execution):
            used.setdefault(key_id, KeyUse())["open workflows"] += 1
    async for schedule in await client.list_schedules(page_size=_PAGE, rpc_timeout=_CALL):
        described = await client.get_schedule_handle(schedule.id).describe(rpc_timeout=_CALL)
        for key_id in key_ids_in(described.raw_description) or {""}:
            used.setdefault(key_id, KeyUse())["schedules"] += 1
    return used


def wrapped_by(keys: Iterable[TenantKey], used: dict[str, KeyUse]) -> dict[str, KeyUse]:
    """The same with the keys of tenants, which need the key that has wrapped them."""
    for key in keys:
        if key.wrapped:
            used.setdefault(key.ring_id, KeyUse())["tenants"] += 1
    return used


async def _of_workflow(client: Client, execution: WorkflowExecution) -> set[str]:
    """By its memo; by its input if it has none, as batches have."""
    if execution.raw_info.memo.fields:
        return key_ids_in(execution.raw_info.memo) or {""}
    handle = client.get_workflow_handle(execution.id, run_id=execution.run_id)
    async for event in handle.fetch_history_events(page_size=1, rpc_timeout=_CALL):
        return key_ids_in(event) or {""}
    return {""}
