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
from starlette.requests import HTTPConnection
from starlette.responses import Response

from relayline.api.auth.audit_list import AuditList
from relayline.api.auth.port import Forbidden, Unauthenticated
from relayline.api.auth.scopes import action_of, check_scope, principal_of, scope_of
from relayline.api.auth.sign_in import SignIn
from relayline.api.auth.trail import note_done
from relayline.api.commands.decisions import Decisions
from relayline.api.commands.outcomes import Outcomes
from relayline.api.commands.sending import CommandSender
from relayline.api.errors import InvalidField, UnknownRun
from relayline.api.keys.admin import KeyAdmin
from relayline.api.runs.admission.known_agents import KnownAgents
from relayline.api.runs.admission.quotas import RunQuotas
from relayline.api.runs.batches import RunBatches
from relayline.api.runs.erasing import Erasing
from relayline.api.runs.files.uploads import Uploads
from relayline.api.runs.filters import LABEL, LABELS, RunQuery, labels_of
from relayline.api.runs.forks.forking import Forks
from relayline.api.runs.inbox import Inbox
from relayline.api.runs.listing import Listing
from relayline.api.runs.owners import seen_by
from relayline.api.runs.schedules import RunSchedules
from relayline.api.runs.submission import Submission
from relayline.api.services import Services
from relayline.api.serving.known_tools import KnownTools
from relayline.api.serving.metrics import Metrics
from relayline.api.serving.readiness import Readiness
from relayline.api.serving.system import System
from relayline.api.streams.events import RunEvents
from relayline.api.streams.grants import StreamGrants
from relayline.api.streams.live.live import Live
from relayline.api.streams.long_poll import RunPoll
from relayline.api.streams.progress import ProgressFeed
from relayline.api.streams.sockets.opening import Sockets
from relayline.api.webhooks.deliveries import Deliveries
from relayline.api.webhooks.registry import Registry
from relayline.contracts.access.audit import Action
from relayline.contracts.commands import MAX_ID_CHARS
from relayline.contracts.principals import Principal
from relayline.contracts.runs import RUN_ID_PATTERN
from relayline.journal.table import RunFilter, Tenant

_SINGLE_HEADERS = ("Idempotency-Key", "Last-Event-ID")
_RUN_ID = re.compile(RUN_ID_PATTERN)
_NOTED_WITHIN = {Action.RUN_SUBMIT}
"""Actions whose rows are written with what they do, in one transaction."""


def _part(pick: Callable[[Services], object]) -> Any:
    async def part(connection: HTTPConnection) -> object:
        return pick(connection.app.state.services)

    return Depends(part)


UsesAgents = Annotated[KnownAgents, _part(lambda services: services.agents)]
UsesKnownTools = Annotated[KnownTools, _part(lambda services: services.known_tools)]
UsesMetrics = Annotated[Metrics, _part(lambda services: services.metrics)]
UsesReadiness = Annotated[Readiness, _part(lambda services: services.readiness)]
UsesSystem = Annotated[System, _part(lambda services: services.system)]
UsesSubmission = Annotated[Submission, _part(lambda services: services.submission)]
UsesForks = Annotated[Forks, _part(lambda services: services.forks)]
UsesBatches = Annotated[RunBatches, _part(lambda services: services.batches)]
UsesSchedules = Annotated[RunSchedules, _part(lambda services: services.schedules)]
UsesUploads = Annotated[Uploads, _part(lambda services: services.uploads)]
UsesListing = Annotated[Listing, _part(lambda services: services.listing)]
UsesInbox = Annotated[Inbox, _part(lambda services: services.inbox)]
UsesLive = Annotated[Live, _part(lambda services: services.live)]
UsesErasing = Annotated[Erasing, _part(lambda services: services.erasing)]
UsesRuns = Annotated[RunPoll, _part(lambda services: services.runs)]
UsesEvents = Annotated[RunEvents, _part(lambda services: services.events)]
UsesSockets = Annotated[Sockets, _part(lambda services: services.sockets)]
UsesProgress = Annotated[ProgressFeed, _part(lambda services: services.progress)]
UsesCommands = Annotated[CommandSender, _part(lambda services: services.commands)]
UsesDecisions = Annotated[Decisions, _part(lambda services: services.decisions)]
UsesOutcomes = Annotated[Outcomes, _part(lambda services: services.outcomes)]
UsesRegistry = Annotated[Registry, _part(lambda services: services.registry)]
UsesKeys = Annotated[KeyAdmin, _part(lambda services: services.access.keys)]
UsesAudit = Annotated[AuditList, _part(lambda services: services.access.audit)]
UsesGrants = Annotated[StreamGrants, _part(lambda services: services.access.grants)]
UsesSignIn = Annotated[SignIn, _part(lambda services: services.access.sign_in)]
UsesQuotas = Annotated[RunQuotas, _part(lambda services: services.quotas)]
UsesDeliveries = Annotated[Deliveries, _part(lambda services: services.deliveries)]


