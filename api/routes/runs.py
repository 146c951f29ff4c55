"""Routes: submit a run, look at one, list them."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from relayline.api.bodies import RunRequest
from relayline.api.depends import (
    IdempotencyKey,
    RunId,
    Services,
    Serving,
    json_response,
    wants_stream,
)
from relayline.api.runs.listing import Place, newest, query_for
from relayline.api.runs.submission import Submitted, checked, new_run_id, start
from relayline.api.streams.sse import on_disconnect
from relayline.contracts.answers import RunAccepted, RunList, RunListItem, RunView
from relayline.contracts.runs import RunInput, RunStatus

router = APIRouter(prefix="/v1/runs", tags=["runs"])
_STREAM = {"text/event-stream": {"schema": {"type": "string"}}}


@router.post(
    "",
    status_code=202,
    response_model=RunAccepted,
    responses={
        200: {
            "model": RunAccepted,
            "description": "The run that the same key and body had started; or, with "
            "`Accept: text/event-stream`, the run's events as they come",
            "content": _STREAM,
        }
    },
)
async def submit_run(
    request: Request, services: Serving, body: RunRequest, idempotency_key: IdempotencyKey = None
) -> Response:
    """Start a run. With `Accept: text/event-stream` the answer is its event stream."""
    run = checked(services, body, new_run_id(idempotency_key))
    if wants_stream(request):
        return await _submit_and_stream(request, services, body, run, idempotency_key)
    submitted = await start(services, body, run, idempotency_key)
    accepted = RunAccepted(
        run_id=run.run_id,
        status=await _status(services, submitted),
        links=services.links(run.run_id),
    )
    location = {"Location": accepted.links.self}
    return json_response(accepted, 202 if submitted.new else 200, location)


async def _submit_and_stream(
    request: Request, services: Services, body: RunRequest, run: RunInput, key: str | None
) -> Response:
    """Watch first, then start, so that the first event finds its viewer waiting."""
    seat = services.streams.reserve(request)
    viewer = services.feed.view(run.run_id, 0, 0)
    try:
        await start(services, body, run, key)
    except BaseException:
        viewer.leave()
        seat.release()
        raise
    links = services.links(run.run_id)
    headers = {"Location": links.self, "X-Run-Id": run.run_id}
    return services.streams.respond(viewer, seat, headers)


async def _status(services: Services, submitted: Submitted) -> RunStatus:
    if submitted.new:
        return RunStatus.QUEUED
    return (await services.views.find(submitted.run_id)).status


@router.get("", response_model=RunList)
async def list_runs(
    services: Serving,
    status: RunStatus | None = None,
    agent: Annotated[str | None, Query(pattern=r"^[a-zA-Z_][a-zA-Z0-9_-]{0,63}$")] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    cursor: str | None = None,
) -> Response:
    """Runs, newest first; a run appears within about a second of its submission."""
    before = Place.decode(cursor) if cursor is not None else None
    page, after = await newest(services.gateway, query_for(status, agent), limit, before)
    attention = await services.attention.of_listed(page)
    runs = tuple(
        RunListItem(
            run_id=item.run_id,
            agent=item.request.agent if item.request else None,
            model=item.request.model if item.request else None,
            status=item.status,
            step=item.memo.step,
            waiting_for=() if item.status.ended else item.memo.waiting_for,
            attention=stuck,
            created_at=item.submitted_at,
            ended_at=item.closed_at,
            links=services.links(item.run_id),
        )
        for item, stuck in zip(page, attention, strict=True)
    )
    return json_response(RunList(runs=runs, cursor=after.encode() if after else None))


@router.get("/{run_id}", response_model=RunView)
async def get_run(
    request: Request,
    services: Serving,
    run_id: RunId,
    wait: Annotated[float, Query(ge=0, le=60, description="Seconds to wait for the end.")] = 0,
) -> Response:
    """A run as it stands; with `wait`, as soon as it has ended or the seconds are over."""
    view = await services.views.find(run_id)
    if wait and not view.status.ended:
        await _wait_for_end(request, services, run_id, wait)
        view = await services.views.find(run_id)
    return json_response(view)


async def _wait_for_end(request: Request, services: Services, run_id: str, seconds: float) -> None:
    """Return when the run has ended, the seconds are over, the client or the server goes."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    head = await services.journal.head(run_id)
    if head and head.ended:
        return
    watch = services.feed.watch(run_id, head.last_seq if head else 0)
    try:
        async with on_disconnect(request.receive, watch.leave):
            while loop.time() < deadline and not (
                watch.channel.over or services.waits_no_more(watch)
            ):
                await watch.sleep_until(deadline)
    finally:
        watch.leave()
