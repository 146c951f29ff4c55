"""Receivers and facts for tests of the outbox."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from relayline.contracts.envelope import NewEvent, microseconds
from relayline.contracts.events import (
    RunCompleted,
    RunQueued,
    RunWaiting,
)
from relayline.contracts.webhooks import DeliveryState, DeliveryTry
from relayline.journal.table import EVERY, Storage
from relayline.journal.webhooks import Delivery, Receiver, Webhooks

LATER = 4 * 10**15
"""Microseconds; a long time."""
SECRET = "whsec_c2VjcmV0"  # noqa: S105
HOUR = 3_600_000_000


def now_us() -> int:
    return microseconds(datetime.now(UTC))


def receiver(tenant: str = "default", **fields: Any) -> Receiver:
    given: dict[str, Any] = {"url": "https://x.test/hook", "created_us": now_us()} | fields
    return Receiver(f"wh_{uuid4().hex}", tenant, **given)


async def added(storage: Storage, tenant: str = "default", **fields: Any) -> Receiver:
    return await storage.webhooks.add(receiver(tenant, **fields), SECRET)


def queued(agent: str = "assistant", **fields: Any) -> NewEvent:
    body = RunQueued(agent=agent, model="rehearsal", submitted_at=datetime.now(UTC), **fields)
    return NewEvent(key="run/queued", body=body)


def waiting(number: int) -> NewEvent:
    return NewEvent(key=f"0/waiting/{number}", body=RunWaiting())


def completed() -> NewEvent:
    return NewEvent(key="0/run/ended", body=RunCompleted(output="done"))


async def told(storage: Storage, *events: NewEvent) -> str:
    run_id = f"run_{uuid4().hex}"
    for event in events:
        await storage.append(run_id, [event])
    return run_id


async def planned(webhooks: Webhooks, it: Receiver) -> list[tuple[str, int]]:
    while await webhooks.plan(100):
        pass
    found = await webhooks.deliveries(EVERY, it.webhook_id, (None, None), 1000)
    return sorted((each.run_id, each.seq) for each in found)


async def claimed(webhooks: Webhooks, it: Receiver, owner: str = "me") -> list[Delivery]:
    claim = await webhooks.claim(it.webhook_id, owner, LATER, 100)
    return [*claim.due] if claim else []


def ended(delivery: Delivery, state: DeliveryState = DeliveryState.DELIVERED) -> Delivery:
    tried = delivery.tried(DeliveryTry(at=datetime.now(UTC), status=200))
    return replace(tried, state=state, next_us=None)
