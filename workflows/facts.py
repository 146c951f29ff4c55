"""The facts that the workflow records, with their keys. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, TypedDict

from pydantic import JsonValue

from relayline.contracts.calls import PlannedCall, agent_given, agent_sha256, arguments_sha256
from relayline.contracts.commands import AnyCommand, Pause, Redirect, Resume, SendMessage
from relayline.contracts.envelope import NewEvent
from relayline.contracts.events import (
    AgentPinned,
    ApprovalRequested,
    ApprovalResolved,
    BudgetExceeded,
    CommandAccepted,
    CommandApplied,
    CommandRefused,
    EventBody,
    InputClosed,
    InputReceived,
    InputRequested,
    MessageInterrupted,
    RunCancelled,
    RunCompleted,
    RunFailed,
    RunPaused,
    RunResumed,
    RunStarted,
    RunWaiting,
    StepStarted,
    ToolAbandoned,
    ToolCancelled,
    ToolCompleted,
    ToolFailed,
    UserMessageEvent,
)
from relayline.contracts.events.run import run_queued
from relayline.contracts.keys import (
    QUEUED_KEY,
    accepted_key,
    agent_key,
    budget_key,
    effect_key,
    ended_key,
    input_key,
    message_key,
    outcome_key,
    paused_key,
    requested_key,
    resolved_key,
    result_key,
    run_started_key,
    started_key,
    waiting_key,
)
from relayline.contracts.runs import AgentSpec, RunError, RunInput, ToolSpec, Waiting
from relayline.workflows.gates import OUTCOME_SCHEMA, RAISE_PARAMETERS, Gate, Verdict
from relayline.workflows.limits.excess import Excess, suggested_limit

Ending = RunCompleted | RunFailed | RunCancelled
"""The terminal facts that a run records itself."""


class Facts:
    """Makes the facts of one run in one epoch."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def begin(
        self, run_input: RunInput, submitted_at: datetime | None, now: datetime
    ) -> list[NewEvent]:
        """`run.queued` in case nobody has written it yet, `run.started`, and the input.

        Args:
            run_input: The workflow's argument.
            submitted_at: When the run was submitted, if Temporal's memo tells it.
            now: The workflow's time.
        """
        agent = run_input.agent
        started = RunStarted(
            agent=agent.name,
            model=agent.model,
            limits=agent.limits,
            settings=agent.settings,
            fallbacks=agent.fallbacks,
            epoch=self.epoch,
            metadata=run_input.metadata,
            submitted_at=submitted_at,
        )
        text, parts, turn = run_input.input, run_input.parts, run_input.first_turn
        message = UserMessageEvent(text=text, parts=parts, turn=turn)
        return [
            NewEvent(key=QUEUED_KEY, body=run_queued(run_input, submitted_at or now)),
            NewEvent(key=run_started_key(self.epoch), body=started),
            NewEvent(key=input_key(self.epoch), body=message),
        ]

    def agent(self, agent: AgentSpec) -> NewEvent:
        """`agent.pinned`."""
        sha256 = agent_sha256(agent)
        return NewEvent(
            key=agent_key(sha256), body=AgentPinned(sha256=sha256, spec=agent_given(agent))
        )

    def step(self, number: int, model: str, turn: int | None = None) -> NewEvent:
        """`step.started`; with the turn of an open run."""
        body = StepStarted(model=model, turn=turn)
        return NewEvent(key=started_key(self.epoch, number), body=body, step=number)

    def accepted(self, command: AnyCommand) -> NewEvent:
        """`command.accepted`."""
        body = CommandAccepted(command_id=command.command_id, kind=command.kind, **_sender(command))
        return NewEvent(key=accepted_key(command.command_id), body=body, proof=command.proof)

    def applied(
        self, command: AnyCommand, step: int, what: str, turn: int | None = None
    ) -> NewEvent:
        """`command.applied`: the command's one outcome."""
        body = CommandApplied(
            command_id=command.command_id,
            kind=command.kind,
            applied=what,
            turn=turn,
            **_sender(command),
        )
        key = outcome_key(command.command_id)
        return NewEvent(key=key, body=body, step=step, proof=command.proof)

    def refused(self, command: AnyCommand, step: int, reason: str) -> NewEvent:
        """`command.refused`: the command's one outcome."""
        body = CommandRefused(
            command_id=command.command_id,
            kind=command.kind,
            reason=reason,
            **_sender(command),
        )
        key = outcome_key(command.command_id)
        return NewEvent(key=key, body=body, step=step, proof=command.proof)

    def switched(self, command: Pause | Resume, step: int) -> NewEvent:
        """`run.paused` or `run.resumed`."""
        by = command.by or None
        body = RunPaused(by=by) if isinstance(command, Pause) else RunResumed(by=by)
        return self._command(command, command.kind.value, body, step)

    def still_paused(self, step: int) -> NewEvent:
        """`run.paused`, repeated after a reset because the earlier one may be void."""
        return NewEvent(key=paused_key(self.epoch), body=RunPaused(), step=step)

    def message(self, command: Redirect | SendMessage, turn: int | None = None) -> NewEvent:
        """A redirect or a message as `message.user`; with the turn of an open run."""
        text, parts = command.said
        id_, sender = None if turn is None else command.command_id, _sender(command)
        body = UserMessageEvent(text=text, parts=parts, turn=turn, command_id=id_, **sender)
        return self._command(command, "message", body)

    def interrupted(self, step: int) -> NewEvent:
        """`message.interrupted`; the activity that appends it adds the streamed text."""
        key = message_key(self.epoch, step)
        return NewEvent(key=key, body=MessageInterrupted(text=""), step=step)

    def waiting(self, number: int, step: int, waiting: tuple[Waiting, ...]) -> NewEvent:
        """`run.waiting`, for the `number`th time."""
        body = RunWaiting(waiting_for=waiting)
        return NewEvent(key=waiting_key(self.epoch, number), body=body, step=step)

    def requested(
        self, gate: Gate, step: int, call: PlannedCall, tool: ToolSpec | None
    ) -> NewEvent:
        """`approval.requested` or `input.requested` of a tool call.

        The activity that appends the fact adds the model's arguments, and the question in them,
        from the journal: they never pass through the workflow.
        """
        body: EventBody
        if gate.kind == "approval" and tool:
            body = ApprovalRequested(
                approval_id=gate.id,
                call_id=call.call_id,
                tool=call.name,
                expires_at=gate.expires_at,
                parameters=tool.parameters,
                effects="unsafe" if call.unsafe else tool.effects,
                why=tool.approved_when,
            )
        else:
            body = InputRequested(
                request_id=gate.id,
                question="" if gate.kind == "question" else gate.what,
                schema=_answer_schema(gate),
                expires_at=gate.expires_at,
                call_id=call.call_id,
                tool=call.name,
            )
        return NewEvent(key=requested_key(gate.id), body=body, step=step)

    def raise_requested(self, gate: Gate, step: int, excess: Excess) -> NewEvent:
        """`approval.requested` for a higher limit."""
        raise_to = suggested_limit(excess)
        arguments: dict[str, JsonValue] = {
            "limit": excess.limit,
            "used": excess.used,
            "allowed": excess.allowed,
            "raise_to": raise_to,
        }
        body = ApprovalRequested(
            approval_id=gate.id,
            call_id=gate.id,
            tool="raise_limit",
            arguments=arguments,
            arguments_sha256=arguments_sha256(arguments),
            expires_at=gate.expires_at,
            parameters=RAISE_PARAMETERS,
        )
        return NewEvent(key=requested_key(gate.id), body=body, step=step or None)

    def resolved(self, gate: Gate, verdict: Verdict) -> NewEvent:
        """`approval.resolved`, `input.received` or `input.closed`."""
        body: EventBody
        how, by, at, text, arguments, behalf, origin = verdict
        sender = _Sender(by=by, on_behalf_of=behalf, verified=origin.verified)
        if how == "answered":
            body = InputReceived(request_id=gate.id, text=text, **sender)
        elif gate.kind in {"approval", "budget"}:
            body = ApprovalResolved(
                approval_id=gate.id,
                decision=how,
                at=at,
                arguments=arguments,
                note=text or None,
                key_id=origin.key_id,
                **sender,
            )
        else:
            reason: Literal["expired", "withdrawn"] = "expired" if how == "expired" else "withdrawn"
            body = InputClosed(request_id=gate.id, reason=reason, by=by, at=at)
        return NewEvent(key=resolved_key(gate.id), body=body, proof=origin.proof)

    def budget(self, number: int, step: int, excess: Excess) -> NewEvent:
        """`budget.exceeded`, for the `number`th time."""
        body = BudgetExceeded(limit=excess.limit, used=excess.used, allowed=excess.allowed)
        return NewEvent(key=budget_key(self.epoch, number), body=body, step=step)

    def tool_failed(self, call: PlannedCall, step: int, error: RunError) -> NewEvent:
        """`tool.failed`, the end of the call; without effect if the journal has another end."""
        body = ToolFailed(
            call_id=call.call_id, name=call.name, error=error.message, error_type=error.type
        )
        return NewEvent(key=result_key(self.epoch, call.call_id), body=body, step=step)

    def tool_answered(self, call: PlannedCall, step: int, output: str) -> NewEvent:
        """`tool.completed` with a person's answer."""
        body = ToolCompleted(call_id=call.call_id, name=call.name, output=output)
        return NewEvent(key=result_key(self.epoch, call.call_id), body=body, step=step)

    def tool_stopped(self, call: PlannedCall, step: int, at: datetime | None) -> NewEvent:
        """`tool.cancelled`, or `tool.abandoned` if it did not stop (`at` is None)."""
        body: EventBody = (
            ToolCancelled(call_id=call.call_id, name=call.name, acked_at=at)
            if at
            else ToolAbandoned(call_id=call.call_id, name=call.name)
        )
        return NewEvent(key=result_key(self.epoch, call.call_id), body=body, step=step)

    def end(self, step: int, body: EventBody, proof: str = "") -> NewEvent:
        """The terminal fact, with the proof of the command that has ended the run."""
        return NewEvent(key=ended_key(self.epoch), body=body, step=step or None, proof=proof)

    def _command(
        self, command: AnyCommand, kind: str, body: EventBody, step: int | None = None
    ) -> NewEvent:
        key = effect_key(self.epoch, command.command_id, kind)
        return NewEvent(key=key, body=body, step=step, proof=command.proof)


class _Sender(TypedDict):
    """Who sent a command, for whom, and whether that must be believed."""

    by: str
    on_behalf_of: str
    verified: bool


def _sender(command: AnyCommand) -> _Sender:
    return _Sender(by=command.by, on_behalf_of=command.on_behalf_of, verified=command.verified)


def _answer_schema(gate: Gate) -> dict[str, JsonValue] | None:
    """JSON Schema of the valid answers to a question, None for any text."""
    if gate.kind == "outcome":
        return OUTCOME_SCHEMA
    return {"type": "string", "enum": list(gate.choices)} if gate.choices else None
