"""Routes: the quotas of tenants."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from starlette.responses import Response

from relayline.api.auth.scopes import needs
from relayline.api.depends import Route, Sender, UsesQuotas, json_response
from relayline.contracts.access.audit import Action
from relayline.contracts.access.quotas import Quotas, TenantQuotas
from relayline.contracts.principals import TENANT_PATTERN, Scope

router = APIRouter(prefix="/v1/tenants", tags=["access"], route_class=Route)
TenantName = Annotated[str, Path(pattern=TENANT_PATTERN, description="The tenant's name.")]
_NEEDS = needs(Scope.TENANTS_ADMIN)


@router.get("/{tenant}/quotas", response_model=TenantQuotas, openapi_extra=_NEEDS)
async def get_quotas(quotas: UsesQuotas, tenant: TenantName) -> Response:
    """What a tenant may use, and what it uses."""
    return json_response(await quotas.view(tenant))


@router.put(
    "/{tenant}/quotas",
    response_model=TenantQuotas,
    openapi_extra=needs(Scope.TENANTS_ADMIN, Action.QUOTAS_SET),
)
async def set_quotas(
    quotas: UsesQuotas, sender: Sender, tenant: TenantName, body: Quotas
) -> Response:
    """Give a tenant these quotas, in place of all that it had; they hold everywhere within 10 s."""
    await quotas.set(tenant, body, sender.subject)
    return json_response(await quotas.view(tenant))


@router.delete(
    "/{tenant}/quotas",
    status_code=204,
    response_class=Response,
    openapi_extra=needs(Scope.TENANTS_ADMIN, Action.QUOTAS_REMOVE),
)
async def remove_quotas(quotas: UsesQuotas, sender: Sender, tenant: TenantName) -> Response:
    """Let the quotas of `RELAYLINE_QUOTAS` hold for a tenant again."""
    await quotas.set(tenant, None, sender.subject)
    return Response(status_code=204)
