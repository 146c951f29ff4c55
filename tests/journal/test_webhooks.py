"""The outbox: receivers, and which facts are planned for whom."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from relayline.contracts.envelope import NewEvent
from relayline.contracts.events import (
    MessageDelta,
    RunRewound,
    UserMessageEvent,
)
from relayline.journal.table import EVERY, Storage
from relayline.journal.webhooks import Place
from tests.journal.outbox import (
    HOUR,
    SECRET,
    added,
    claimed,
    completed,
    ended,
    now_us,
    planned,
    queued,
    receiver,
    told,
    waiting,
)


async def test_a_fact_that_receivers_can_be_told_of_is_planned_once(table: Storage) -> None:
    it = await added(table)
    message = NewEvent(key="0/message/0", body=UserMessageEvent(text="hi"))
    delta = NewEvent(body=MessageDelta(text="x"), step=1, attempt=1)
    run = await told(table, queued(), message, delta, waiting(1), waiting(1), completed())
    assert await planned(table.webhooks, it) == [(run, 1), (run, 4), (run, 5)]


async def test_without_a_receiver_nothing_is_noted(table: Storage) -> None:
    await told(table, queued(), completed())
    assert await table.webhooks.plan(100) == 0


async def test_a_receiver_is_not_told_of_earlier_events(table: Storage) -> None:
    await added(table)
    await told(table, queued(), completed())
    late = await added(table, created_us=now_us() + 1_000_000)
    assert not await planned(table.webhooks, late)


@pytest.mark.parametrize(
    ("fields", "run", "seqs"),
    [
        ({}, {}, [1, 2, 3]),
        ({"events": ("run.completed",)}, {}, [3]),
        ({"agents": ("other",)}, {}, []),
        ({"agents": ("other", "assistant")}, {}, [1, 2, 3]),
        ({"named_only": True}, {}, []),
        ({}, {"tenant": "acme"}, []),
    ],
)
async def test_a_receiver_gets_only_the_events_that_it_chose(
    table: Storage, fields: dict[str, Any], run: dict[str, Any], seqs: list[int]
) -> None:
    it = await added(table, **fields)
    await told(table, queued(**run), waiting(1), completed())
    assert [seq for _, seq in await planned(table.webhooks, it)] == seqs


@pytest.mark.parametrize("tenant", ["default", "acme"])
async def test_a_run_names_a_receiver_of_its_own_tenant_only(table: Storage, tenant: str) -> None:
    it = await added(table, named_only=True, events=("run.completed",))
    await told(table, queued(webhook=it.webhook_id, tenant=tenant), completed())
    found = await planned(table.webhooks, it)
    assert [seq for _, seq in found] == ([2] if tenant == "default" else [])


async def test_the_newest_two_secrets_sign_for_a_day(table: Storage) -> None:
    it = await added(table)
    now = now_us()
    await table.webhooks.rotate(it.secret_id, "whsec_Mg==", now)
    rotated = await table.webhooks.rotate(it.secret_id, "whsec_Mw==", now)
    assert await table.webhooks.rotate(it.secret_id, "whsec_Mw==", now) == rotated
    assert rotated.at(now) == ("whsec_Mw==", "whsec_Mg==")
    assert rotated.at(now + 24 * HOUR) == ("whsec_Mw==",)
    assert "whsec" not in repr(rotated)


async def test_a_named_receiver_has_the_secret_of_its_tenant(table: Storage) -> None:
    tenant = f"t-{uuid4().hex}"
    first = await added(table, tenant, named_only=True)
    second = await table.webhooks.add(receiver(tenant, named_only=True), "whsec_b3RoZXI=")
    for it in (first, second):
        claim = await table.webhooks.claim(it.webhook_id, "me", now_us(), 1)
        assert claim
        assert claim.secrets.secret == SECRET


async def test_a_removed_receiver_leaves_nothing(table: Storage) -> None:
    it = await added(table)
    await told(table, queued())
    await planned(table.webhooks, it)
    assert not await table.webhooks.remove("acme", it.webhook_id)
    assert await table.webhooks.remove("default", it.webhook_id)
    assert await table.webhooks.receiver(EVERY, it.webhook_id) is None
    assert await table.webhooks.secrets(it.secret_id) is None
    assert not await table.webhooks.deliveries(EVERY, it.webhook_id, (None, None), 10)


async def test_no_tenant_sees_what_another_has(table: Storage) -> None:
    it = await added(table, "acme")
    await told(table, queued(tenant="acme"))
    await planned(table.webhooks, it)
    [each] = await table.webhooks.deliveries(EVERY, it.webhook_id, (None, None), 10)
    assert await table.webhooks.receiver("other", it.webhook_id) is None
    assert await table.webhooks.delivery("other", each.delivery_id) is None
    assert not await table.webhooks.receivers("other", 10)
    assert await table.webhooks.delivery("acme", each.delivery_id) == each
    assert (await table.webhooks.count("acme"), await table.webhooks.count("other")) == (1, 0)


async def test_lists_are_newest_first_and_can_be_continued(table: Storage) -> None:
    tenant = f"t-{uuid4().hex}"
    made = [await added(table, tenant, created_us=number) for number in (1, 2, 2, 3)]
    seen: list[str] = []
    before: Place | None = None
    while page := await table.webhooks.receivers(tenant, 2, before):
        seen += [it.webhook_id for it in page]
        before = Place(page[-1].created_us, page[-1].webhook_id)
    ordered = sorted(made, key=lambda it: (it.created_us, it.webhook_id), reverse=True)
    assert seen == [it.webhook_id for it in ordered]


async def test_an_erased_run_is_delivered_no_more(table: Storage) -> None:
    it = await added(table)
    run, other = await told(table, queued()), await told(table, queued())
    await planned(table.webhooks, it)
    await table.append(run, [completed()])
    await table.webhooks.erase("acme", run)
    assert len(await planned(table.webhooks, it)) == 3
    await table.append(run, [NewEvent(key="rewound", body=RunRewound(to_seq=1)), waiting(2)])
    await table.webhooks.erase("default", run)
    assert await planned(table.webhooks, it) == [(other, 1)]


async def test_concurrent_planners_plan_each_delivery_once_and_in_order(
    table: Storage, other_table: Storage
) -> None:
    it = await added(table)

    async def tell() -> str:
        return await told(table, queued(), *map(waiting, range(5)), completed())

    async def plan(storage: Storage) -> None:
        for _ in range(20):
            await storage.webhooks.plan(3)

    parts = [tell() for _ in range(5)]
    runs, *_ = await asyncio.gather(asyncio.gather(*parts), plan(table), plan(other_table))
    found = await planned(table.webhooks, it)
    assert found == sorted((run, seq) for run in runs for seq in range(1, 8))
    for seq in range(1, 8):
        due = await claimed(table.webhooks, it)
        assert {each.seq for each in due} == {seq}
        for each in due:
            assert await table.webhooks.record("me", ended(each), now_us(), None)
