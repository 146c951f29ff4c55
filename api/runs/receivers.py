"""Receivers of webhooks that requests name: their URLs, checked, and those of single runs."""

from __future__ import annotations

import secrets

from relayline.api.bodies import RunWebhook
from relayline.api.errors import InvalidField
from relayline.journal.planning import named_webhook_id
from relayline.journal.rows import now_us
from relayline.journal.webhooks import Receiver, Webhooks
from relayline.outbound.addresses import NoAddress
from relayline.outbound.receiver import BadReceiver, Place, Rules, checked_addresses, place_of
from relayline.outbound.signature import SECRET_BYTES, secret_of


def new_secret() -> str:
    """A new secret: `whsec_…`."""
    return secret_of(secrets.token_bytes(SECRET_BYTES))


def place_in(url: str, field: str) -> Place:
    """The URL of a receiver, read.

    Raises:
        InvalidField: it is not one.
    """
    try:
        return place_of(url)
    except BadReceiver as error:
        raise InvalidField(f"{field}: {error}", slug="bad-webhook-url", field=field) from error


async def check_url(url: str, field: str, rules: Rules) -> None:
    """Return if deliveries may go to the URL. Each delivery checks that again.

    Raises:
        InvalidField: they may not, or its host is unknown.
    """
    place = place_in(url, field)
    try:
        await checked_addresses(place, rules)
    except (BadReceiver, NoAddress) as error:
        raise InvalidField(f"{field}: {error}", slug="bad-webhook-url", field=field) from error


def webhook_of(webhook: RunWebhook | None, tenant: str) -> str | None:
    """The id of the receiver that a run names, None if it names none."""
    if webhook is None or webhook.id is not None:
        return webhook.id if webhook else None
    return named_webhook_id(tenant, webhook.url or "", webhook.events)


class NamedReceivers:
    """Receivers that runs name, which must be there before the run starts."""

    def __init__(self, webhooks: Webhooks, rules: Rules) -> None:
        self._webhooks = webhooks
        self._rules = rules

    async def ensure(self, webhook: RunWebhook, tenant: str) -> None:
        """Find the receiver, or add the one of that URL.

        Raises:
            InvalidField: the tenant has no such receiver, or the URL may not be reached.
            JournalUnavailable: it can't be said; nothing has started.
        """
        if webhook.id is not None:
            if not await self._webhooks.touch(tenant, webhook.id, now_us()):
                what = f"webhook.id: no webhook {webhook.id!r} of tenant {tenant!r}"
                raise InvalidField(what, slug="unknown-webhook", field="webhook.id")
            return
        url = webhook.url or ""
        await check_url(url, "webhook.url", self._rules)
        receiver = Receiver(
            named_webhook_id(tenant, url, webhook.events),
            tenant,
            url,
            webhook.events,
            named_only=True,
            created_us=now_us(),
        )
        await self._webhooks.add(receiver, new_secret())
