"""Route: the outcome of a command."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from relayline.api.depends import Route, RunId, UsesOutcomes, json_response
from relayline.contracts.answers import CommandView
from relayline.contracts.commands import MAX_ID_CHARS

router = APIRouter(prefix="/v1/runs", tags=["commands"], route_class=Route)


@router.get("/{run_id}/commands/{command_id}", response_model=CommandView)
async def get_command(
    request: Request,
    outcomes: UsesOutcomes,
    run_id: RunId,
    command_id: Annotated[str, Path(max_length=MAX_ID_CHARS)],
    wait: Annotated[float, Query(ge=0, le=30, description="Seconds to wait for the outcome.")] = 0,
) -> Response:
    """The outcome of a command; with `wait`, as soon as it is known or the seconds are over.

    A command that its run has not read yet, or that arrived while the run ended, is looked up in
    Temporal. Never answers 404 while Temporal is down.
    """
    return json_response(await outcomes.find(request.receive, run_id, command_id, wait))
