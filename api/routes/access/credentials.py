"""Routes: how to authenticate, and tokens for those who can't send headers."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from relayline.api.auth.scopes import OPEN, needs, principal_of
from relayline.api.depends import Route, Sender, UsesGrants, UsesSignIn, json_response
from relayline.api.key_bodies import StreamTokenRequest
from relayline.contracts.access.credentials import AuthView, StreamToken
from relayline.contracts.principals import Scope

router = APIRouter(prefix="/v1", tags=["access"], route_class=Route)


@router.get("/auth", response_model=AuthView, openapi_extra=OPEN)
async def get_auth(request: Request, sign_in: UsesSignIn) -> Response:
    """How to authenticate; with credentials, also whom they prove."""
    return json_response(await sign_in.view(principal_of(request)))


@router.post(
    "/tokens/stream",
    status_code=201,
    response_model=StreamToken,
    openapi_extra=needs(Scope.RUNS_READ),
)
async def create_stream_token(
    grants: UsesGrants, sender: Sender, body: StreamTokenRequest
) -> Response:
    """Take a token for the events of one run, for a browser's `EventSource`.

    It stands in the URL, `GET /v1/runs/{run_id}/events?access_token=…`, reads these events only, is
    good for reconnects, and ends with the credentials that it was taken with.
    """
    return json_response(await grants.grant(sender, body), 201)
