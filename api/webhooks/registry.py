"""The receivers of webhooks of a tenant: registered, listed, tested, removed; their secrets."""

from __future__ import annotations

import json
from uuid import uuid4

from relayline.api.bodies import WebhookRequest
from relayline.api.errors import InvalidField, UnknownWebhook
from relayline.api.runs.receivers import check_url, new_secret, place_in
from relayline.api.signing.cursors import Cursors, ListOf, pattern_of
from relayline.api.webhooks.places import place_of
from relayline.contracts.envelope import moment, rfc3339
from relayline.contracts.runs import DEFAULT_TENANT
from relayline.contracts.webhooks import (
    DEFAULT_SECRET,
    TEST_TYPE,
    WEBHOOK_ID_PATTERN,
    WebhookCreated,
    WebhookList,
    WebhookSecret,
    WebhookTested,
    WebhookView,
)
from relayline.journal.rows import now_us
from relayline.journal.table import EveryTenant, Tenant
from relayline.journal.webhooks import Receiver, Webhooks, tenant_secret
from relayline.outbound.sender import Sender
from relayline.outbound.signature import signed

MAX_RECEIVERS = 100
"""Registered receivers of one tenant."""
_CURSOR = pattern_of(WEBHOOK_ID_PATTERN)


class Registry:
    """The receivers.

    Every method raises `JournalUnavailable` if the journal does not answer, and `UnknownWebhook`
    for an id that the tenant does not have.
    """

    def __init__(self, webhooks: Webhooks, sender: Sender, cursors: Cursors) -> None:
        self._cursors = cursors
        self._webhooks = webhooks
        self._sender = sender

    async def register(self, tenant: Tenant, request: WebhookRequest) -> WebhookCreated:
        """Add a receiver.

        Raises:
            InvalidField: its URL may not be reached, its tenant is another's, there are too many.
        """
        await check_url(request.url, "url", self._sender.rules)
        whose = _tenant(tenant, request.tenant)
        if await self._webhooks.count(whose) >= MAX_RECEIVERS:
            raise InvalidField(
                f"tenant {whose!r} has {MAX_RECEIVERS} webhooks, more are not allowed: remove one",
                slug="too-many-webhooks",
                field="tenant",
                limit=MAX_RECEIVERS,
            )
        secret = new_secret()
        receiver = Receiver(
            f"wh_{uuid4().hex}",
            whose,
            request.url,
            request.events,
            request.agents,
            created_us=now_us(),
        )
        added = await self._webhooks.add(receiver, secret)
        return WebhookCreated(**_view(added).model_dump(), secret=secret)

    async def page(self, tenant: Tenant, limit: int, cursor: str | None) -> WebhookList:
        """At most `limit` receivers after the cursor, newest first.

        Raises:
            BadRequest: it is not a cursor of this list.
        """
        of = ListOf("webhooks", tenant)
        before = place_of(self._cursors, of, cursor, _CURSOR)
        found = await self._webhooks.receivers(tenant, limit + 1, before)
        page, more = found[:limit], len(found) > limit
        last = page[-1] if more else None
        following = self._cursors.encode(of, last.created_us, last.webhook_id) if last else None
        return WebhookList(webhooks=tuple(map(_view, page)), cursor=following)

    async def find(self, tenant: Tenant, webhook_id: str) -> WebhookView:
        """That receiver."""
        return _view(await self.receiver(tenant, webhook_id))

    async def remove(self, tenant: Tenant, webhook_id: str) -> None:
        """Delete the receiver and its deliveries; it is told nothing more."""
        if not await self._webhooks.remove(tenant, webhook_id):
            raise UnknownWebhook(webhook_id)

    async def enable(self, tenant: Tenant, webhook_id: str) -> WebhookView:
        """Tell a disabled receiver again, beginning with what has waited."""
        receiver = await self._webhooks.enable(tenant, webhook_id, now_us())
        if receiver is None:
            raise UnknownWebhook(webhook_id)
        return _view(receiver)

    async def rotate(self, tenant: Tenant, webhook_id: str) -> WebhookSecret:
        """Give the receiver a new secret; the one before it signs, too, for a day.

        `default` means the tenant's secret for receivers that runs name by URL.
        """
        if webhook_id == DEFAULT_SECRET:
            secret_id = tenant_secret(_tenant(tenant, None))
        else:
            secret_id = (await self.receiver(tenant, webhook_id)).secret_id
        secret = new_secret()
        kept = await self._webhooks.rotate(secret_id, secret, now_us())
        until = moment(kept.old_until_us) if kept.old_secret else None
        return WebhookSecret(webhook_id=webhook_id, secret=secret, old_secret_until=until)

    async def test(self, tenant: Tenant, webhook_id: str) -> WebhookTested:
        """Send `webhook.test` now, once, whether the receiver is disabled or not."""
        receiver = await self.receiver(tenant, webhook_id)
        kept = await self._webhooks.secrets(receiver.secret_id)
        at_us = now_us()
        told = {"webhook_id": webhook_id}
        body = {"type": TEST_TYPE, "timestamp": rfc3339(at_us), "data": told}
        text = json.dumps(body).encode()
        secrets = kept.at(at_us) if kept else ()
        headers = signed(secrets, f"test_{uuid4().hex}", at_us // 1_000_000, text)
        reply = await self._sender.send(place_in(receiver.url, "url"), headers, text)
        return WebhookTested(
            at=moment(at_us),
            status=reply.status,
            took_ms=reply.took_ms,
            error=reply.error,
            delivered=reply.error is None,
        )

    async def receiver(self, tenant: Tenant, webhook_id: str) -> Receiver:
        """That receiver, as it is stored."""
        receiver = await self._webhooks.receiver(tenant, webhook_id)
        if receiver is None:
            raise UnknownWebhook(webhook_id)
        return receiver


def _tenant(tenant: Tenant, asked: str | None) -> str:
    """The tenant of a new receiver.

    Raises:
        InvalidField: another one was asked for.
    """
    if isinstance(tenant, EveryTenant):
        return asked or DEFAULT_TENANT
    if asked not in {None, tenant}:
        raise InvalidField("tenant: not yours", field="tenant")
    return tenant


def _view(receiver: Receiver) -> WebhookView:
    it = receiver
    return WebhookView(
        webhook_id=it.webhook_id,
        url=it.url,
        events=it.events,
        agents=it.agents,
        tenant=it.tenant,
        named_only=it.named_only,
        created_at=moment(it.created_us),
        failing_since=None if it.failing_us is None else moment(it.failing_us),
        disabled_at=None if it.disabled_us is None else moment(it.disabled_us),
        disabled_reason=it.disabled_reason,
    )
