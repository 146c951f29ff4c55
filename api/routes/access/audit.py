"""Routes: the audit log."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import AwareDatetime
from starlette.responses import Response

from relayline.api.auth.audit_list import AuditQuery
from relayline.api.auth.scopes import needs
from relayline.api.depends import Route, Sender, UsesAudit, json_response
from relayline.contracts.access.audit import Action, AuditPage
from relayline.contracts.principals import TENANT_PATTERN, Scope
from relayline.contracts.runs import RUN_ID_PATTERN

router = APIRouter(prefix="/v1/audit", tags=["audit"], route_class=Route)
_MAX_SEQ = 2**63 - 1


@router.get("", response_model=AuditPage, openapi_extra=needs(Scope.AUDIT_READ))
async def read_audit(  # noqa: PLR0913, PLR0917  one parameter per filter
    audit: UsesAudit,
    sender: Sender,
    after: Annotated[int, Query(ge=0, le=_MAX_SEQ, description="`next` of the last page.")] = 0,
    action: Action | None = None,
    subject: Annotated[str | None, Query(max_length=256)] = None,
    run_id: Annotated[str | None, Query(pattern=RUN_ID_PATTERN)] = None,
    begins: Annotated[
        AwareDatetime | None,
        Query(alias="from", description="RFC 3339 with a time zone; this moment is included."),
    ] = None,
    to: Annotated[
        AwareDatetime | None,
        Query(description="RFC 3339 with a time zone; this moment is not included."),
    ] = None,
    tenant: Annotated[
        str | None,
        Query(
            pattern=f"{TENANT_PATTERN}|^-$",
            description="Another tenant's needs `tenants:admin`; `-`: rows of nobody known.",
        ),
    ] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Response:
    """Who did what, oldest first: submissions, commands, decisions, keys, webhooks, denials.

    A row is listed within a second. It has no content.
    """
    query = AuditQuery(tenant, action, subject, run_id, begins, to)
    return json_response(await audit.page(sender, query, after, limit))
