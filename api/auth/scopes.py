"""What each route asks for: declared at the route, shown in the OpenAPI document, checked once."""

from __future__ import annotations

from typing import Any

from fastapi import Request
from starlette.requests import HTTPConnection

from relayline.api.auth.bearer import access_of
from relayline.api.auth.port import Forbidden, Unauthenticated
from relayline.contracts.access.audit import Action
from relayline.contracts.principals import Principal, Scope

SCHEME = "bearer"
"""The name of our security scheme in the OpenAPI document."""
SCHEMES: dict[str, Any] = {
    SCHEME: {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key (`rl_…`), or an access token of the OpenID provider; none "
        "while authentication is off",
    }
}
AUDIT = "x-audit"
"""Tells in the OpenAPI document which requests have a row in the audit log."""
OPEN: dict[str, Any] = {"security": []}
"""`openapi_extra` of a route that needs no credentials."""


def needs(scope: Scope, audit: Action | None = None) -> dict[str, Any]:
    """`openapi_extra` of a route that needs this scope.

    Args:
        scope: The scope.
        audit: What a request does, for its row in the audit log; None: it has none.
    """
    return {"security": [{SCHEME: [scope.value]}]} | ({AUDIT: audit.value} if audit else {})


def action_of(openapi_extra: dict[str, Any] | None) -> Action | None:
    """What the requests of a route do; None if they have no rows in the audit log."""
    found = (openapi_extra or {}).get(AUDIT)
    return Action(found) if found else None


def scope_of(openapi_extra: dict[str, Any] | None) -> Scope | None:
    """The scope that a route needs; None if it is open.

    Raises:
        TypeError: it declares neither.
    """
    security = (openapi_extra or {}).get("security")
    if security is None:
        raise TypeError("each route needs openapi_extra=needs(Scope.…), or OPEN")
    return Scope(security[0][SCHEME][0]) if security else None


def principal_of(request: HTTPConnection) -> Principal | None:
    """Who asks; None for a request without credentials, which only open routes get."""
    access = access_of(request.scope)
    if access is not None:
        return access.principal
    everybody: Principal | None = request.app.state.everybody
    return everybody


def check_scope(request: Request, wanted: Scope) -> None:
    """Return if who asks has the scope.

    Raises:
        Unauthenticated: nobody is known to ask.
        Forbidden: it is missing; the message names it.
    """
    principal = principal_of(request)
    if principal is None:
        raise Unauthenticated
    if wanted not in principal.scopes:
        raise Forbidden.lacks(wanted)
