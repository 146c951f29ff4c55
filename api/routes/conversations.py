"""Routes: send a message to a conversation, close one; a socket for events and commands."""

from __future__ import annotations

from functools import partial

from fastapi import APIRouter, Request, WebSocket
from starlette.responses import Response

from relayline.api.auth.scopes import check_scope, needs
from relayline.api.command_bodies import CommandRequest, MessageRequest
from relayline.api.depends import (
    IdempotencyKey,
    OfTenant,
    Route,
    RunId,
    Sender,
    UsesCommands,
    UsesEvents,
    UsesSockets,
    json_response,
    wants_stream,
)
from relayline.api.event_schemas import stream_of
from relayline.contracts.access.audit import Action
from relayline.contracts.command_answers import CommandReceipt
from relayline.contracts.commands import Close, SendMessage
from relayline.contracts.principals import Scope

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
    """End a conversation when its turn is over, and those of messages that wait already."""
    receipt = await commands.send(run_id, Close, body or CommandRequest(), idempotency_key, sender)
    return json_response(receipt, 202)


@router.websocket("/{run_id}/socket")
async def open_socket(
    websocket: WebSocket, sockets: UsesSockets, sender: Sender, run_id: str
) -> None:
    """The run's events down, commands up; each command needs the scope that it needs over HTTP."""
    await sockets.serve(websocket, sender, run_id)
