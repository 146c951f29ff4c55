"""Routes: pause, resume, redirect and cancel a run."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from relayline.api.auth.scopes import needs
from relayline.api.command_bodies import (
    CancelRequest,
    CommandRequest,
    PauseRequest,
    RedirectRequest,
)
from relayline.api.depends import IdempotencyKey, Route, RunId, Sender, UsesCommands, json_response
from relayline.contracts.access.audit import Action
from relayline.contracts.command_answers import CommandReceipt
from relayline.contracts.commands import Cancel, Pause, Redirect, Resume
from relayline.contracts.principals import Scope

router = APIRouter(prefix="/v1/runs", tags=["commands"], route_class=Route)


@router.post(
    "/{run_id}/pause",
    status_code=202,
    response_model=CommandReceipt,
    openapi_extra=needs(Scope.RUNS_STEER, Action.RUN_PAUSE),
)
async def pause_run(
    commands: UsesCommands,
    sender: Sender,
    run_id: RunId,
    body: PauseRequest | None = None,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Pause the run before its next model or tool call; with `now`, interrupt running calls."""
    receipt = await commands.send(run_id, Pause, body or PauseRequest(), idempotency_key, sender)
    return json_response(receipt, 202)


@router.post(
    "/{run_id}/resume",
    status_code=202,
    response_model=CommandReceipt,
    openapi_extra=needs(Scope.RUNS_STEER, Action.RUN_RESUME),
)
async def resume_run(
    commands: UsesCommands,
    sender: Sender,
    run_id: RunId,
    body: CommandRequest | None = None,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Let a paused run continue."""
    receipt = await commands.send(run_id, Resume, body or CommandRequest(), idempotency_key, sender)
    return json_response(receipt, 202)


@router.post(
    "/{run_id}/redirect",
    status_code=202,
    response_model=CommandReceipt,
    openapi_extra=needs(Scope.RUNS_STEER, Action.RUN_REDIRECT),
)
async def redirect_run(
    commands: UsesCommands,
    sender: Sender,
    run_id: RunId,
    body: RedirectRequest,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Send the model a message: running calls are interrupted, and its next call has it."""
    return json_response(await commands.send(run_id, Redirect, body, idempotency_key, sender), 202)


@router.post(
    "/{run_id}/cancel",
    status_code=202,
    response_model=CommandReceipt,
    openapi_extra=needs(Scope.RUNS_CANCEL, Action.RUN_CANCEL),
)
async def cancel_run(
    commands: UsesCommands,
    sender: Sender,
    run_id: RunId,
    body: CancelRequest | None = None,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """End the run and cancel its running calls."""
    receipt = await commands.send(run_id, Cancel, body or CancelRequest(), idempotency_key, sender)
    return json_response(receipt, 202)
