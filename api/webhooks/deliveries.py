"""What each receiver of webhooks was told, and will be."""

from __future__ import annotations

from relayline.api.errors import UnknownDelivery, WebhookDisabled
from relayline.api.signing.cursors import Cursors, ListOf, pattern_of
from relayline.api.webhooks.places import place_of
from relayline.api.webhooks.registry import Registry
from relayline.contracts.envelope import moment
from relayline.contracts.webhooks import (
    DELIVERY_ID_PATTERN,
    DeliveryList,
    DeliveryState,
    DeliveryView,
)
from relayline.journal.rows import now_us
from relayline.journal.table import Tenant
from relayline.journal.webhooks import Delivery, Webhooks

_CURSOR = pattern_of(DELIVERY_ID_PATTERN)


class Deliveries:
    """The log of deliveries.

    Every method raises `JournalUnavailable` if the journal does not answer.
    """

    def __init__(self, webhooks: Webhooks, registry: Registry, cursors: Cursors) -> None:
        self._cursors = cursors
        self._webhooks = webhooks
        self._registry = registry

    async def page(
        self,
        tenant: Tenant,
        webhook_id: str,
        wanted: tuple[str | None, DeliveryState | None],
        limit: int,
        cursor: str | None,
    ) -> DeliveryList:
        """At most `limit` deliveries after the cursor, newest first; `wanted`: run and state.

        Raises:
            UnknownWebhook: the tenant does not have that receiver.
            BadRequest: it is not a cursor of this list.
        """
        await self._registry.receiver(tenant, webhook_id)
        of = ListOf("deliveries", tenant, (webhook_id, *wanted))
        before = place_of(self._cursors, of, cursor, _CURSOR)
        found = await self._webhooks.deliveries(tenant, webhook_id, wanted, limit + 1, before)
        page, more = found[:limit], len(found) > limit
        last = page[-1] if more else None
        following = self._cursors.encode(of, last.created_us, last.delivery_id) if last else None
        return DeliveryList(deliveries=tuple(map(_view, page)), cursor=following)

    async def redeliver(self, tenant: Tenant, delivery_id: str) -> DeliveryView:
        """Try the delivery now, and again for as long as a new one.

        Raises:
            UnknownDelivery: the tenant has no such delivery.
            WebhookDisabled: its receiver is told nothing.
        """
        delivery = await self._find(tenant, delivery_id)
        receiver = await self._registry.receiver(tenant, delivery.webhook_id)
        if receiver.disabled_us is not None:
            raise WebhookDisabled(
                f"webhook {receiver.webhook_id} is disabled: {receiver.disabled_reason}; enable it "
                "first",
                webhook_id=receiver.webhook_id,
            )
        await self._webhooks.redeliver(tenant, delivery_id, now_us())
        return _view(await self._find(tenant, delivery_id))

    async def _find(self, tenant: Tenant, delivery_id: str) -> Delivery:
        delivery = await self._webhooks.delivery(tenant, delivery_id)
        if delivery is None:
            raise UnknownDelivery(delivery_id)
        return delivery


def _view(delivery: Delivery) -> DeliveryView:
    it = delivery
    return DeliveryView(
        delivery_id=it.delivery_id,
        webhook_id=it.webhook_id,
        run_id=it.run_id,
        seq=it.seq,
        type=it.type,
        state=it.state,
        tries=it.tries,
        next_at=None if it.next_us is None else moment(it.next_us),
    )
