"""Routes: what waits for a person, and the one stream of a page."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Query, Request
from starlette.responses import Response

from relayline.api.auth.scopes import needs
from relayline.api.depends import OfTenant, Route, UsesInbox, UsesLive, json_response
from relayline.api.event_schemas import live_stream
from relayline.api.runs.inbox import InboxFilter
from relayline.api.streams.event_filter import Deltas, EventFilter
from relayline.api.streams.live.live import LiveRequest, cursors_of
from relayline.contracts.answers import InboxKind, InboxView
from relayline.contracts.principals import Scope

router = APIRouter(prefix="/v1", tags=["pages"], route_class=Route)


@router.get("/inbox", response_model=InboxView, openapi_extra=needs(Scope.RUNS_READ))
async def get_inbox(  # noqa: PLR0913, PLR0917  one parameter per part and parameter
    inbox: UsesInbox,
    tenant: OfTenant,
    kind: Annotated[list[InboxKind], Query(description="More than once: any of these.")] = [],  # noqa: B006  FastAPI's own way
    agent: Annotated[str | None, Query(pattern=r"^[a-zA-Z_][a-zA-Z0-9_-]{0,63}$")] = None,
    limit: Annotated[int, Query(ge=0, le=100, description="0: only the total.")] = 50,
    cursor: str | None = None,
) -> Response:
    """All that waits for a person: what expires first, then what waits longest."""
    wanted = InboxFilter(frozenset(kind), agent)
    return json_response(await inbox.page(tenant, wanted, limit, cursor))


@router.get(
    "/live",
    responses={200: {"description": "Frames", "content": live_stream()}},
    openapi_extra=needs(Scope.RUNS_READ),
)
async def get_live(  # noqa: PLR0913, PLR0917  one parameter per thing to follow
    request: Request,
    live: UsesLive,
    tenant: OfTenant,
    list_: Annotated[
        str | None,
        Query(
            alias="list",
            max_length=4000,
            description="A filter of `GET /v1/runs` with `limit`, as a query string of its own "
            "(percent-encoded): `list=status%3Drunning%26limit%3D20`. Empty: the newest runs.",
        ),
    ] = None,
    inbox: bool = False,
    run: Annotated[
        list[str], Query(description="`ID:AFTER`: follow this run; for up to 4 runs.")
    ] = [],  # noqa: B006  FastAPI's own way
    deltas: Annotated[
        Deltas, Query(description="Of the runs, as in `GET /v1/runs/{run_id}/events`.")
    ] = "all",
    last_event_id: Annotated[
        str | None,
        Header(alias="Last-Event-ID", description="Its cursors take precedence over `run`."),
    ] = None,
) -> Response:
    """One stream for a page; it ends only when the server stops.

    Frames, each with JSON as `data`:

    - `runs` `{upsert: [item], gone: [run_id]}`: the top of the list, then what changes in it.
    - `counts`: as `GET /v1/runs/counts`, of the list without its `status`.
    - `inbox` `{upsert: [item], gone: [item_id]}`: the 200 most urgent items, then what changes.
    - `system`: as `/readyz`, when it changes; it is looked at every 10 s.
    - `run.event`: an event of one of the runs, as in its own stream; the `id` joins the cursors of
      all runs, so that a reconnect with `Last-Event-ID` misses and repeats nothing.
    """
    asked = LiveRequest(list_, inbox, cursors_of(run, last_event_id), EventFilter(deltas))
    return await live.stream(request, tenant, asked)