async def sender_of(request: HTTPConnection) -> Principal:
    """Who asks.

    Raises:
        Unauthenticated: nobody is known to ask.
    """
    return _sender(request)


def _sender(request: HTTPConnection) -> Principal:
    principal = principal_of(request)
    if principal is None:
        raise Unauthenticated
    return principal


async def tenant_of(request: Request) -> Tenant:
    """Whose runs the request may see; every tenant's while authentication is off."""
    return _tenant(request)


def _tenant(request: Request) -> Tenant:
    return seen_by(_sender(request))


async def run_id_of(
    request: Request,
    run_id: Annotated[str, Path(description="The run's id from `POST /v1/runs`.")],
) -> str:
    """The path's run id.

    Raises:
        UnknownRun: no run can have this id, or the run is another tenant's.
        TemporalUnavailable, JournalUnavailable: it can't be said whose it is.
    """
    if not _RUN_ID.fullmatch(run_id):
        raise UnknownRun(run_id)
    services: Services = request.app.state.services
    await services.owners.check(_tenant(request), run_id)
    return run_id


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
    """A route that checks its scope and `known_parameters` first, before it reads a body.

    What it does gets a row in the audit log before it answers.

    Every router must use it. A dependency of the app would say the same, at the cost of a whole
    dependency for each request.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, behind the checks.

        Raises:
            TypeError: the route declares no scope.
        """
        handle, wanted = super().get_route_handler(), scope_of(self.openapi_extra)
        action = action_of(self.openapi_extra)
        noted = action if action not in _NOTED_WITHIN else None

        async def checked(request: Request) -> Response:
            try:
                if wanted is not None:
                    check_scope(request, wanted)
                await known_parameters(request)
                response = await handle(request)
            except (Forbidden, Unauthenticated) as error:
                if denials := request.app.state.services.access.denials:
                    denials.note(request.scope, error, principal_of(request))
                raise
            if noted:
                await note_done(request, noted, response)
            return response

        return checked


Sender = Annotated[Principal, Depends(sender_of)]
OfTenant = Annotated[Tenant, Depends(tenant_of)]
RunId = Annotated[str, Depends(run_id_of)]
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


async def command_asked(
    request: Request,
    run_id: RunId,
    command: Annotated[
        str | None,
        Query(max_length=MAX_ID_CHARS, description="The id of a message to the run."),
    ] = None,
) -> str | None:
    """The command that a query parameter names.

    Raises:
        UnknownCommand: the run has had none with that id.
        TemporalUnavailable: only Temporal may know it, and can't be asked.
    """
    if command is not None:
        services: Services = request.app.state.services
        tenant = _tenant(request)
        await services.outcomes.find(request.receive, tenant, run_id, command, 0)
    return command


CommandAsked = Annotated[str | None, Depends(command_asked)]


def json_response(
    model: BaseModel, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """The model as a JSON response."""
    return Response(model.model_dump_json(), status, headers, media_type="application/json")


def wants_stream(request: Request) -> bool:
    """True when the client asked for Server-Sent Events."""
    return "text/event-stream" in request.headers.get("accept", "").lower()
