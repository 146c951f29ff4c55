"""The outbox: in which order deliveries are due, and who may record."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from relayline.contracts.webhooks import DeliveryState
from relayline.journal.table import EVERY, Storage
from relayline.journal.webhooks import TRIPPED
from tests.journal.outbox import (
    HOUR,
    LATER,
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


async def test_of_each_run_one_delivery_is_due_at_a_time_in_order(table: Storage) -> None:
    it = await added(table)
    runs = [await told(table, queued(), waiting(1), completed()) for _ in range(2)]
    assert len(await planned(table.webhooks, it)) == 6
    for seq in (1, 2, 3):
        due = await claimed(table.webhooks, it)
        assert sorted((each.run_id, each.seq) for each in due) == sorted((id_, seq) for id_ in runs)
        for each in due:
            assert await table.webhooks.record("me", ended(each), now_us(), None)
    assert not await claimed(table.webhooks, it)
    assert await table.webhooks.release(it.webhook_id, "me") is None


async def test_a_failed_try_holds_the_run_back_until_it_is_due_again(table: Storage) -> None:
    it = await added(table)
    run = await told(table, queued(), completed())
    await planned(table.webhooks, it)
    [first] = await claimed(table.webhooks, it)
    at = now_us() + HOUR
    assert await table.webhooks.record("me", replace(first, next_us=at, failures=1), now_us(), 0)
    claim = await table.webhooks.claim(it.webhook_id, "me", at - 1, 10)
    assert claim
    assert not claim.due
    assert await table.webhooks.release(it.webhook_id, "me") == at
    assert await table.webhooks.due(at - 1, 10) == []
    assert await table.webhooks.due(at, 10) == [it.webhook_id]
    [again] = await claimed(table.webhooks, it)
    assert (again.run_id, again.seq, again.failures) == (run, 1, 1)


async def test_who_has_lost_a_receiver_records_nothing(table: Storage) -> None:
    it = await added(table)
    await told(table, queued(), completed())
    await planned(table.webhooks, it)
    [mine] = await claimed(table.webhooks, it, "me")
    [theirs] = await claimed(table.webhooks, it, "them")
    assert not await table.webhooks.record("me", ended(mine), now_us(), None)
    stored = await table.webhooks.delivery(EVERY, mine.delivery_id)
    assert stored
    assert stored.state is DeliveryState.PENDING
    assert not stored.tries
    assert await table.webhooks.record("them", ended(theirs), now_us(), None)
    [following] = await claimed(table.webhooks, it, "them")
    assert following.seq == 2


async def test_a_receiver_at_which_somebody_is_is_not_due(table: Storage) -> None:
    it = await added(table)
    await told(table, queued())
    await planned(table.webhooks, it)
    now = now_us()
    assert await table.webhooks.due(now, 10) == [it.webhook_id]
    assert await table.webhooks.claim(it.webhook_id, "me", now, 10)
    assert await table.webhooks.due(now, 10) == []
    assert await table.webhooks.due(now + HOUR, 10) == [it.webhook_id], "its owner has died"


async def test_a_receiver_that_keeps_failing_gets_one_try_at_a_time(table: Storage) -> None:
    it = await added(table)
    for _ in range(TRIPPED + 3):
        await told(table, queued())
    await planned(table.webhooks, it)
    for each in (await claimed(table.webhooks, it))[:TRIPPED]:
        failed = replace(each, next_us=LATER - 1, failures=1)
        assert await table.webhooks.record("me", failed, now_us(), 0)
    [only] = await claimed(table.webhooks, it)
    assert await table.webhooks.record("me", ended(only), now_us(), None)
    assert len(await claimed(table.webhooks, it)) == TRIPPED + 2


async def test_a_disabled_receiver_misses_nothing_once_it_is_enabled(table: Storage) -> None:
    it = await added(table)
    run = await told(table, queued(), waiting(1))
    await planned(table.webhooks, it)
    await table.webhooks.disable(it.webhook_id, "gone", now_us())
    assert not await claimed(table.webhooks, it)
    await table.append(run, [completed()])
    await planned(table.webhooks, it)
    assert not await table.webhooks.due(LATER, 10)
    waits = await table.webhooks.deliveries(EVERY, it.webhook_id, (run, DeliveryState.DISABLED), 10)
    assert len(waits) == 3
    assert await table.webhooks.enable("acme", it.webhook_id, now_us()) is None
    enabled = await table.webhooks.enable("default", it.webhook_id, now_us())
    assert enabled
    assert enabled.disabled_us is None
    for seq in (1, 2, 3):
        [each] = await claimed(table.webhooks, it)
        assert each.seq == seq
        assert await table.webhooks.record("me", ended(each), now_us(), None)


async def test_what_is_asked_for_again_is_due_again(table: Storage) -> None:
    it = await added(table)
    await told(table, queued())
    await planned(table.webhooks, it)
    [each] = await claimed(table.webhooks, it)
    assert await table.webhooks.record("me", ended(each), now_us(), None)
    await table.webhooks.redeliver(EVERY, each.delivery_id, now_us())
    [again] = await claimed(table.webhooks, it)
    assert again.delivery_id == each.delivery_id
    assert len(again.tries) == 1


async def test_a_run_is_swept_only_once_its_receivers_are_told(table: Storage) -> None:
    it = await added(table)
    run = await told(table, queued(), completed())
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    assert await table.sweep(tomorrow) == 0, "not planned yet"
    await planned(table.webhooks, it)
    assert await table.sweep(tomorrow) == 0
    for _ in range(2):
        [each] = await claimed(table.webhooks, it)
        assert await table.webhooks.record("me", ended(each), now_us(), None)
    assert await table.sweep(tomorrow) == 1
    assert not await table.webhooks.deliveries(EVERY, it.webhook_id, (run, None), 10)


async def test_the_backlog_is_what_is_left_to_tell(table: Storage) -> None:
    before = await table.webhooks.backlog()
    assert (before.pending, before.oldest_us) == (0, None)
    it, other = await added(table), await added(table, events=("run.failed",))
    run = await told(table, queued(), completed())
    assert (await table.webhooks.backlog()).untold == before.untold + 2
    await planned(table.webhooks, it)
    await told(table, queued())
    await planned(table.webhooks, it)
    [first, *_] = await claimed(table.webhooks, it)
    assert await table.webhooks.record("me", replace(first, next_us=LATER), now_us(), 0)
    found = await table.webhooks.backlog()
    assert (found.pending, found.untold) == (3, 0)
    [event] = await table.read(EVERY, run, 0, 1)
    assert found.oldest_us == event.at_us
    assert (found.receivers, found.failing, found.disabled) == (before.receivers + 2, 1, 0)
    assert await table.webhooks.disable(it.webhook_id, "gone", now_us())
    assert not await table.webhooks.disable(it.webhook_id, "gone", now_us()), "it was already"
    assert await table.webhooks.disable(other.webhook_id, "gone", now_us())
    found = await table.webhooks.backlog()
    assert (found.pending, found.oldest_us) == (0, None)
    assert (found.failing, found.disabled) == (0, 2)


async def test_nothing_of_an_erased_run_is_told_or_due(table: Storage) -> None:
    it = await added(table)
    planned_run = await told(table, queued(), completed())
    await planned(table.webhooks, it)
    untold_run = await told(table, queued(), completed())
    kept = await told(table, queued())
    for run in (planned_run, untold_run):
        assert await table.erase(EVERY, run)
    assert await planned(table.webhooks, it) == [(kept, 1)]
    assert [each.run_id for each in await claimed(table.webhooks, it)] == [kept]


async def test_nobody_enables_what_another_tenant_holds_back(table: Storage) -> None:
    it = await added(table, "acme")
    await told(table, queued(tenant="acme"))
    await planned(table.webhooks, it)
    [each] = await claimed(table.webhooks, it)
    held = replace(each, state=DeliveryState.DISABLED, next_us=None)
    assert await table.webhooks.record("me", held, now_us(), None)
    assert await table.webhooks.enable("other", it.webhook_id, now_us()) is None
    assert await table.webhooks.delivery("acme", each.delivery_id) == held
    assert await table.webhooks.enable("acme", it.webhook_id, now_us())
    assert await claimed(table.webhooks, it)
