"""Routes: schedules, which submit a run at each of their times."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from starlette.responses import Response

from relayline.api.auth.scopes import needs
from relayline.api.bodies import ScheduleChange, ScheduleRequest
from relayline.api.depends import OfTenant, Route, Sender, UsesSchedules, json_response
from relayline.contracts.access.audit import Action
from relayline.contracts.principals import Scope
from relayline.contracts.submissions.schedules import ScheduleList, ScheduleReceipt, ScheduleView

router = APIRouter(prefix="/v1/schedules", tags=["schedules"], route_class=Route)
ScheduleId = Annotated[str, Path(description="The schedule's id.")]


@router.post(
    "",
    status_code=201,
    response_model=ScheduleView,
    responses={
        200: {"model": ScheduleView, "description": "The same request has created it before"}
    },
    openapi_extra=needs(Scope.RUNS_WRITE, Action.SCHEDULE_CREATE),
)
async def create_schedule(
    schedules: UsesSchedules, sender: Sender, body: ScheduleRequest
) -> Response:
    """Submit a run again and again, at the times of a calendar or an interval."""
    view, new = await schedules.create(body, sender)
    location = {"Location": f"{router.prefix}/{view.schedule_id}"}
    return json_response(view, 201 if new else 200, location)


@router.get("", response_model=ScheduleList, openapi_extra=needs(Scope.RUNS_READ))
async def list_schedules(
    schedules: UsesSchedules,
    tenant: OfTenant,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    cursor: str | None = None,
) -> Response:
    """All schedules, a page at a time."""
    return json_response(await schedules.page(tenant, limit, cursor))


@router.get("/{schedule_id}", response_model=ScheduleView, openapi_extra=needs(Scope.RUNS_READ))
async def get_schedule(
    schedules: UsesSchedules, tenant: OfTenant, schedule_id: ScheduleId
) -> Response:
    """A schedule with its next times and its newest runs."""
    return json_response(await schedules.find(tenant, schedule_id))


@router.patch(
    "/{schedule_id}",
    response_model=ScheduleView,
    openapi_extra=needs(Scope.RUNS_WRITE, Action.SCHEDULE_CHANGE),
)
async def change_schedule(
    schedules: UsesSchedules, tenant: OfTenant, schedule_id: ScheduleId, body: ScheduleChange
) -> Response:
    """Pause a schedule, or let it continue; times in a pause are skipped."""
    return json_response(await schedules.pause(tenant, schedule_id, paused=body.paused))


@router.post(
    "/{schedule_id}/trigger",
    status_code=202,
    response_model=ScheduleReceipt,
    openapi_extra=needs(Scope.RUNS_WRITE, Action.SCHEDULE_TRIGGER),
)
async def trigger_schedule(
    schedules: UsesSchedules, tenant: OfTenant, schedule_id: ScheduleId
) -> Response:
    """Submit the run once, now, if the overlap policy allows it; also in a pause."""
    await schedules.trigger(tenant, schedule_id)
    return json_response(ScheduleReceipt(schedule_id=schedule_id), 202)


@router.delete(
    "/{schedule_id}", status_code=204, openapi_extra=needs(Scope.RUNS_WRITE, Action.SCHEDULE_DELETE)
)
async def delete_schedule(
    schedules: UsesSchedules, tenant: OfTenant, schedule_id: ScheduleId
) -> Response:
    """Delete a schedule; its runs stay."""
    await schedules.delete(tenant, schedule_id)
    return Response(status_code=204)
