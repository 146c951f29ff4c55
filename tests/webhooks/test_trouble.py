"""A journal that does not answer while a receiver is told."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from relayline.activities.webhook import Patience, WebhookActivities
from relayline.contracts.webhooks import DeliverRequest, DeliveryState
from relayline.journal.port import JournalUnavailable
from relayline.journal.webhooks import Claim, Delivery, Secrets
from tests.journal.outbox import SECRET, receiver


class Journal:
    """Has two deliveries whose events are gone, and takes what became of the slower one only."""

    def __init__(self) -> None:
        self.webhooks = self
        self.recorded: list[str] = []

    async def claim(self, *_: object) -> Claim:
        parts = ("default", "run", 1, "run.queued", DeliveryState.PENDING)
        due = [Delivery(id_, "wh_1", *parts, (), 0, 1, None, 1) for id_ in ("lost", "slow")]
        return Claim(receiver(), Secrets(SECRET), due)

    async def read(self, *_: object) -> list[object]:
        return []

    async def get(self, *_: object) -> None:
        return None

    async def record(self, owner: str, delivery: Delivery, *_: object) -> bool:
        assert owner
        if delivery.delivery_id == "lost":
            raise JournalUnavailable("gone")
        await asyncio.sleep(0.2)
        self.recorded.append(delivery.delivery_id)
        return True


async def test_no_try_is_under_way_any_more_when_the_activity_fails() -> None:
    journal: Any = Journal()
    sender: Any = None
    activities = WebhookActivities(journal, sender, Patience())
    request = DeliverRequest(webhook_id="wh_1")
    with pytest.raises(ApplicationError, match="gone"):
        await ActivityEnvironment().run(activities.tell_receiver, request)
    assert journal.recorded == ["slow"]
