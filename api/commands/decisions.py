"""Checks decisions and answers against the open requests of a run, and sends them."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from datetime import datetime

from pydantic import JsonValue

from relayline.api.command_bodies import AnswerRequest, DecisionRequest
from relayline.api.commands.family import asked_by
from relayline.api.commands.four_eyes import FourEyes
from relayline.api.commands.sending import CommandSender, OutgoingCommand
from relayline.api.errors import (
    ApprovalClosed,
    InvalidField,
    RequestClosed,
    UnknownApproval,
    UnknownRequest,
)
from relayline.api.runs.owners import seen_by
from relayline.api.temporal.gateway import Gateway
from relayline.catalog.replies import answer_of
from relayline.catalog.schemas.schema import mismatches
from relayline.contracts.calls import arguments_sha256
from relayline.contracts.command_answers import CommandReceipt
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
from relayline.contracts.principals import ANYBODY, Principal
from relayline.journal.port import JournalError
from relayline.journal.table import Storage, Tenant
from relayline.projections.words import How, closed, stamp

_ID_CHARS = 100


class Decisions:
    """Sends a person's decision or answer if the request is open and the data match its schema."""

    def __init__(
        self, commands: CommandSender, storage: Storage, gateway: Gateway, four_eyes: FourEyes
    ) -> None:
        self._four_eyes = four_eyes
        self._commands = commands
        self._storage = storage
        self._gateway = gateway

    async def decide(
        self,
        run_id: str,
        approval_id: str,
        asked: DecisionRequest,
        key: str | None,
        sender: Principal = ANYBODY,
    ) -> CommandReceipt:
        """Send a decision on an approval.

        Raises:
            InvalidField: the arguments do not match the tool's parameters.
            SubmitterMayNotApprove: the sender has submitted the run, and must not approve in it.
            ApiError: as `CommandSender.deliver`, or the approval is unknown or closed.
        """
        named, tenant = run_id, seen_by(sender)
        run_id, approval_id = await asked_by(self._storage, tenant, run_id, approval_id)
        outgoing = OutgoingCommand.of(run_id, Decide, asked, key, sender, approval_id=approval_id)

        async def check() -> None:
            if asked.decision == "approve":
                await self._four_eyes.check(run_id, sender)
            requested = await self._requested(outgoing, approval_id)
            if isinstance(requested, ApprovalRequested) and asked.arguments is not None:
                _check("arguments", requested.parameters, asked.arguments)

        return _passed_on(named, run_id, await self._commands.deliver(outgoing, check))

    async def told_of(
        self, tenant: Tenant, run_id: str, approval_id: str, asked: DecisionRequest
    ) -> dict[str, JsonValue]:
        """What the audit log has of a decision: which, and the digest of what was approved.

        The digest is that of the model's arguments, unless the decision has others. It is missing
        if the journal can't tell them.
        """
        told: dict[str, JsonValue] = {"decision": asked.decision}
        if asked.arguments is not None:
            return told | {"arguments_sha256": arguments_sha256(asked.arguments)}
        with contextlib.suppress(JournalError):
            run_id, approval_id = await asked_by(self._storage, tenant, run_id, approval_id)
            fact = await self._storage.get(tenant, run_id, requested_key(approval_id))
            body = fact.body() if fact else None
            if isinstance(body, ApprovalRequested):
                told["arguments_sha256"] = arguments_sha256(body.arguments)
        return told

    async def answer(
        self, run_id: str, asked: AnswerRequest, key: str | None, sender: Principal = ANYBODY
    ) -> CommandReceipt:
        """Send an answer to a question.

        Raises:
            InvalidField: the text does not match the question's schema.
            ApiError: as `CommandSender.deliver`, or the question is unknown or closed.
        """
        named, tenant = run_id, seen_by(sender)
        run_id, request_id = await asked_by(self._storage, tenant, run_id, asked.request_id)
        outgoing = OutgoingCommand.of(run_id, Answer, asked, key, sender, request_id=request_id)

        async def check() -> None:
            requested = await self._requested(outgoing, request_id)
            if isinstance(requested, InputRequested) and requested.data_schema is not None:
                _check_answer(requested.data_schema, asked.text)

        return _passed_on(named, run_id, await self._commands.deliver(outgoing, check))

    async def _requested(
        self, outgoing: OutgoingCommand, id_: str
    ) -> ApprovalRequested | InputRequested | None:
        """The open request; None while it is not in the journal yet.

        Raises:
            ApprovalClosed: it was decided, has expired, or was withdrawn.
            RequestClosed: it was answered, has expired, or was withdrawn.
            UnknownApproval: the run has no such approval.
            UnknownRequest: the run has no such question.
            AlreadyEnded: the run has ended without asking.
            UnknownRun: nobody knows the run.
        """
        if found := await self._journaled(outgoing, id_):
            return found
        if await self._waited_for(outgoing, id_):
            return None
        if found := await self._journaled(outgoing, id_):
            return found
        if isinstance(outgoing.command, Decide):
            raise UnknownApproval(f"{outgoing.run_id} has no approval {id_[:_ID_CHARS]!r}")
        raise UnknownRequest(f"{outgoing.run_id} has no question {id_[:_ID_CHARS]!r}")

    async def _journaled(
        self, outgoing: OutgoingCommand, id_: str
    ) -> ApprovalRequested | InputRequested | None:
        """The open request from the journal, None if it is not there.

        Raises:
            ApprovalClosed, RequestClosed: it is closed.
        """
        fact = await self._storage.get(outgoing.tenant, outgoing.run_id, requested_key(id_))
        body = fact.body() if fact else None
        wanted = ApprovalRequested if isinstance(outgoing.command, Decide) else InputRequested
        if not isinstance(body, wanted):
            return None
        if end := await self._storage.get(outgoing.tenant, outgoing.run_id, resolved_key(id_)):
            _refuse_closed(id_, end)
        return body

    async def _waited_for(self, outgoing: OutgoingCommand, id_: str) -> bool:
        """True when the run's memo or its progress query has it: the fact is not journaled yet.

        Raises:
            AlreadyEnded: the run has ended.
            UnknownRun: nobody knows the run.
            TemporalUnavailable: it can't be asked.
        """
        run_id = outgoing.run_id
        head = await self._storage.head(outgoing.tenant, run_id)
        execution = None if head and head.ended else await self._gateway.execution(run_id)
        if execution is None or execution.status.ended:
            await self._commands.refuse(outgoing)
        kind = "approval" if isinstance(outgoing.command, Decide) else "input"
        if any((item.kind, item.id) == (kind, id_) for item in execution.memo.waiting_for):
            return True
        live = await self._gateway.progress(run_id)
        return live is not None and any(
            (item.kind, item.id) == (kind, id_) for item in live.waiting_for
        )


def _passed_on(named: str, run_id: str, receipt: CommandReceipt) -> CommandReceipt:
    """The receipt, with the run if that is not the one that the request names."""
    return receipt if run_id == named else receipt.model_copy(update={"run_id": run_id})


def _refuse_closed(id_: str, end: StoredEvent) -> None:
    """Explain how a request was closed.

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


def _check_answer(schema: Mapping[str, JsonValue], text: str) -> None:
    """Check an answer; one that must be an object is given as MCP servers' questions say.

    Raises:
        InvalidField: it does not match.
    """
    if schema.get("type") != "object":
        _check("text", schema, text)
    elif isinstance(problem := answer_of(schema, text), str):
        raise InvalidField(f"text: {problem}", field="text")


def _check(field: str, schema: Mapping[str, JsonValue], value: JsonValue) -> None:
    """Check a value against a schema.

    Raises:
        InvalidField: it does not match; names the first place and what is wrong there.
    """
    for first in mismatches(schema, value):
        place = field + first.place
        raise InvalidField(f"{place}: {first.message}", field=place)
