"""FastAPI dependencies of the routes: parts of the app, the run's id, the idempotency key."""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine, Mapping
from functools import cache
from typing import Annotated, Any, get_origin

from fastapi import Depends, Header, Path, Query, Request, params
from fastapi.dependencies.utils import get_dependant, get_flat_params
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.responses import Response

from relayline.api.commands.decisions import Decisions
from relayline.api.commands.outcomes import Outcomes
from relayline.api.commands.sending import CommandSender
from relayline.api.errors import InvalidField, UnknownRun
from relayline.api.runs.filters import LABEL, LABELS, RunQuery, labels_of
from relayline.api.runs.inbox import Inbox
from relayline.api.runs.listing import Listing
from relayline.api.runs.submission import Submission
from relayline.api.services import Services
from relayline.api.serving.metrics import Metrics
from relayline.api.serving.readiness import Readiness
from relayline.api.streams.events import RunEvents
from relayline.api.streams.live.live import Live
from relayline.api.streams.long_poll import RunPoll
from relayline.api.streams.progress import ProgressFeed
from relayline.contracts.runs import RUN_ID_PATTERN, AgentSpec
from relayline.journal.table import EVERY, RunFilter, Tenant

_SINGLE_HEADERS = ("Idempotency-Key", "Last-Event-ID")
_RUN_ID = re.compile(RUN_ID_PATTERN)


def _part(pick: Callable[[Services], object]) -> Any:
    async def part(request: Request) -> object:
        return pick(request.app.state.services)

    return Depends(part)


UsesAgents = Annotated[Mapping[str, AgentSpec], _part(lambda services: services.agents)]
UsesMetrics = Annotated[Metrics, _part(lambda services: services.metrics)]
UsesReadiness = Annotated[Readiness, _part(lambda services: services.readiness)]
UsesSubmission = Annotated[Submission, _part(lambda services: services.submission)]
UsesListing = Annotated[Listing, _part(lambda services: services.listing)]
UsesInbox = Annotated[Inbox, _part(lambda services: services.inbox)]
UsesLive = Annotated[Live, _part(lambda services: services.live)]
UsesRuns = Annotated[RunPoll, _part(lambda services: services.runs)]
UsesEvents = Annotated[RunEvents, _part(lambda services: services.events)]
UsesProgress = Annotated[ProgressFeed, _part(lambda services: services.progress)]
UsesCommands = Annotated[CommandSender, _part(lambda services: services.commands)]
UsesDecisions = Annotated[Decisions, _part(lambda services: services.decisions)]
UsesOutcomes = Annotated[Outcomes, _part(lambda services: services.outcomes)]


async def run_id_of(
    run_id: Annotated[str, Path(description="The run's id from `POST /v1/runs`.")],
) -> str:
    """The path's run id.

    Raises:
        UnknownRun: no run can have this id.
    """
    if not _RUN_ID.fullmatch(run_id):
        raise UnknownRun(run_id)
    return run_id


async def tenant_of() -> Tenant:
    """Whose runs the request may see; every tenant's while authentication is off."""
    return EVERY


async def filter_of(request: Request, query: Annotated[RunQuery, Query()]) -> RunFilter:
    """The filter in the query parameters.

    Raises:
        InvalidField: as `RunQuery.selects` and `labels_of`.
    """
    return query.selects(labels_of(request.query_params.multi_items()))


@cache
def _parameters(path: str, endpoint: Callable[..., Any]) -> Mapping[str, bool]:
    """Names of a route's query parameters, and which of them may be repeated."""
    return {
        field.alias: get_origin(field.field_info.annotation) in {list, set, tuple}
        for field in get_flat_params(get_dependant(path=path, call=endpoint))
        if not isinstance(field.field_info, params.Path | params.Header | params.Cookie)
    }


async def known_parameters(request: Request) -> None:
    """Every query parameter is one that the route knows, and has one value; so have some headers.

    A filter with a typing error would otherwise answer everything.

    Raises:
        InvalidField: it is not; the detail lists those that the route knows.
    """
    for field in _SINGLE_HEADERS:
        if len({*request.headers.getlist(field)}) > 1:
            raise InvalidField(f"{field}: given more than once", field=field)
    if not request.scope["query_string"]:
        return
    route = request.scope["route"]
    known = _parameters(route.path, route.endpoint)
    seen: set[str] = set()
    for name, _ in request.query_params.multi_items():
        family = LABELS if name.startswith(LABEL) else name
        if family not in known:
            takes = f"there are {', '.join(sorted(known))}" if known else "the route takes none"
            raise InvalidField(
                f"{name[:200]}: no such query parameter; {takes}",
                field=name[:200],
                known=[*sorted(known)],
            )
        if name in seen and not known[family]:
            raise InvalidField(f"{name}: given more than once", field=name)
        seen.add(name)


class Route(APIRoute):
    """A route that checks `known_parameters` first.

    Every router must use it. A dependency of the app would say the same, at the cost of a whole
    dependency for each request.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, behind the check."""
        handle = super().get_route_handler()

        async def checked(request: Request) -> Response:
            await known_parameters(request)
            return await handle(request)

        return checked


RunId = Annotated[str, Depends(run_id_of)]
OfTenant = Annotated[Tenant, Depends(tenant_of)]
Wanted = Annotated[RunFilter, Depends(filter_of)]
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        description="Makes the request idempotent: a repeated key is the same request.",
    ),
]


def json_response(
    model: BaseModel, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """The model as a JSON response."""
    return Response(model.model_dump_json(), status, headers, media_type="application/json")


def wants_stream(request: Request) -> bool:
    """True when the client asked for Server-Sent Events."""
    return "text/event-stream" in request.headers.get("accept", "").lower()
