"""Routes: decide an approval, answer a question."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from relayline.api.auth.scopes import needs
from relayline.api.auth.trail import told, trail_of
from relayline.api.command_bodies import AnswerRequest, DecisionRequest
from relayline.api.depends import (
    IdempotencyKey,
    OfTenant,
    Route,
    RunId,
    Sender,
    UsesDecisions,
    json_response,
)
from relayline.contracts.access.audit import Action
from relayline.contracts.command_answers import CommandReceipt
from relayline.contracts.principals import Scope

router = APIRouter(prefix="/v1/runs", tags=["commands"], route_class=Route)
ApprovalId = Annotated[str, Path(description="The id from `approval.requested` or `waiting_for`.")]


@router.post(
    "/{run_id}/approvals/{approval_id}",
    status_code=202,
    response_model=CommandReceipt,
    openapi_extra=needs(Scope.RUNS_APPROVE, Action.APPROVAL_DECIDE),
)
async def decide_approval(  # noqa: PLR0913, PLR0917  one parameter per part
    request: Request,
    decisions: UsesDecisions,
    sender: Sender,
    tenant: OfTenant,
    run_id: RunId,
    approval_id: ApprovalId,
    body: DecisionRequest,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Approve, with changed arguments if you like, or deny; the model sees the note."""
    receipt = await decisions.decide(run_id, approval_id, body, idempotency_key, sender)
    if trail_of(request):
        told(request, await decisions.told_of(tenant, run_id, approval_id, body))
    return json_response(receipt, 202)


@router.post(
    "/{run_id}/answer",
    status_code=202,
    response_model=CommandReceipt,
    openapi_extra=needs(Scope.RUNS_STEER, Action.RUN_ANSWER),
)
async def answer_request(
    decisions: UsesDecisions,
    sender: Sender,
    run_id: RunId,
    body: AnswerRequest,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Answer a question of the run."""
    return json_response(await decisions.answer(run_id, body, idempotency_key, sender), 202)
