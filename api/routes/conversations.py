"""Routes: send a message to a conversation, close one, fork a run; a socket for a run."""

from __future__ import annotations

from functools import partial

from fastapi import APIRouter, Request, WebSocket
from starlette.responses import Response

from relayline.api.auth.scopes import check_scope, needs
from relayline.api.auth.trail import trail_of
from relayline.api.command_bodies import CommandRequest, MessageRequest
from relayline.api.depends import (
    IdempotencyKey,
    OfTenant,
    Route,
    RunId,
    Sender,
    UsesCommands,
    UsesEvents,
    UsesForks,
    UsesSockets,
    json_response,
    wants_stream,
)
from relayline.api.event_schemas import stream_of
from relayline.api.runs.forks.forking import Asked
from relayline.api.runs.forks.request import ForkRequest
from relayline.contracts.access.audit import Action
from relayline.contracts.command_answers import CommandReceipt
from relayline.contracts.commands import Close, SendMessage
from relayline.contracts.principals import Scope
from relayline.contracts.submissions.forks import ForkAccepted

router = APIRouter(prefix="/v1/runs", tags=["commands"], route_class=Route)


@router.post(
    "/{run_id}/messages",
    status_code=202,
    response_model=CommandReceipt,
    responses={
        200: {
            "description": "With `Accept: text/event-stream`: the events of the turn",
            "content": stream_of("StreamedEvent"),
        },
        409: {"description": "The run has ended: `run-ended`"},
    },
    openapi_extra=needs(Scope.RUNS_STEER, Action.RUN_MESSAGE),
)
async def send_message(  # noqa: PLR0913, PLR0917  one parameter per part
    request: Request,
    commands: UsesCommands,
    events: UsesEvents,
    sender: Sender,
    tenant: OfTenant,
    run_id: RunId,
    body: MessageRequest,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Begin the next turn of a conversation; as a stream, the answer has the turn's events.

    A run that was not submitted with `open` refuses it: the outcome of the command says so.
    """
    send = partial(commands.send, run_id, SendMessage, body, idempotency_key, sender)
    if wants_stream(request):
        check_scope(request, Scope.RUNS_READ)
        return await events.stream_message(request, tenant, run_id, send)
    return json_response(await send(), 202)


@router.post(
    "/{run_id}/fork",
    status_code=202,
    response_model=ForkAccepted,
    responses={
        200: {
            "model": ForkAccepted,
            "description": "The fork that the same key and body started before",
        }
    },
    openapi_extra=needs(Scope.RUNS_WRITE, Action.RUN_SUBMIT),
)
async def fork_run(  # noqa: PLR0913, PLR0917  one parameter per part
    request: Request,
    forks: UsesForks,
    sender: Sender,
    tenant: OfTenant,
    run_id: RunId,
    body: ForkRequest,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Start a run that begins with this one's past, up to a step; the run itself does not change.

    What comes before the step is taken over as it is, and neither paid nor run again. Usage and
    limits of the fork count from there.
    """
    asked = Asked(tenant, run_id, body, idempotency_key, sender, trail_of(request))
    accepted, new = await forks.fork(asked)
    return json_response(accepted, 202 if new else 200, {"Location": accepted.links.self})


@router.post(
    "/{run_id}/close",
    status_code=202,
    response_model=CommandReceipt,
    openapi_extra=needs(Scope.RUNS_STEER, Action.RUN_CLOSE),
)
async def close_run(
    commands: UsesCommands,
    sender: Sender,
    run_id: RunId,
    body: CommandRequest | None = None,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """End a conversation after its turn and the turns of messages that already wait."""
    receipt = await commands.send(run_id, Close, body or CommandRequest(), idempotency_key, sender)
    return json_response(receipt, 202)


@router.websocket("/{run_id}/socket")
async def open_socket(
    websocket: WebSocket, sockets: UsesSockets, sender: Sender, run_id: str
) -> None:
    """The run's events down, commands up; each command needs the scope that it needs over HTTP."""
    await sockets.serve(websocket, sender, run_id)
