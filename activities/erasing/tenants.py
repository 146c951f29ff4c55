"""Erases whatever tenants have whose keys are being erased, and the keys last."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from temporalio import activity
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from relayline.activities.erasing.executions import Eraser, delete_listed
from relayline.activities.housekeeping import RPC_TIMEOUT
from relayline.contracts.access.audit import Action
from relayline.contracts.envelope import moment
from relayline.contracts.principals import TENANT_PATTERN
from relayline.contracts.runs import SEARCH_TENANT
from relayline.contracts.submissions.schedules import (
    MEMO_SCHEDULE,
    SCHEDULE_PREFIX,
    ScheduleMemo,
)
from relayline.journal.access.audit import row_without_request
from relayline.journal.port import RunErased, Unreadable
from relayline.journal.table import EVERY, Storage
from relayline.journal.tenants.tenant_keys import KeyState, TenantKey
from relayline.runtime.payloads.ring import PayloadUnreadable

SETTLED = timedelta(minutes=1)
"""An erasure is not finished earlier: Temporal's visibility may not have listed an execution yet.
"""
AT_A_TIME = 100
"""Runs that are erased before the time is looked at."""
LATE = timedelta(days=1)
"""After its erasure a tenant is looked at for so long: a process that was suspended may still write
what it had been allowed to."""
LOOKED_AT = 2000
"""Unfinished erasures of runs among which those of a tenant are looked for."""
_TENANT = re.compile(TENANT_PATTERN)


class TenantErasing:
    """A part of a round of housekeeping; any worker may repeat it.

    Args:
        storage: The keys of tenants, and their runs.
        erasers: One for each store beside the journal that has something of a tenant.
        settled: How old an erasure must be to be finished.
    """

    def __init__(self, storage: Storage, erasers: Sequence[Eraser], settled: timedelta) -> None:
        self._storage = storage
        self._erasers = erasers
        self._settled = settled

    async def work(self, deadline: float) -> set[str]:
        """Erase what there is of tenants whose keys are being erased, until the deadline.

        Also wraps keys again after the ring was rotated. Returns the tenants of which nothing was
        found.

        Raises:
            JournalUnavailable: the storage did not answer.
        """
        await self._rewrap()
        for key in await self._storage.tenant_keys.keys():
            if key.erased_us and datetime.now(UTC) - moment(key.erased_us) < LATE:
                await self._storage.erase_runs(key.tenant, AT_A_TIME)
        keys = await self._erasing()
        return {key.tenant for key in keys if await self._is_gone(key, deadline)}

    async def finish(self, empty: set[str]) -> None:
        """Delete the keys of those of the tenants of which no erased run is in Temporal either.

        Raises:
            JournalUnavailable: the storage did not answer.
        """
        if not empty:
            return
        left = empty - await self._unfinished(empty)
        for key in await self._erasing():
            began = moment(key.erasing_us or 0)
            is_settled = datetime.now(UTC) - began >= self._settled
            if key.tenant in left and is_settled:
                what = (key.tenant, Action.TENANT_KEY_ERASED.value, key.key_id)
                row = row_without_request("housekeeping", "", *what)
                await self._storage.tenant_keys.finish_erasing(key.tenant, row)
                activity.logger.info("tenant erased", extra={"tenant": key.tenant})

    async def _rewrap(self) -> None:
        try:
            if wrapped := await self._storage.tenant_keys.rewrap():
                activity.logger.info("keys of tenants are wrapped again", extra={"keys": wrapped})
        except Unreadable as error:
            activity.logger.warning("a key can't be wrapped again", extra={"reason": str(error)})

    async def _erasing(self) -> list[TenantKey]:
        keys = await self._storage.tenant_keys.keys()
        return [key for key in keys if key.state is KeyState.ERASING]

    async def _is_gone(self, key: TenantKey, deadline: float) -> bool:
        """Erase what there is of the tenant; True if nothing was left."""
        erased = 0
        while found := await self._storage.erase_runs(key.tenant, AT_A_TIME):
            erased += found
            if time.monotonic() >= deadline:
                return False
        try:
            gone = [await eraser(key.tenant) for eraser in self._erasers]
        except (RPCError, PayloadUnreadable) as error:
            why = {"tenant": key.tenant, "reason": str(error)}
            activity.logger.warning("the erasure of a tenant has to wait", extra=why)
            return False
        return all(gone) and not erased

    async def _unfinished(self, empty: set[str]) -> set[str]:
        """Those of which Temporal may have an erased run; all if there are too many to tell."""
        waiting = await self._storage.unfinished(LOOKED_AT)
        if len(waiting) == LOOKED_AT:
            return empty
        tenants: set[str] = set()
        for erasure in waiting:
            try:
                await self._storage.head(EVERY, erasure.run_id)
            except RunErased as error:
                tenants.add(error.tenant or "")
        return tenants


def erase_tenant_executions(client: Client) -> Eraser:
    """Deletes all runs of a tenant from Temporal, also those that the journal was not told of."""

    async def erase(tenant: str) -> bool:
        if not _TENANT.fullmatch(tenant):
            return True  # no key is made for such a name, which the query could not quote
        return await delete_listed(client, f"{SEARCH_TENANT} = '{tenant}'")

    return erase


def erase_tenant_schedules(client: Client) -> Eraser:
    """Deletes the schedules of a tenant, and what they have started to submit runs.

    Of schedules that were made while authentication was off, only those workflows that run while
    the schedule is there can be found.
    """

    async def erase(tenant: str) -> bool:
        if not _TENANT.fullmatch(tenant):
            return True
        begun = f"{SCHEDULE_PREFIX}{tenant}:"
        is_gone = await delete_listed(client, f"WorkflowId STARTS_WITH '{begun}'")
        async for listed in await client.list_schedules(rpc_timeout=RPC_TIMEOUT):
            if not listed.id.startswith(SCHEDULE_PREFIX):
                continue
            memo = await listed.memo_value(MEMO_SCHEDULE, None, type_hint=ScheduleMemo)
            if memo is not None and memo.tenant == tenant:
                is_gone = False
                await _delete_schedule(client, listed.id)
        return is_gone

    return erase


async def _delete_schedule(client: Client, schedule_id: str) -> None:
    try:
        await client.get_schedule_handle(schedule_id).delete(rpc_timeout=RPC_TIMEOUT)
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
