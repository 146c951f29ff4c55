"""Receivers that only runs name are removed once nothing is left of these runs, never before."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from unittest.mock import create_autospec
from uuid import uuid4

import pytest
from temporalio.client import Client
from temporalio.testing import ActivityEnvironment

from relayline.activities.housekeeping import HousekeepingActivities
from relayline.contracts.housekeeping import HousekeepingRequest
from relayline.contracts.webhooks import DeliveryState
from relayline.journal.named.sweep import PAUSE_S, NamedSweep, forgetting
from relayline.journal.table import EVERY, Storage
from relayline.journal.webhooks import Receiver
from tests.journal.outbox import (
    LATER,
    SECRET,
    added,
    claimed,
    completed,
    ended,
    now_us,
    planned,
    queued,
    told,
    waiting,
)

LONG_AGO = 1_000_000


def swept_by() -> datetime:
    return datetime.now(UTC) + timedelta(days=1)


async def named(table: Storage, tenant: str = "default", **fields: object) -> Receiver:
    """A receiver of runs that name it, so far none."""
    return await added(table, tenant, named_only=True, created_us=LONG_AGO, **fields)


async def is_there(table: Storage, it: Receiver) -> bool:
    return await table.webhooks.receiver(EVERY, it.webhook_id) is not None


async def tell_all(table: Storage, it: Receiver, state: DeliveryState) -> None:
    await planned(table.webhooks, it)
    while due := await claimed(table.webhooks, it):
        for each in due:
            assert await table.webhooks.record("me", ended(each, state), now_us(), None)


@pytest.mark.parametrize("state", [DeliveryState.DELIVERED, DeliveryState.FAILED])
async def test_a_receiver_goes_after_the_last_run_that_named_it(
    table: Storage, state: DeliveryState
) -> None:
    it = await named(table)
    runs = [await told(table, queued(webhook=it.webhook_id), waiting(1)) for _ in range(2)]
    await tell_all(table, it, state)
    assert await table.webhooks.forget(LATER, 10) == 0, "the runs are open"
    for run in runs:
        await table.append(run, [completed()])
    assert await table.webhooks.forget(LATER, 10) == 0, "the last facts are not planned"
    await tell_all(table, it, state)
    assert await table.webhooks.forget(LATER, 10) == 0, "the runs are not swept"
    assert await table.erase(EVERY, runs[0])
    assert await table.webhooks.forget(LATER, 10) == 0, "one run is left"
    assert await table.sweep(swept_by()) == 1
    assert await table.webhooks.forget(LATER, 10) == 1
    assert not await is_there(table, it)


async def test_a_receiver_stays_while_an_open_run_has_told_it_nothing(table: Storage) -> None:
    it = await named(table, events=("run.completed",))
    run = await told(table, queued(webhook=it.webhook_id))
    assert await planned(table.webhooks, it) == []
    assert await table.webhooks.forget(LATER, 10) == 0
    await table.append(run, [completed()])
    assert await planned(table.webhooks, it) == [(run, 2)]


async def test_a_receiver_stays_for_a_while_after_it_was_named(table: Storage) -> None:
    it = await named(table)
    assert await table.webhooks.touch("default", it.webhook_id, now_us())
    before = now_us() - 3_600_000_000
    assert await table.webhooks.forget(before, 10) == 0
    again = Receiver(it.webhook_id, "default", it.url, named_only=True, created_us=LONG_AGO + 1)
    assert await table.webhooks.add(again, SECRET) == it
    assert await table.webhooks.forget(before, 10) == 0, "the newest time counts"
    assert await table.webhooks.forget(LATER, 10) == 1


async def test_naming_a_receiver_by_its_url_again_keeps_it(table: Storage) -> None:
    it = await named(table)
    now = now_us()
    again = Receiver(it.webhook_id, "default", it.url, named_only=True, created_us=now)
    assert await table.webhooks.add(again, SECRET) == it
    assert await table.webhooks.forget(now - 1, 10) == 0
    assert await is_there(table, it)


async def test_planning_a_run_that_names_a_receiver_keeps_it(table: Storage) -> None:
    it = await named(table)
    before = now_us()
    run = await told(table, queued(webhook=it.webhook_id))
    await table.webhooks.plan(100)
    assert await table.withdraw(run)
    assert await table.webhooks.forget(before - 1, 10) == 0
    assert await table.webhooks.forget(LATER, 10) == 1


async def test_a_receiver_stays_while_a_fact_is_not_planned(table: Storage) -> None:
    it = await named(table)
    run = await told(table, queued(webhook=it.webhook_id))
    assert await table.webhooks.forget(LATER, 10) == 0
    assert await planned(table.webhooks, it) == [(run, 1)]


async def test_who_names_a_receiver_while_another_process_removes_it_keeps_it_or_adds_it(
    table: Storage, other_table: Storage
) -> None:
    for number in range(20):
        it = await named(table)
        now = now_us()
        naming = (
            other_table.webhooks.touch("default", it.webhook_id, now)
            if number % 2
            else other_table.webhooks.add(replace(it, created_us=now), SECRET)
        )
        kept, _ = await asyncio.gather(naming, table.webhooks.forget(now - 1, 10))
        assert await is_there(table, it) == bool(kept)


async def test_a_round_of_housekeeping_removes_receivers_that_no_run_names(table: Storage) -> None:
    now = [0.0]
    sweep = NamedSweep(forgetting(table.webhooks), lambda: now[0])

    async def noted(_: int) -> int:
        return 0

    client = create_autospec(Client, instance=True)  # this part asks no Temporal
    activities = HousekeepingActivities(table, client, noted, None, sweep_receivers=sweep.work)

    async def round_() -> None:
        await ActivityEnvironment().run(activities.sweep_expired_runs, HousekeepingRequest())

    first, kept = await named(table), await added(table, named_only=True)
    await round_()
    assert not await is_there(table, first)
    assert await is_there(table, kept)
    late = await named(table)
    await round_()
    assert await is_there(table, late), "it has just looked"
    now[0] += PAUSE_S
    await round_()
    assert not await is_there(table, late)


async def test_registered_receivers_stay(table: Storage) -> None:
    it = await added(table, created_us=LONG_AGO)
    await table.webhooks.forget(LATER, 10)
    assert await is_there(table, it)


async def test_nobody_keeps_or_touches_a_receiver_of_another_tenant(table: Storage) -> None:
    it = await named(table, "acme")
    assert not await table.webhooks.touch("other", it.webhook_id, LATER)
    assert not await table.webhooks.touch("acme", f"wh_{uuid4().hex}", LATER)
    await told(table, queued(webhook=it.webhook_id, tenant="other"))
    await table.webhooks.plan(100)
    assert await table.webhooks.forget(now_us(), 10) == 1


async def test_at_most_so_many_go_at_once(table: Storage) -> None:
    for _ in range(3):
        await named(table)
    assert [await table.webhooks.forget(LATER, 2) for _ in range(3)] == [2, 1, 0]


async def test_a_receiver_that_somebody_removes_is_named_by_no_run(table: Storage) -> None:
    it = await named(table)
    await told(table, queued(webhook=it.webhook_id))
    await planned(table.webhooks, it)
    assert await table.webhooks.remove("default", it.webhook_id)
    await table.webhooks.add(it, SECRET)
    assert await table.webhooks.forget(LATER, 10) == 1


async def test_a_tenant_is_erased_with_the_receivers_of_its_runs(table: Storage) -> None:
    tenant = f"t-{uuid4().hex}"
    it, registered, other = (
        await named(table, tenant),
        await added(table, tenant),
        await named(table),
    )
    await told(table, queued(webhook=it.webhook_id, tenant=tenant))
    await planned(table.webhooks, it)
    while await table.erase_runs(tenant, 10):
        pass
    assert not await is_there(table, it)
    assert await is_there(table, registered)
    assert await is_there(table, other)
