"""Routes: decide what waits for approval, answer what the run has asked."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import JsonValue
from starlette.responses import Response

from relayline.api.bodies import AnswerRequest, DecisionRequest
from relayline.api.commands.sending import Sending, refuse, send, sending
from relayline.api.depends import IdempotencyKey, RunId, Services, Serving
from relayline.api.errors import (
    ApprovalClosed,
    InvalidField,
    RequestClosed,
    UnknownApproval,
    UnknownRequest,
)
from relayline.catalog.schema import mismatches
from relayline.contracts.answers import CommandReceipt
from relayline.contracts.commands import Answer, Decide
from relayline.contracts.envelope import StoredEvent, moment
from relayline.contracts.events import (
    ApprovalRequested,
    ApprovalResolved,
    InputClosed,
    InputReceived,
    InputRequested,
)
from relayline.contracts.keys import requested_key, resolved_key
from relayline.projections.words import How, closed, stamp

router = APIRouter(prefix="/v1/runs", tags=["commands"])
ApprovalId = Annotated[str, Path(description="As `approval.requested` and `waiting_for` give it.")]
_ID_CHARS = 100


@router.post("/{run_id}/approvals/{approval_id}", status_code=202, response_model=CommandReceipt)
async def decide_approval(
    services: Serving,
    run_id: RunId,
    approval_id: ApprovalId,
    body: DecisionRequest,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Approve, with other arguments if need be, or deny; the model sees the note."""
    asked = sending(run_id, Decide, body, idempotency_key, approval_id=approval_id)

    async def check() -> None:
        requested = await _requested(services, asked, approval_id)
        if isinstance(requested, ApprovalRequested) and body.arguments is not None:
            _check("arguments", requested.parameters, body.arguments)

    return await send(services, asked, check)


@router.post("/{run_id}/answer", status_code=202, response_model=CommandReceipt)
async def answer_request(
    services: Serving,
    run_id: RunId,
    body: AnswerRequest,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Answer a question that the run has asked."""
    asked = sending(run_id, Answer, body, idempotency_key, request_id=body.request_id)

    async def check() -> None:
        requested = await _requested(services, asked, body.request_id)
        if isinstance(requested, InputRequested) and requested.data_schema is not None:
            _check("text", requested.data_schema, body.text)

    return await send(services, asked, check)


async def _requested(
    services: Services, asked: Sending, id_: str
) -> ApprovalRequested | InputRequested | None:
    """What a person was asked; None while only the run itself can tell.

    Raises:
        ApprovalClosed: it was decided, has expired, or was withdrawn.
        RequestClosed: it was answered, has expired, or was withdrawn.
        UnknownApproval: the run has asked for no such approval.
        UnknownRequest: the run has asked no such question.
        AlreadyEnded: the run has ended and never asked.
        UnknownRun: nobody knows the run.
    """
    if found := await _journaled(services, asked, id_):
        return found
    if await _waited_for(services, asked, id_):
        return None
    if found := await _journaled(services, asked, id_):
        return found
    if isinstance(asked.command, Decide):
        raise UnknownApproval(f"{asked.run_id} has asked for no approval {id_[:_ID_CHARS]!r}")
    raise UnknownRequest(f"{asked.run_id} has asked no question {id_[:_ID_CHARS]!r}")


async def _journaled(
    services: Services, asked: Sending, id_: str
) -> ApprovalRequested | InputRequested | None:
    """The open request as the journal has it, None if it does not have it.

    Raises:
        ApprovalClosed, RequestClosed: it is open no more.
    """
    fact = await services.journal.get(asked.run_id, requested_key(id_))
    body = fact.body() if fact else None
    wanted = ApprovalRequested if isinstance(asked.command, Decide) else InputRequested
    if not isinstance(body, wanted):
        return None
    if end := await services.journal.get(asked.run_id, resolved_key(id_)):
        _refuse_closed(id_, end)
    return body


async def _waited_for(services: Services, asked: Sending, id_: str) -> bool:
    """True when the run waits for it by its memo or its own word: the fact is on its way.

    Raises:
        AlreadyEnded: the run has ended.
        UnknownRun: nobody knows the run.
        TemporalUnavailable: it can't be asked.
    """
    run_id = asked.run_id
    head = await services.journal.head(run_id)
    execution = None if head and head.ended else await services.gateway.execution(run_id)
    if execution is None or execution.status.ended:
        await refuse(services, asked)
    kind = "approval" if isinstance(asked.command, Decide) else "input"
    if any((item.kind, item.id) == (kind, id_) for item in execution.memo.waiting_for):
        return True
    live = await services.gateway.progress(run_id)
    return live is not None and any(
        (item.kind, item.id) == (kind, id_) for item in live.waiting_for
    )


def _refuse_closed(id_: str, end: StoredEvent) -> None:
    """Say how a request ended.

    Raises:
        ApprovalClosed, RequestClosed: always.
    """
    body = end.body()
    if isinstance(body, ApprovalResolved):
        detail = closed(id_, body.decision, body.by, body.at)
        raise ApprovalClosed(detail, decision=body.decision, by=body.by, at=stamp(body.at))
    if isinstance(body, InputReceived):
        raise _closed_request(id_, "answered", body.by, moment(end.at_us))
    if isinstance(body, InputClosed):
        raise _closed_request(id_, body.reason, body.by, body.at)


def _closed_request(id_: str, how: How, by: str, at: datetime) -> RequestClosed:
    return RequestClosed(closed(id_, how, by, at), how=how, by=by, at=stamp(at))


def _check(field: str, schema: Mapping[str, JsonValue], value: JsonValue) -> None:
    """Refuse what does not fit.

    Raises:
        InvalidField: names the place and what is wrong there.
    """
    for first in mismatches(schema, value):
        place = field + first.place
        raise InvalidField(f"{place}: {first.message}", field=place)
