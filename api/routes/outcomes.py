"""Route: what became of a command."""

from __future__ import annotations

import asyncio
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from relayline.api.depends import RunId, Services, Serving, json_response
from relayline.api.errors import TemporalUnavailable, UnknownCommand
from relayline.api.streams.sse import on_disconnect
from relayline.contracts.answers import CommandView
from relayline.contracts.commands import MAX_ID_CHARS
from relayline.contracts.envelope import StoredEvent, storable
from relayline.contracts.events import CommandAccepted, CommandApplied, CommandRefused
from relayline.contracts.keys import accepted_key, outcome_key

router = APIRouter(prefix="/v1/runs", tags=["commands"])
_ENDED = "run-ended"


@router.get("/{run_id}/commands/{command_id}", response_model=CommandView)
async def get_command(
    request: Request,
    services: Serving,
    run_id: RunId,
    command_id: Annotated[str, Path(max_length=MAX_ID_CHARS)],
    wait: Annotated[float, Query(ge=0, le=30, description="Seconds to wait for the outcome.")] = 0,
) -> Response:
    """What became of a command; with `wait`, as soon as that is known or the seconds are over.

    A command is known once its run has taken note of it; one of which it has not, as when it
    came a moment ago or while the run ended, Temporal knows. While Temporal does not answer, no
    command is said to be unknown.
    """
    if not storable(command_id):  # a run gives such a command another id
        raise UnknownCommand(f"no command is known as {command_id[:100]!r}")
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
        TemporalUnavailable: it has not, and Temporal can't be asked.
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

    Raises:
        TemporalUnavailable: only Temporal could tell, and can't be asked.
    """
    head = await services.journal.head(run_id)
    ended = head is not None and head.ended
    if not ended and ask_temporal:
        ended = await _closed(services, run_id)
    outcome = await services.journal.get(run_id, outcome_key(command_id))
    if outcome:
        return _outcome(run_id, command_id, outcome)
    accepted = await services.journal.get(run_id, accepted_key(command_id))
    sent = services.sent.get(run_id, command_id)
    kind = sent.kind if sent else None
    if accepted and isinstance(body := accepted.body(), CommandAccepted):
        kind = body.kind
    if kind is None and ask_temporal:
        had = await services.gateway.had(run_id, command_id)
        kind = had.kind if had else None
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
