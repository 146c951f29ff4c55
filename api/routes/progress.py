"""Route: where a run stands now, once or as it changes."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from relayline.api.bodies import ProgressView
from relayline.api.depends import RunId, Serving, json_response, wants_stream

router = APIRouter(prefix="/v1/runs", tags=["runs"])
_STREAM = {"text/event-stream": {"schema": {"type": "string"}}}


@router.get(
    "/{run_id}/progress",
    response_model=ProgressView,
    responses={200: {"description": "JSON, or one SSE frame per change", "content": _STREAM}},
)
async def get_progress(request: Request, services: Serving, run_id: RunId) -> Response:
    """Where the run stands; with `Accept: text/event-stream`, each change until its end."""
    if not wants_stream(request):
        return json_response(await services.board.current(run_id))
    head = await services.views.exists(run_id)
    seat = services.streams.reserve(request)
    viewer = services.board.view(run_id, head.last_seq if head else 0)
    return services.streams.respond(viewer, seat)
