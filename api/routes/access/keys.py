"""Routes: API keys."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from starlette.responses import Response

from relayline.api.auth.scopes import needs
from relayline.api.depends import Route, Sender, UsesKeys, json_response
from relayline.api.key_bodies import KeyBody, KeyRotation
from relayline.contracts.access.api_keys import KeyCreated, KeyList, KeyView
from relayline.contracts.access.audit import Action
from relayline.contracts.principals import Scope

router = APIRouter(prefix="/v1/keys", tags=["keys"], route_class=Route)
KeyId = Annotated[str, Path(max_length=64, description="Third part of the key, or from the list.")]
_NEEDS = needs(Scope.KEYS_ADMIN)


@router.post(
    "",
    status_code=201,
    response_model=KeyCreated,
    openapi_extra=needs(Scope.KEYS_ADMIN, Action.KEY_CREATE),
)
async def create_key(keys: UsesKeys, sender: Sender, body: KeyBody) -> Response:
    """Make a key; the answer is the only one that has it."""
    created = await keys.create(sender, body)
    return json_response(created, 201, {"Location": f"{router.prefix}/{created.key_id}"})


@router.get("", response_model=KeyList, openapi_extra=_NEEDS)
async def list_keys(
    keys: UsesKeys,
    sender: Sender,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    cursor: str | None = None,
) -> Response:
    """The keys of your tenant, newest first; with `tenants:admin` those of all."""
    return json_response(await keys.page(sender, limit, cursor))


@router.get("/{key_id}", response_model=KeyView, openapi_extra=_NEEDS)
async def get_key(keys: UsesKeys, sender: Sender, key_id: KeyId) -> Response:
    """A key."""
    return json_response(await keys.find(sender, key_id))


@router.post(
    "/{key_id}/rotate",
    status_code=201,
    response_model=KeyCreated,
    openapi_extra=needs(Scope.KEYS_ADMIN, Action.KEY_ROTATE),
)
async def rotate_key(
    keys: UsesKeys, sender: Sender, key_id: KeyId, body: KeyRotation | None = None
) -> Response:
    """Make a key that may do the same; the old one still holds for `grace_s`."""
    created = await keys.rotate(sender, key_id, body or KeyRotation())
    return json_response(created, 201, {"Location": f"{router.prefix}/{created.key_id}"})


@router.delete(
    "/{key_id}",
    status_code=204,
    response_class=Response,
    openapi_extra=needs(Scope.KEYS_ADMIN, Action.KEY_REVOKE),
)
async def revoke_key(keys: UsesKeys, sender: Sender, key_id: KeyId) -> Response:
    """Revoke a key: it is refused within 10 s, and its open streams end within 45 s."""
    await keys.revoke(sender, key_id)
    return Response(status_code=204)
