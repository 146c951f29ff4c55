"""Routes: receivers of webhooks, and what they were told."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from starlette.responses import Response

from relayline.api.auth.scopes import needs
from relayline.api.bodies import WebhookRequest
from relayline.api.depends import OfTenant, Route, UsesDeliveries, UsesRegistry, json_response
from relayline.contracts.access.audit import Action
from relayline.contracts.principals import Scope
from relayline.contracts.runs import RUN_ID_PATTERN
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

router = APIRouter(prefix="/v1", tags=["webhooks"], route_class=Route)

WebhookId = Annotated[str, Path(max_length=64, description="From `POST /v1/webhooks`.")]
DeliveryId = Annotated[str, Path(max_length=64, description="From the webhook's deliveries.")]
Limit = Annotated[int, Query(ge=1, le=100)]


@router.post(
    "/webhooks",
    status_code=201,
    response_model=WebhookCreated,
    openapi_extra=needs(Scope.WEBHOOKS_ADMIN, Action.WEBHOOK_REGISTER),
)
async def register_webhook(
    registry: UsesRegistry, tenant: OfTenant, body: WebhookRequest
) -> Response:
    """Register a receiver; the answer is the only one that has its secret."""
    created = await registry.register(tenant, body)
    return json_response(created, 201, {"Location": f"/v1/webhooks/{created.webhook_id}"})


@router.get("/webhooks", response_model=WebhookList, openapi_extra=needs(Scope.WEBHOOKS_ADMIN))
async def list_webhooks(
    registry: UsesRegistry, tenant: OfTenant, limit: Limit = 20, cursor: str | None = None
) -> Response:
    """Receivers, newest first; those that runs have named by URL, too."""
    return json_response(await registry.page(tenant, limit, cursor))


@router.get(
    "/webhooks/{webhook_id}", response_model=WebhookView, openapi_extra=needs(Scope.WEBHOOKS_ADMIN)
)
async def get_webhook(registry: UsesRegistry, tenant: OfTenant, webhook_id: WebhookId) -> Response:
    """A receiver."""
    return json_response(await registry.find(tenant, webhook_id))


@router.delete(
    "/webhooks/{webhook_id}",
    status_code=204,
    openapi_extra=needs(Scope.WEBHOOKS_ADMIN, Action.WEBHOOK_REMOVE),
)
async def remove_webhook(
    registry: UsesRegistry, tenant: OfTenant, webhook_id: WebhookId
) -> Response:
    """Delete a receiver and its deliveries, pending ones too."""
    await registry.remove(tenant, webhook_id)
    return Response(status_code=204)


@router.post(
    "/webhooks/{webhook_id}/rotate",
    response_model=WebhookSecret,
    openapi_extra=needs(Scope.WEBHOOKS_ADMIN, Action.WEBHOOK_ROTATE),
)
async def rotate_secret(
    registry: UsesRegistry, tenant: OfTenant, webhook_id: WebhookId
) -> Response:
    """Give a receiver a new secret; the old one signs, too, for 24 hours.

    `default` in place of the id: the secret for receivers that runs name by URL.
    """
    return json_response(await registry.rotate(tenant, webhook_id))


@router.post(
    "/webhooks/{webhook_id}/test",
    response_model=WebhookTested,
    openapi_extra=needs(Scope.WEBHOOKS_ADMIN, Action.WEBHOOK_TEST),
)
async def test_webhook(registry: UsesRegistry, tenant: OfTenant, webhook_id: WebhookId) -> Response:
    """Send the receiver a `webhook.test` now and tell what it answered; at most 10 s."""
    return json_response(await registry.test(tenant, webhook_id))


@router.post(
    "/webhooks/{webhook_id}/enable",
    response_model=WebhookView,
    openapi_extra=needs(Scope.WEBHOOKS_ADMIN, Action.WEBHOOK_ENABLE),
)
async def enable_webhook(
    registry: UsesRegistry, tenant: OfTenant, webhook_id: WebhookId
) -> Response:
    """Tell a disabled receiver again, beginning with what has waited."""
    return json_response(await registry.enable(tenant, webhook_id))


@router.get(
    "/webhooks/{webhook_id}/deliveries",
    response_model=DeliveryList,
    openapi_extra=needs(Scope.WEBHOOKS_ADMIN),
)
async def list_deliveries(  # noqa: PLR0913, PLR0917  one parameter per filter
    deliveries: UsesDeliveries,
    tenant: OfTenant,
    webhook_id: WebhookId,
    run_id: Annotated[str | None, Query(pattern=RUN_ID_PATTERN)] = None,
    state: DeliveryState | None = None,
    limit: Limit = 20,
    cursor: str | None = None,
) -> Response:
    """What the receiver was told, and will be, newest first."""
    page = await deliveries.page(tenant, webhook_id, (run_id, state), limit, cursor)
    return json_response(page)


@router.post(
    "/deliveries/{delivery_id}/redeliver",
    status_code=202,
    response_model=DeliveryView,
    openapi_extra=needs(Scope.WEBHOOKS_ADMIN, Action.WEBHOOK_REDELIVER),
)
async def redeliver(
    deliveries: UsesDeliveries, tenant: OfTenant, delivery_id: DeliveryId
) -> Response:
    """Try a delivery now, whatever its state; it has the same `webhook-id` as before."""
    return json_response(await deliveries.redeliver(tenant, delivery_id), 202)
