"""Routes: steer a run, and see what became of a command."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from api.errors import AlreadyEnded, TemporalUnavailable, UnknownCommand, UnknownRun
from api.schemas import CancelRequest, CommandReceipt, CommandRequest, CommandView
from api.services import IdempotencyKey, RunId, Services, Serving, json_response
from api.streams import on_disconnect
from contracts.commands import Cancel, CommandKind, Pause, Resume
from contracts.envelope import StoredEvent
from contracts.events import CommandAccepted, CommandApplied, CommandRefused

router = APIRouter(prefix="/v1/runs", tags=["commands"])
_ENDED = "run-ended"


@router.post("/{run_id}/pause", status_code=202, response_model=CommandReceipt)
async def pause_run(
    services: Serving,
    run_id: RunId,
    body: CommandRequest | None = None,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Stop the run before its next model or tool call."""
    command = Pause(
        command_id=_command_id(CommandKind.PAUSE, idempotency_key), by=body.by if body else ""
    )
    return await _send(services, run_id, CommandKind.PAUSE, command)


@router.post("/{run_id}/resume", status_code=202, response_model=CommandReceipt)
async def resume_run(
    services: Serving,
    run_id: RunId,
    body: CommandRequest | None = None,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Let a paused run go on."""
    command = Resume(
        command_id=_command_id(CommandKind.RESUME, idempotency_key), by=body.by if body else ""
    )
    return await _send(services, run_id, CommandKind.RESUME, command)


@router.post("/{run_id}/cancel", status_code=202, response_model=CommandReceipt)
async def cancel_run(
    services: Serving,
    run_id: RunId,
    body: CancelRequest | None = None,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """End the run; what it is doing is told to stop."""
    asked = body or CancelRequest()
    command = Cancel(
        command_id=_command_id(CommandKind.CANCEL, idempotency_key),
        by=asked.by,
        reason=asked.reason,
    )
    return await _send(services, run_id, CommandKind.CANCEL, command)


@router.get("/{run_id}/commands/{command_id}", response_model=CommandView)
async def get_command(
    request: Request,
    services: Serving,
    run_id: RunId,
    command_id: Annotated[str, Path(max_length=128)],
    wait: Annotated[float, Query(ge=0, le=30, description="Seconds to wait for the outcome.")] = 0,
) -> Response:
    """What became of a command; with `wait`, as soon as that is known or the seconds are over.

    A command is known once its run has taken note of it, and before that to the server that
    sent it.
    """
    view = await _find(services, run_id, command_id)
    if view is None or (wait and view.state == "accepted"):
        view = await _wait(request, services, view, (run_id, command_id), wait)
    return json_response(view)


async def _wait(
    request: Request,
    services: Services,
    view: CommandView | None,
    ids: tuple[str, str],
    seconds: float,
) -> CommandView:
    """Look again at each fact until there is an outcome or the time is over.

    Raises:
        UnknownCommand: the command has not turned up.
    """
    run_id, command_id = ids
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    head = await services.views.exists(run_id)
    if head and head.ended:
        deadline = 0.0
    watch = services.feed.watch(run_id, head.last_seq if head else 0)
    facts = -1
    try:
        async with on_disconnect(request.receive, watch.leave):
            while loop.time() < deadline and not services.waits_no_more(watch):
                if watch.channel.facts != facts:
                    facts = watch.channel.facts
                    view = await _find(services, run_id, command_id)
                    if view and view.state != "accepted":
                        return view
                await watch.sleep_until(deadline)
    finally:
        watch.leave()
    view = await _find(services, run_id, command_id, ask_temporal=True)
    if view is None:
        raise UnknownCommand(f"run {run_id} has had no command {command_id[:100]!r}")
    return view


async def _find(
    services: Services, run_id: str, command_id: str, *, ask_temporal: bool = False
) -> CommandView | None:
    """What is known of the command, None if nothing.

    The end of the run is looked up before the outcome: outcomes come before the terminal fact.
    """
    head = await services.journal.head(run_id)
    ended = head is not None and head.ended
    if not ended and ask_temporal:
        ended = await _closed(services, run_id)
    outcome = await services.journal.get(run_id, f"command/{command_id}/outcome")
    if outcome:
        return _outcome(run_id, command_id, outcome)
    accepted = await services.journal.get(run_id, f"command/{command_id}/accepted")
    kind = services.sent.kind(run_id, command_id)
    if accepted and isinstance(body := accepted.body(), CommandAccepted):
        kind = body.kind
    if kind is None:
        return None
    state: Literal["accepted", "refused"] = "refused" if ended else "accepted"
    return CommandView(
        command_id=command_id,
        run_id=run_id,
        kind=kind,
        state=state,
        reason=_ENDED if ended else None,
    )


def _outcome(run_id: str, command_id: str, fact: StoredEvent) -> CommandView:
    body = fact.body()
    view = CommandView(command_id=command_id, run_id=run_id, state="applied", step=fact.step)
    if isinstance(body, CommandApplied):
        view.kind, view.applied = body.kind, body.applied
    elif isinstance(body, CommandRefused):
        view.state, view.kind, view.reason = "refused", body.kind, body.reason
    return view


async def _closed(services: Services, run_id: str) -> bool:
    """True when Temporal says that the run has ended, as for one that was terminated there."""
    try:
        execution = await services.gateway.execution(run_id)
    except TemporalUnavailable:
        return False
    return execution is not None and execution.status.ended


async def _send(
    services: Services, run_id: str, kind: CommandKind, command: Pause | Resume | Cancel
) -> Response:
    """Signal the run.

    Raises:
        AlreadyEnded: the run has ended.
        UnknownRun: nobody knows it.
        TemporalUnavailable: the signal is not known to be accepted; send it again with its key.
    """
    head = await services.journal.head(run_id)
    if (head and head.ended) or not await services.gateway.signal(run_id, command):
        view = await services.views.find(run_id)
        if not view.status.ended:
            raise UnknownRun(run_id)
        raise AlreadyEnded(
            f"{run_id} has ended as {view.status.value}: nothing is left to {kind.value}",
            run_id=run_id,
            run_status=view.status.value,
        )
    services.sent.add(run_id, command.command_id, kind)
    return json_response(CommandReceipt(command_id=command.command_id), 202)


def _command_id(kind: CommandKind, key: str | None) -> str:
    """Of the key if there is one, so that the run takes a repeated request for one command."""
    if key is None:
        return f"cmd_{secrets.token_hex(16)}"
    return f"cmd_{hashlib.sha256(f'{kind.value}:{key}'.encode()).hexdigest()[:32]}"
