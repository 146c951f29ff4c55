"""Routes: decide an approval, answer a question."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from starlette.responses import Response

from relayline.api.bodies import AnswerRequest, DecisionRequest
from relayline.api.depends import IdempotencyKey, Route, RunId, UsesDecisions, json_response
from relayline.contracts.answers import CommandReceipt

router = APIRouter(prefix="/v1/runs", tags=["commands"], route_class=Route)
ApprovalId = Annotated[str, Path(description="The id from `approval.requested` or `waiting_for`.")]


@router.post("/{run_id}/approvals/{approval_id}", status_code=202, response_model=CommandReceipt)
async def decide_approval(
    decisions: UsesDecisions,
    run_id: RunId,
    approval_id: ApprovalId,
    body: DecisionRequest,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Approve, with changed arguments if you like, or deny; the model sees the note."""
    receipt = await decisions.decide(run_id, approval_id, body, idempotency_key)
    return json_response(receipt, 202)


@router.post("/{run_id}/answer", status_code=202, response_model=CommandReceipt)
async def answer_request(
    decisions: UsesDecisions,
    run_id: RunId,
    body: AnswerRequest,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Answer a question of the run."""
    return json_response(await decisions.answer(run_id, body, idempotency_key), 202)
