"""Housekeeping erases tenants: runs, executions, schedules, and the key when nothing is left."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleIntervalSpec,
    ScheduleSpec,
)
from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import ActivityEnvironment

from relayline.activities.erasing.executions import Eraser, erase_executions
from relayline.activities.erasing.finishing import ErasingActivities
from relayline.activities.erasing.tenants import (
    SETTLED,
    erase_tenant_executions,
    erase_tenant_schedules,
)
from relayline.contracts.housekeeping import RUN_WORKFLOW, HousekeepingRequest
from relayline.contracts.runs import SEARCH_TENANT, TASK_QUEUE
from relayline.contracts.submissions.schedules import (
    MEMO_SCHEDULE,
    SCHEDULE_PREFIX,
    ScheduleMemo,
)
from relayline.journal.port import RunErased
from relayline.journal.sqlite.journal import SqliteJournal
from relayline.journal.table import EVERY, RunFilter, Storage
from relayline.journal.tenants.tenant_keys import KeyState
from relayline.runtime.payloads.ring import ListedKeys, new_key
from tests.housekeeping.house import House
from tests.journal.rows import STARTED, keyed, queued
from tests.journal.tenants.keeping import FIRST, holding, row, said, with_key

NOW = timedelta()
GONE_S = 90
"""How long Temporal may take to forget an execution that it has deleted."""
_TENANT = SearchAttributeKey.for_keyword(SEARCH_TENANT)


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[SqliteJournal]:
    opened = SqliteJournal(tmp_path / "journal.db", FIRST)
    yield opened
    await opened.close()


async def finish(
    journal: Storage,
    runs: Sequence[Eraser] = (),
    tenants: Sequence[Eraser] = (),
    settled: timedelta = NOW,
) -> KeyState:
    """One round of this part alone; how far the key of `acme` is."""
    activities = ErasingActivities(journal, runs, tenants, settled=settled)
    await ActivityEnvironment().run(activities.finish_erasures, HousekeepingRequest())
    [key] = await journal.tenant_keys.keys()
    return key.state


async def is_gone(client: Client, run_id: str) -> bool:
    try:
        await client.get_workflow_handle(run_id).describe()
    except RPCError as error:
        return error.status is RPCStatusCode.NOT_FOUND
    return False


@pytest.mark.slow
async def test_nothing_of_a_tenant_is_left_in_temporal_or_the_journal(house: House) -> None:
    await with_key(house.journal)
    of_acme, of_beta = (
        TypedSearchAttributes([SearchAttributePair(_TENANT, tenant)]) for tenant in ("acme", "beta")
    )
    untold = await house.start("hang", search_attributes=of_acme)  # the journal does not know it
    theirs = await house.start("hang", search_attributes=of_beta)
    told = await house.start("hang", search_attributes=of_acme)
    await house.journal.append(told.id, keyed(queued(tenant="acme"), STARTED))
    schedules = [await scheduled(house.client, tenant) for tenant in ("acme", "beta")]
    for handle in (untold, told, theirs):
        await house.visible_open(handle.id)
    await house.journal.tenant_keys.begin_erasing("acme", row())
    parts = [erase_tenant_executions(house.client), erase_tenant_schedules(house.client)]
    async with asyncio.timeout(GONE_S):
        while await finish(house.journal, [erase_executions(house.client)], parts) is not (
            KeyState.ERASED
        ):
            await asyncio.sleep(0.5)
    assert [await is_gone(house.client, it.id) for it in (untold, told, theirs)] == [1, 1, 0]
    assert await house.journal.unfinished(10) == []
    assert await house.journal.list_runs("acme", RunFilter(), 10) == []
    left = {it.id async for it in await house.client.list_schedules()}
    assert [it in left for it in schedules] == [False, True]
    await theirs.terminate()
    await house.client.get_schedule_handle(schedules[1]).delete()


async def scheduled(client: Client, tenant: str) -> str:
    """A schedule of that tenant, which never acts; its id once Temporal lists it."""
    schedule_id = f"{SCHEDULE_PREFIX}{tenant}:{uuid4().hex}"
    action = ScheduleActionStartWorkflow(
        RUN_WORKFLOW, id=schedule_id, task_queue=f"{TASK_QUEUE}-none"
    )
    every = ScheduleSpec(intervals=[ScheduleIntervalSpec(every=timedelta(days=365))])
    memo = {MEMO_SCHEDULE: ScheduleMemo(tenant=tenant, agent="assistant")}
    await client.create_schedule(schedule_id, Schedule(action=action, spec=every), memo=memo)
    async with asyncio.timeout(60):
        while schedule_id not in {it.id async for it in await client.list_schedules()}:
            await asyncio.sleep(0.05)
    return schedule_id


async def test_the_key_stays_until_a_minute_has_passed_and_every_store_has_nothing_left(
    journal: SqliteJournal,
) -> None:
    answers = [False, True]

    async def eraser(tenant: str) -> bool:
        assert tenant == "acme"
        if not answers:
            raise RPCError("no", RPCStatusCode.UNAVAILABLE, b"")
        return answers.pop(0)

    await with_key(journal)
    run, theirs = await said(journal), await said(journal, "beta")
    assert await finish(journal, tenants=[eraser]) is KeyState.ACTIVE
    await journal.tenant_keys.begin_erasing("acme", row())
    assert await finish(journal, tenants=[eraser]) is KeyState.ERASING  # a run was left
    assert answers == [True]
    assert await finish(journal, tenants=[eraser], settled=SETTLED) is KeyState.ERASING
    assert await finish(journal, tenants=[eraser]) is KeyState.ERASING  # it does not answer
    assert await finish(journal) is KeyState.ERASED
    assert await finish(journal, tenants=[eraser]) is KeyState.ERASED
    found = await journal.list_runs(EVERY, RunFilter(), 10)
    assert [it.row.run_id for it in found] == [theirs]
    assert run not in {it.run_id for it in await journal.unfinished(10)}


async def test_the_key_stays_while_temporal_may_have_a_run(journal: SqliteJournal) -> None:
    has_it = True

    async def eraser(run_id: str) -> bool:
        return not has_it

    await with_key(journal)
    await said(journal)
    await journal.tenant_keys.begin_erasing("acme", row())
    for _ in range(3):
        assert await finish(journal, [eraser]) is KeyState.ERASING
    has_it = False
    assert await finish(journal, [eraser]) is KeyState.ERASED


async def test_what_a_suspended_process_writes_after_the_erasure_is_erased_in_the_next_round(
    tmp_path: Path,
) -> None:
    storage = f"sqlite:{tmp_path / 'journal.db'}"
    async with holding(storage) as table, holding(storage) as suspended:
        await with_key(table)
        await suspended.tenant_keys.keys()
        await table.tenant_keys.begin_erasing("acme", row())
        assert await finish(table) is KeyState.ERASED
        run = await said(suspended)  # what it knows of the key is from before
        assert await table.head(EVERY, run)
        assert await finish(table) is KeyState.ERASED
        with pytest.raises(RunErased):
            await table.head("acme", run)
        assert await table.list_runs(EVERY, RunFilter(), 10) == []


async def test_keys_are_wrapped_again_after_the_ring_was_rotated(tmp_path: Path) -> None:
    storage = f"sqlite:{tmp_path / 'journal.db'}"
    async with holding(storage) as table:
        await with_key(table)
    rotated = ListedKeys([new_key("second"), FIRST.key("first")])
    async with holding(storage, rotated) as table:
        assert await finish(table) is KeyState.ACTIVE
        [key] = await table.tenant_keys.keys()
        assert key.ring_id == "second"
