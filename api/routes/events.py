"""Routes: the journal of a run and its progress, as a stream or as JSON."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Header, Query, Request
from starlette.responses import Response

from relayline.api.auth.scopes import needs
from relayline.api.depends import (
    CommandAsked,
    OfTenant,
    Route,
    RunId,
    UsesEvents,
    UsesProgress,
    json_response,
    wants_stream,
)
from relayline.api.errors import BadRequest, CursorAhead, InvalidField
from relayline.api.event_schemas import stream_of
from relayline.api.streams.event_filter import Deltas, EventFilter
from relayline.contracts.answers import ProgressView
from relayline.contracts.envelope import EventPage
from relayline.contracts.principals import Scope

router = APIRouter(prefix="/v1/runs", tags=["events"], route_class=Route)
_MAX_DIGITS = 18


async def cursor_of(
    after: Annotated[str | None, Query(description="Only events with a greater `seq`.")] = None,
    last_event_id: Annotated[
        str | None, Header(alias="Last-Event-ID", description="Takes precedence over `after`.")
    ] = None,
) -> int:
    """The requested cursor, 0 if there is none.

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


async def event_filter_of(
    request: Request,
    deltas: Annotated[
        Deltas,
        Query(
            description="`none`: without `message.delta` and `reasoning.delta`. `open`: without "
            "those of steps that have ended by now; the fact that ended each has its whole text."
        ),
    ] = "all",
    types: Annotated[
        list[str],
        Query(
            max_length=100,
            description="Only events of this type; more than once: any of these. Notices that are "
            "not in the journal (`worker.unavailable`, `events.lost`) always come.",
        ),
    ] = [],  # noqa: B006  FastAPI's own way
    before: Annotated[
        int | None,
        Query(
            ge=1,
            lt=10**_MAX_DIGITS,
            description="Pages only, in place of `after`: the newest events with a lower `seq`, in "
            "order. To read backwards, pass `previous` of the page.",
        ),
    ] = None,
) -> EventFilter:
    """Which of the events are wanted.

    Raises:
        InvalidField: as `EventFilter.check`.
    """
    wanted = EventFilter(deltas, frozenset(types), before)
    has_cursor = "after" in request.query_params or "last-event-id" in request.headers
    wanted.check(streams=wants_stream(request), has_cursor=has_cursor)
    return wanted


async def stream_token_of(
    access_token: Annotated[
        str | None,
        Query(description="A stream token, where no header can be sent: `POST /v1/tokens/stream`."),
    ] = None,
) -> None:
    """Declares the parameter."""


@router.get(
    "/{run_id}/events",
    response_model=EventPage,
    responses={
        200: {
            "description": "A page of the journal, or with `Accept: text/event-stream` a stream",
            "content": stream_of("StreamedEvent"),
        },
        204: {
            "description": "The run has ended, and nothing selected comes after the cursor "
            "(streams only)"
        },
    },
    openapi_extra=needs(Scope.RUNS_READ),
)
async def get_events(  # noqa: PLR0913, PLR0917  one parameter per part and parameter
    request: Request,
    events: UsesEvents,
    tenant: OfTenant,
    run_id: RunId,
    cursor: Cursor,
    wanted: Annotated[EventFilter, Depends(event_filter_of)],
    limit: Annotated[
        int, Query(ge=1, le=1000, description="Events on a page; fewer if they are large.")
    ] = 100,
    until: Annotated[
        Literal["turn"] | None,
        Query(description="`turn`: end the stream with the newest turn, or that of `command`."),
    ] = None,
    command: CommandAsked = None,
    _: Annotated[None, Depends(stream_token_of)] = None,
) -> Response:
    """Every event of the run, in order, each once; a stream closes after the terminal one.

    A stream that ends with `events.lost` (its id is empty) has shown events that a crash of the
    journal's storage lost: drop what you have and read again from the start.

    With `deltas` or `types` some events are left out, so that `seq` has gaps. A cursor is exact all
    the same: whoever resumes with the same parameters misses and repeats nothing of what they
    select.
    """
    if command is not None and until is None:
        raise InvalidField("command: only with until=turn", field="command")
    if wants_stream(request):
        whose = (request, tenant, run_id, cursor)
        turn = events.stream_turn(*whose, command, wanted) if until else None
        return await (turn or events.stream(*whose, wanted)) or Response(status_code=204)
    if until is not None:
        raise InvalidField("until: only for a stream (Accept: text/event-stream)", field="until")
    page = await events.page(tenant, run_id, cursor, limit, wanted)
    return Response(page, media_type="application/json")


@router.get(
    "/{run_id}/progress",
    response_model=ProgressView,
    responses={
        200: {
            "description": "JSON, or one SSE frame per change",
            "content": stream_of("ProgressView"),
        }
    },
    openapi_extra=needs(Scope.RUNS_READ),
)
async def get_progress(
    request: Request, progress: UsesProgress, tenant: OfTenant, run_id: RunId
) -> Response:
    """The live state of the run; with `Accept: text/event-stream`, each change until its end."""
    if wants_stream(request):
        return await progress.stream(request, tenant, run_id)
    return json_response(await progress.current(tenant, run_id))
