"""Verifies who sent the commands that facts tell of, before any activity appends them."""

from __future__ import annotations

import logging
from typing import Any

from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from relayline.contracts.access.proofs import CommandProofs, unverified
from relayline.contracts.calls import ModelRequest, RecordRequest, ToolRequest
from relayline.contracts.envelope import NewEvent
from relayline.contracts.events import CommandAccepted

UNVERIFIABLE = (
    "commands come with proofs of their senders, and this worker has no RELAYLINE_SECRET to verify "
    "them with: until it has that of the API, their events say `by: temporal, verified: false`"
)
_log = logging.getLogger(__name__)


class Verification(Interceptor):
    """For each worker with activities that append facts.

    A fact whose proof does not hold is told as one of a command that came through Temporal.
    """

    def __init__(self, proofs: CommandProofs) -> None:
        self._proofs = proofs
        self._warned = False

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002
        """As the SDK wants it."""
        return _Inbound(next, self)

    def checked(self, request: Any) -> Any:
        """The request of an activity, with its facts as they may be told."""
        if not isinstance(request, ModelRequest | RecordRequest | ToolRequest):
            return request
        facts = request.outbox.facts
        if not any(fact.proof for fact in facts):
            return request
        verified = tuple(self._verified(request.run_id, fact) for fact in facts)
        outbox = request.outbox.model_copy(update={"facts": verified})
        return request.model_copy(update={"outbox": outbox})

    def _verified(self, run_id: str, fact: NewEvent) -> NewEvent:
        if not fact.proof or self._proofs.holds_carried(run_id, fact.proof):
            return fact
        if isinstance(fact.body, CommandAccepted):
            self._warn(run_id, fact.body.command_id)
        return fact.model_copy(update={"body": unverified(fact.body)})

    def _warn(self, run_id: str, command_id: str) -> None:
        if self._proofs:
            of = {"run_id": run_id, "command_id": command_id}
            _log.warning("the proof of a command does not hold", extra=of)
        elif not self._warned:
            self._warned = True
            _log.error("%s", UNVERIFIABLE)


class _Inbound(ActivityInboundInterceptor):
    def __init__(self, following: ActivityInboundInterceptor, verification: Verification) -> None:
        super().__init__(following)
        self._verification = verification

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002
        input.args = [self._verification.checked(argument) for argument in input.args]
        return await super().execute_activity(input)
