"""Route: the outcome of a command."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from relayline.api.auth.scopes import needs
from relayline.api.depends import OfTenant, Route, RunId, UsesOutcomes, json_response
from relayline.contracts.command_answers import CommandView
from relayline.contracts.commands import MAX_ID_CHARS
from relayline.contracts.principals import Scope

router = APIRouter(prefix="/v1/runs", tags=["commands"], route_class=Route)


@router.get(
    "/{run_id}/commands/{command_id}",
    response_model=CommandView,
    openapi_extra=needs(Scope.RUNS_READ),
)
async def get_command(  # noqa: PLR0913, PLR0917  one parameter per part
    request: Request,
    outcomes: UsesOutcomes,
    tenant: OfTenant,
    run_id: RunId,
    command_id: Annotated[str, Path(max_length=MAX_ID_CHARS)],
    wait: Annotated[float, Query(ge=0, le=30, description="Seconds to wait for the outcome.")] = 0,
) -> Response:
    """The outcome of a command; with `wait`, as soon as it is known or the seconds are over.

    A command that its run has not read yet, or that arrived while the run ended, is looked up in
    Temporal. Never answers 404 while Temporal is down.
    """
    return json_response(await outcomes.find(request.receive, tenant, run_id, command_id, wait))
