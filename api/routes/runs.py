"""Routes: submit a run, look at one, list them, erase one."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from relayline.api.auth.scopes import check_scope, needs
from relayline.api.auth.trail import trail_of
from relayline.api.bodies import RunRequest
from relayline.api.depends import (
    CommandAsked,
    IdempotencyKey,
    OfTenant,
    Route,
    RunId,
    Sender,
    UsesErasing,
    UsesEvents,
    UsesListing,
    UsesRuns,
    UsesSubmission,
    Wanted,
    json_response,
    wants_stream,
)
from relayline.api.event_schemas import stream_of
from relayline.contracts.access.audit import Action
from relayline.contracts.answers import RunAccepted, RunCounts, RunList, RunView
from relayline.contracts.principals import Scope

router = APIRouter(prefix="/v1/runs", tags=["runs"], route_class=Route)


@router.post(
    "",
    status_code=202,
    response_model=RunAccepted,
    responses={
        200: {
            "model": RunAccepted,
            "description": "The run that the same key and body started before; or, with "
            "`Accept: text/event-stream`, the run's events as they happen",
            "content": stream_of("StreamedEvent"),
        }
    },
    openapi_extra=needs(Scope.RUNS_WRITE, Action.RUN_SUBMIT),
)
async def submit_run(  # noqa: PLR0913, PLR0917  one parameter per part
    request: Request,
    submission: UsesSubmission,
    events: UsesEvents,
    sender: Sender,
    tenant: OfTenant,
    body: RunRequest,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Start a run; with `Accept: text/event-stream`, the answer is its event stream."""
    trail = trail_of(request)
    if wants_stream(request):
        check_scope(request, Scope.RUNS_READ)
        prepared = await submission.prepare(body, idempotency_key, sender, trail)
        start = partial(submission.start, prepared)
        return await events.stream_new(request, tenant, prepared, start)
    submitted = await submission.submit(body, idempotency_key, sender, trail)
    location = {"Location": submitted.accepted.links.self}
    return json_response(submitted.accepted, 202 if submitted.new else 200, location)


@router.get("", response_model=RunList, openapi_extra=needs(Scope.RUNS_READ))
async def list_runs(
    listing: UsesListing,
    tenant: OfTenant,
    wanted: Wanted,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    cursor: str | None = None,
) -> Response:
    """Runs that match, newest first; a run is listed as soon as its submission is answered."""
    return json_response(await listing.page(tenant, wanted, limit, cursor))


@router.get("/counts", response_model=RunCounts, openapi_extra=needs(Scope.RUNS_READ))
async def count_runs(listing: UsesListing, tenant: OfTenant, wanted: Wanted) -> Response:
    """How many runs match and what they have used, by status."""
    return json_response(await listing.counts(tenant, wanted))


@router.get("/{run_id}", response_model=RunView, openapi_extra=needs(Scope.RUNS_READ))
async def get_run(  # noqa: PLR0913, PLR0917  one parameter per part and parameter
    request: Request,
    runs: UsesRuns,
    tenant: OfTenant,
    run_id: RunId,
    wait: Annotated[float, Query(ge=0, le=60, description="Seconds to wait for the end.")] = 0,
    command: CommandAsked = None,
) -> Response:
    """The state of a run; with `wait`, as soon as it has ended or the seconds are over.

    For a conversation, `wait` also ends with its turn; with `command`, it ends with the turn that
    this message began, or when the message was refused.
    """
    return json_response(await runs.find(request.receive, tenant, run_id, wait, command))


@router.delete(
    "/{run_id}",
    status_code=204,
    response_class=Response,
    responses={
        204: {"description": "The run is erased, now or before"},
        409: {"description": "It has not ended: `run-open`"},
    },
    openapi_extra=needs(Scope.RUNS_ERASE, Action.RUN_ERASE),
)
async def erase_run(
    request: Request, erasing: UsesErasing, tenant: OfTenant, run_id: RunId
) -> Response:
    """Erase an ended run for good: events, row, and what Temporal has of it."""
    await erasing.erase(tenant, run_id, request.client.host if request.client else "")
    return Response(status_code=204)
