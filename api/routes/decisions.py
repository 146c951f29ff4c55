"""Routes: decide what waits for approval, answer what the run has asked."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from starlette.responses import Response

from relayline.api.bodies import AnswerRequest, DecisionRequest
from relayline.api.depends import IdempotencyKey, RunId, UsesDecisions, json_response
from relayline.contracts.answers import CommandReceipt

router = APIRouter(prefix="/v1/runs", tags=["commands"])
ApprovalId = Annotated[str, Path(description="As `approval.requested` and `waiting_for` give it.")]


@router.post("/{run_id}/approvals/{approval_id}", status_code=202, response_model=CommandReceipt)
async def decide_approval(
    decisions: UsesDecisions,
    run_id: RunId,
    approval_id: ApprovalId,
    body: DecisionRequest,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Approve, with other arguments if need be, or deny; the model sees the note."""
    receipt = await decisions.decide(run_id, approval_id, body, idempotency_key)
    return json_response(receipt, 202)


@router.post("/{run_id}/answer", status_code=202, response_model=CommandReceipt)
async def answer_request(
    decisions: UsesDecisions,
    run_id: RunId,
    body: AnswerRequest,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Answer a question that the run has asked."""
    return json_response(await decisions.answer(run_id, body, idempotency_key), 202)
