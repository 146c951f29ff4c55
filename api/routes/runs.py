"""Routes: submit a run, look at one, list them."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from relayline.api.bodies import RunRequest
from relayline.api.depends import (
    IdempotencyKey,
    OfTenant,
    Route,
    RunId,
    UsesEvents,
    UsesListing,
    UsesRuns,
    UsesSubmission,
    Wanted,
    json_response,
    wants_stream,
)
from relayline.api.event_schemas import stream_of
from relayline.contracts.answers import RunAccepted, RunCounts, RunList, RunView

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
)
async def submit_run(
    request: Request,
    submission: UsesSubmission,
    events: UsesEvents,
    body: RunRequest,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Start a run; with `Accept: text/event-stream`, the answer is its event stream."""
    if wants_stream(request):
        prepared = submission.prepare(body, idempotency_key)
        return await events.stream_new(request, prepared, partial(submission.start, prepared))
    submitted = await submission.submit(body, idempotency_key)
    location = {"Location": submitted.accepted.links.self}
    return json_response(submitted.accepted, 202 if submitted.new else 200, location)


@router.get("", response_model=RunList)
async def list_runs(
    listing: UsesListing,
    tenant: OfTenant,
    wanted: Wanted,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    cursor: str | None = None,
) -> Response:
    """Runs that match, newest first; a run is listed as soon as its submission is answered."""
    return json_response(await listing.page(tenant, wanted, limit, cursor))


@router.get("/counts", response_model=RunCounts)
async def count_runs(listing: UsesListing, tenant: OfTenant, wanted: Wanted) -> Response:
    """How many runs match, by status."""
    return json_response(await listing.counts(tenant, wanted))


@router.get("/{run_id}", response_model=RunView)
async def get_run(
    request: Request,
    runs: UsesRuns,
    tenant: OfTenant,
    run_id: RunId,
    wait: Annotated[float, Query(ge=0, le=60, description="Seconds to wait for the end.")] = 0,
) -> Response:
    """The state of a run; with `wait`, as soon as it has ended or the seconds are over."""
    return json_response(await runs.find(request.receive, tenant, run_id, wait))
