"""Route: the journal of a run, as a stream or by the page."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Request
from starlette.responses import Response

from relayline.api.depends import RunId, Serving, json_response, wants_stream
from relayline.api.errors import BadRequest, CursorAhead
from relayline.contracts.answers import ProgressView
from relayline.contracts.envelope import EventPage
from relayline.journal.port import CursorExpired, Head

router = APIRouter(prefix="/v1/runs", tags=["events"])
PAGE_BYTES = 4 * 1024 * 1024
"""Data of events on a page; one event may be larger."""
_MAX_DIGITS = 18
_EMPTY = Head(first_seq=1, last_seq=0, ended=False)
_STREAM = {"text/event-stream": {"schema": {"type": "string"}}}


async def cursor_of(
    after: Annotated[str | None, Query(description="Events with a greater `seq` only.")] = None,
    last_event_id: Annotated[
        str | None, Header(alias="Last-Event-ID", description="Wins over `after`.")
    ] = None,
) -> int:
    """The cursor asked for, 0 if none was.

    Raises:
        BadRequest: it is not a whole number of at least 0.
        CursorAhead: it has more digits than any `seq`.
    """
    name, text = ("Last-Event-ID", last_event_id) if last_event_id is not None else ("after", after)
    if text is None:
        return 0
    if not text.isascii() or not text.isdigit():
        raise BadRequest(
            f"{name}: {text[:40]!r} is not a whole number of 0 or more",
            slug="invalid-cursor",
            field=name,
        )
    if len(text) > _MAX_DIGITS:
        raise CursorAhead(f"{name}: no run has that many events", field=name)
    return int(text)


Cursor = Annotated[int, Depends(cursor_of)]


@router.get(
    "/{run_id}/events",
    response_model=EventPage,
    responses={
        200: {
            "description": "A page of the journal, or with `Accept: text/event-stream` the stream",
            "content": _STREAM,
        },
        204: {"description": "The run has ended and the cursor is at its end (streams only)"},
    },
)
async def get_events(
    request: Request,
    services: Serving,
    run_id: RunId,
    cursor: Cursor,
    limit: Annotated[
        int, Query(ge=1, le=1000, description="Events on a page; fewer where they are large.")
    ] = 100,
) -> Response:
    """Every event of the run, in order, each once; closes after the terminal one.

    A stream whose last frame is `events.lost` (its id is empty) has shown events that a crash of
    the journal's storage took away: drop what was shown and read on from the start.
    """
    head = await services.views.exists(run_id) or _EMPTY
    stream = wants_stream(request)
    if stream and head.ended and cursor >= head.last_seq:
        return Response(status_code=204)
    _check(cursor, head)
    if stream:
        seat = services.streams.reserve(request)
        viewer = services.feed.view(run_id, cursor, head.last_seq)
        return services.streams.respond(viewer, seat)
    events = await services.journal.read(run_id, cursor, limit, max_bytes=PAGE_BYTES)
    newest = events[-1].seq if events else cursor
    newest_ends = events[-1].ends_run if events else head.ended
    ended = newest_ends and newest >= head.last_seq
    listed = ",".join(event.envelope_json() for event in events)
    return Response(
        f'{{"events":[{listed}],"next":{newest},"ended":{"true" if ended else "false"}}}',
        media_type="application/json",
    )


def _check(cursor: int, head: Head) -> None:
    """Refuse a cursor that the journal can't serve.

    Raises:
        CursorAhead: it is beyond the newest event.
        CursorExpired: events after it were swept.
    """
    if cursor > head.last_seq:
        raise CursorAhead(
            f"the cursor is {cursor} and the newest event has seq {head.last_seq}",
            newest=head.last_seq,
        )
    if cursor + 1 < head.first_seq:
        raise CursorExpired(head.first_seq)


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
