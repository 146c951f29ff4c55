"""Routes: submit many runs in one call, see how far they are, cancel them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from starlette.responses import Response

from relayline.api.auth.scopes import needs
from relayline.api.bodies import BatchRequest
from relayline.api.command_bodies import CancelRequest
from relayline.api.depends import (
    IdempotencyKey,
    OfTenant,
    Route,
    Sender,
    UsesBatches,
    json_response,
)
from relayline.contracts.access.audit import Action
from relayline.contracts.command_answers import CommandReceipt
from relayline.contracts.principals import Scope
from relayline.contracts.submissions.batches import BatchAccepted, BatchList, BatchView

router = APIRouter(prefix="/v1/batches", tags=["batches"], route_class=Route)
BatchId = Annotated[str, Path(description="The batch's id from `POST /v1/batches`.")]


@router.post(
    "",
    status_code=202,
    response_model=BatchAccepted,
    responses={
        200: {
            "model": BatchAccepted,
            "description": "The batch that the same key and body submitted before",
        }
    },
    openapi_extra=needs(Scope.RUNS_WRITE, Action.BATCH_SUBMIT),
)
async def submit_batch(
    batches: UsesBatches,
    sender: Sender,
    body: BatchRequest,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Submit up to 1,000 runs; each is independent, and all accepted ones will start."""
    submitted = await batches.submit(body, idempotency_key, sender)
    location = {"Location": submitted.accepted.links.self}
    return json_response(submitted.accepted, 202 if submitted.new else 200, location)


@router.get("", response_model=BatchList, openapi_extra=needs(Scope.RUNS_READ))
async def list_batches(
    batches: UsesBatches,
    tenant: OfTenant,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    cursor: str | None = None,
) -> Response:
    """Batches, newest first, each with its runs by status."""
    return json_response(await batches.page(tenant, limit, cursor))


@router.get("/{batch_id}", response_model=BatchView, openapi_extra=needs(Scope.RUNS_READ))
async def get_batch(batches: UsesBatches, tenant: OfTenant, batch_id: BatchId) -> Response:
    """How far the batch is: its runs by status."""
    return json_response(await batches.find(tenant, batch_id))


@router.post(
    "/{batch_id}/cancel",
    status_code=202,
    response_model=CommandReceipt,
    openapi_extra=needs(Scope.RUNS_CANCEL, Action.BATCH_CANCEL),
)
async def cancel_batch(
    batches: UsesBatches,
    sender: Sender,
    batch_id: BatchId,
    body: CancelRequest | None = None,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Cancel every run of the batch that has not ended; those that have not started end at once.

    Each of these runs gets the command, with the id of the answer.
    """
    asked = body or CancelRequest()
    return json_response(await batches.cancel(sender, batch_id, asked, idempotency_key), 202)
