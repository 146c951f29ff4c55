"""Receivers of webhooks, from the client library: `client.webhooks`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import quote

from pydantic import JsonValue

from relayline.client.calls import Answer, Call, Nothing
from relayline.client.listing import page_params
from relayline.client.transport import AsyncTransport, Transport
from relayline.contracts.webhooks import (
    DeliveryList,
    DeliveryState,
    DeliveryView,
    WebhookCreated,
    WebhookList,
    WebhookSecret,
    WebhookTested,
    WebhookView,
)


class Webhooks:
    """Receivers of webhooks and what they were told; its methods raise as those of `Client`."""

    def __init__(self, transport: Transport) -> None:
        self._send = transport.send

    def add(
        self,
        url: str,
        *,
        events: Sequence[str] | None = None,
        agents: Sequence[str] | None = None,
        tenant: str | None = None,
    ) -> WebhookCreated:
        """Register a receiver; the answer alone has its secret.

        Args:
            url: Where it is; https.
            events: Types to tell of; None: all.
            agents: Tell of their runs only; None: of all.
            tenant: Tell of this tenant's runs; None: the caller's, or `default`.
        """
        return self._send(_add(url, events, agents, tenant))

    def list(self, *, limit: int = 20, cursor: str | None = None) -> WebhookList:
        """One page of receivers, newest first; at most 100."""
        return self._send(_list(limit, cursor))

    def get(self, webhook_id: str) -> WebhookView:
        """A receiver."""
        return self._send(Call("GET", _path(webhook_id), WebhookView))

    def remove(self, webhook_id: str) -> None:
        """Delete a receiver and its deliveries; it is told nothing more."""
        self._send(Call("DELETE", _path(webhook_id), Nothing))

    def rotate(self, webhook_id: str = "default") -> WebhookSecret:
        """A new secret; the old one signs, too, for 24 hours.

        `default` is the secret for receivers that runs name by URL.
        """
        return self._send(_post(WebhookSecret, webhook_id, "rotate"))

    def test(self, webhook_id: str) -> WebhookTested:
        """Send a `webhook.test` now and tell what the receiver answered."""
        return self._send(_post(WebhookTested, webhook_id, "test"))

    def enable(self, webhook_id: str) -> WebhookView:
        """Tell a disabled receiver again, beginning with what has waited."""
        return self._send(_post(WebhookView, webhook_id, "enable"))

    def deliveries(
        self,
        webhook_id: str,
        *,
        run_id: str | None = None,
        state: DeliveryState | str | None = None,
        limit: int = 20,
        cursor: str | None = None,
    ) -> DeliveryList:
        """One page of what the receiver was told, and will be, newest first; at most 100."""
        return self._send(_deliveries(webhook_id, run_id, state, page_params(limit, cursor)))

    def redeliver(self, delivery_id: str) -> DeliveryView:
        """Try a delivery now, whatever its state."""
        return self._send(_redeliver(delivery_id))


class AsyncWebhooks:
    """As `Webhooks`, to be awaited."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._send = transport.send

    async def add(
        self,
        url: str,
        *,
        events: Sequence[str] | None = None,
        agents: Sequence[str] | None = None,
        tenant: str | None = None,
    ) -> WebhookCreated:
        """As `Webhooks.add`."""
        return await self._send(_add(url, events, agents, tenant))

    async def list(self, *, limit: int = 20, cursor: str | None = None) -> WebhookList:
        """As `Webhooks.list`."""
        return await self._send(_list(limit, cursor))

    async def get(self, webhook_id: str) -> WebhookView:
        """As `Webhooks.get`."""
        return await self._send(Call("GET", _path(webhook_id), WebhookView))

    async def remove(self, webhook_id: str) -> None:
        """As `Webhooks.remove`."""
        await self._send(Call("DELETE", _path(webhook_id), Nothing))

    async def rotate(self, webhook_id: str = "default") -> WebhookSecret:
        """As `Webhooks.rotate`."""
        return await self._send(_post(WebhookSecret, webhook_id, "rotate"))

    async def test(self, webhook_id: str) -> WebhookTested:
        """As `Webhooks.test`."""
        return await self._send(_post(WebhookTested, webhook_id, "test"))

    async def enable(self, webhook_id: str) -> WebhookView:
        """As `Webhooks.enable`."""
        return await self._send(_post(WebhookView, webhook_id, "enable"))

    async def deliveries(
        self,
        webhook_id: str,
        *,
        run_id: str | None = None,
        state: DeliveryState | str | None = None,
        limit: int = 20,
        cursor: str | None = None,
    ) -> DeliveryList:
        """As `Webhooks.deliveries`."""
        page = page_params(limit, cursor)
        return await self._send(_deliveries(webhook_id, run_id, state, page))

    async def redeliver(self, delivery_id: str) -> DeliveryView:
        """As `Webhooks.redeliver`."""
        return await self._send(_redeliver(delivery_id))


def _add(
    url: str, events: Sequence[str] | None, agents: Sequence[str] | None, tenant: str | None
) -> Call[WebhookCreated]:
    body: dict[str, JsonValue] = {"url": url}
    if events is not None:
        body["events"] = [*events]
    if agents is not None:
        body["agents"] = [*agents]
    if tenant is not None:
        body["tenant"] = tenant
    return Call("POST", _path(), WebhookCreated, body=body)


def _list(limit: int, cursor: str | None) -> Call[WebhookList]:
    return Call("GET", _path(), WebhookList, page_params(limit, cursor))


def _post(answer: type[Answer], webhook_id: str, what: str) -> Call[Answer]:
    return Call("POST", _path(webhook_id, what), answer)


def _deliveries(
    webhook_id: str,
    run_id: str | None,
    state: DeliveryState | str | None,
    page: Mapping[str, str | int | float | list[str]],
) -> Call[DeliveryList]:
    filters = {"run_id": run_id, "state": None if state is None else str(state)}
    given = {name: value for name, value in filters.items() if value is not None}
    return Call("GET", _path(webhook_id, "deliveries"), DeliveryList, {**page, **given})


def _redeliver(delivery_id: str) -> Call[DeliveryView]:
    path = f"/v1/deliveries/{quote(delivery_id, safe='')}/redeliver"
    return Call("POST", path, DeliveryView)


def _path(*parts: str) -> str:
    return "/".join(("/v1/webhooks", *(quote(part, safe="") for part in parts)))
