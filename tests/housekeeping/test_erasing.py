"""Housekeeping finishes erasures: what Temporal has, what was interrupted, what has expired."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import ActivityEnvironment

from relayline.activities.erasing.executions import Eraser, erase_executions
from relayline.activities.erasing.finishing import ErasingActivities
from relayline.contracts.envelope import NewEvent
from relayline.contracts.events import RunCompleted, RunQueued
from relayline.contracts.events.person import UserMessageEvent
from relayline.contracts.housekeeping import HousekeepingRequest, HousekeepingResult
from relayline.contracts.keys import QUEUED_KEY
from relayline.journal.port import RunErased
from relayline.journal.table import EVERY
from tests.housekeeping.house import House, started
from tests.resetting import FIRST_TASK, reset_to

NOW = timedelta()
GONE_S = 90
"""How long Temporal may take to forget an execution that it has deleted."""


class Stack:
    """What `tests.resetting` asks for its Temporal."""

    def __init__(self, house: House) -> None:
        self._client = house.client

    async def temporal(self) -> Client:
        return self._client


async def finish(
    house: House, erasers: Sequence[Eraser], settled: timedelta = NOW
) -> HousekeepingResult:
    """One round of this part alone."""
    activities = ErasingActivities(house.journal, erasers, settled=settled)
    return await ActivityEnvironment().run(activities.finish_erasures, HousekeepingRequest())


async def ended(house: House, run: str) -> None:
    body = RunCompleted(output="done")
    await house.journal.append(run, [started(), NewEvent(key="0/run/ended", body=body)])


@pytest.mark.slow
async def test_every_execution_of_an_erased_run_is_deleted_from_temporal(house: House) -> None:
    handle = await house.start("fail")
    async with house.stand_ins():
        await asyncio.gather(handle.result(), return_exceptions=True)
        await reset_to(Stack(house), handle.id, FIRST_TASK)
        newest = house.client.get_workflow_handle(handle.id)
        await asyncio.gather(newest.result(), return_exceptions=True)
    await ended(house, handle.id)
    await house.visible(handle.id)
    executions = [it async for it in house.client.list_workflows(f"WorkflowId = '{handle.id}'")]
    assert len(executions) == 2
    assert await house.journal.erase(EVERY, handle.id)
    erasers = [erase_executions(house.client)]
    async with asyncio.timeout(GONE_S):
        while not (await finish(house, erasers)).erased:
            await asyncio.sleep(0.5)
    for it in executions:
        with pytest.raises(RPCError) as caught:
            await house.client.get_workflow_handle(handle.id, run_id=it.run_id).describe()
        assert caught.value.status is RPCStatusCode.NOT_FOUND
    assert await house.journal.unfinished(10) == []


@pytest.mark.slow
async def test_an_execution_that_still_runs_is_deleted_too(house: House) -> None:
    handle = await house.start("hang")
    await ended(house, handle.id)
    await house.journal.erase(EVERY, handle.id)
    erasers = [erase_executions(house.client)]
    async with asyncio.timeout(GONE_S):
        while not (await finish(house, erasers)).erased:
            await asyncio.sleep(0.5)


async def test_an_erasure_is_not_finished_before_temporal_lists_every_execution(
    house: House,
) -> None:
    handle = await house.start("hang")
    await handle.terminate()
    await ended(house, handle.id)
    await house.journal.erase(EVERY, handle.id)
    done = await finish(house, [], timedelta(minutes=1))
    assert done.erased == 0
    assert [it.run_id for it in await house.journal.unfinished(10)] == [handle.id]


async def test_a_store_that_does_not_answer_holds_up_no_other_run(house: House) -> None:
    async def eraser(run_id: str) -> bool:
        if run_id == first.id:
            raise RPCError("no", RPCStatusCode.UNAVAILABLE, b"")
        return True

    first, second = await house.start(), await house.start()
    for handle in (first, second):
        await ended(house, handle.id)
        await house.journal.erase(EVERY, handle.id)
    assert (await finish(house, [eraser])).erased == 1
    assert [it.run_id for it in await house.journal.unfinished(10)] == [first.id]


async def test_an_execution_of_an_erased_run_that_came_back_is_deleted_again(
    house: House,
) -> None:
    """As after Temporal's own backup was restored; its end is not written anywhere."""
    handle = await house.start("hang")
    await ended(house, handle.id)
    await house.journal.erase(EVERY, handle.id)
    await house.journal.settle([handle.id])
    await handle.terminate()
    await house.visible(handle.id)
    await house.round()
    assert [it.run_id for it in await house.journal.unfinished(10)] == [handle.id]
    with pytest.raises(RunErased):
        await house.journal.head(EVERY, handle.id)


async def test_a_run_is_erased_when_its_own_retention_is_over(house: House) -> None:
    handle, kept = await house.start(), await house.start()
    for run, days in ((handle.id, 1e-9), (kept.id, 1.0)):
        told = RunQueued(
            agent="assistant",
            model="rehearsal",
            submitted_at=datetime(2026, 11, 1, tzinfo=UTC),
            retention_days=days,
        )
        await house.journal.append(run, [NewEvent(key=QUEUED_KEY, body=told)])
        await ended(house, run)
    await house.round()
    with pytest.raises(RunErased):
        await house.journal.append(handle.id, [NewEvent(body=UserMessageEvent(text="late"))])
    assert len(await house.events(kept.id)) == 3
