"""The facts that the workflow decides, with their keys. Pure."""

from __future__ import annotations

from datetime import datetime

from contracts.commands import Cancel, CommandKind
from contracts.envelope import NewEvent
from contracts.events import (
    BudgetExceeded,
    CommandAccepted,
    CommandApplied,
    CommandRefused,
    EventBody,
    RunCancelled,
    RunCompleted,
    RunFailed,
    RunPaused,
    RunResumed,
    RunStarted,
    StepStarted,
    ToolAbandoned,
    ToolCancelled,
    ToolFailed,
    UserMessageEvent,
)
from contracts.messages import Usage
from contracts.runs import RunError, RunInput
from contracts.steps import PlannedCall, result_key
from workflows.state import Excess
from workflows.steering import Received

Ending = RunCompleted | RunFailed | RunCancelled
"""How a run ends by its own word."""


class Facts:
    """Makes the facts of one run in one epoch."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def begin(self, run_input: RunInput) -> list[NewEvent]:
        """`run.started` and the input as `message.user`."""
        agent = run_input.agent
        started = RunStarted(
            agent=agent.name,
            model=agent.model,
            limits=agent.limits,
            epoch=self.epoch,
            metadata=run_input.metadata,
        )
        return [
            self._fact("run/started", started),
            self._fact("message/0", UserMessageEvent(text=run_input.input)),
        ]

    def step(self, number: int, model: str) -> NewEvent:
        """`step.started`."""
        return self._fact(f"step/{number}/started", StepStarted(model=model), number)

    def accepted(self, received: Received) -> NewEvent:
        """`command.accepted`."""
        kind, command = received
        body = CommandAccepted(command_id=command.command_id, kind=kind)
        return NewEvent(key=f"command/{command.command_id}/accepted", body=body)

    def applied(self, received: Received, step: int, what: str) -> NewEvent:
        """`command.applied`: the command's one outcome."""
        kind, command = received
        body = CommandApplied(command_id=command.command_id, kind=kind, applied=what)
        return NewEvent(key=f"command/{command.command_id}/outcome", body=body, step=step)

    def refused(self, received: Received, step: int, reason: str) -> NewEvent:
        """`command.refused`: the command's one outcome."""
        kind, command = received
        body = CommandRefused(command_id=command.command_id, kind=kind, reason=reason)
        return NewEvent(key=f"command/{command.command_id}/outcome", body=body, step=step)

    def switch(
        self, received: Received, step: int, *, paused: bool, more: bool
    ) -> tuple[bool, list[NewEvent]]:
        """What a pause or a resume comes to: whether the run is paused then, and the facts.

        Args:
            received: The command.
            step: The newest step begun.
            paused: Whether the run is paused now.
            more: False when nothing is left to run, so that a pause has nothing to stop.
        """
        pause = received.kind is CommandKind.PAUSE
        if pause is paused:
            reason = "already paused" if pause else "not paused"
            return paused, [self.refused(received, step, reason)]
        if pause and not more:
            return paused, [self.refused(received, step, "run-ending: nothing is left to pause")]
        what = "stopped before the next call" if pause else "went on"
        by = received.command.by or None
        body = RunPaused(by=by) if pause else RunResumed(by=by)
        key = f"command/{received.command.command_id}/{received.kind.value}"
        return pause, [self.applied(received, step, what), self._fact(key, body, step)]

    def budget(self, step: int, excess: Excess) -> NewEvent:
        """`budget.exceeded`."""
        body = BudgetExceeded(limit=excess.limit, used=excess.used, allowed=excess.allowed)
        return self._fact(f"budget/{excess.limit}/{step}", body, step)

    def tool_failed(self, call: PlannedCall, step: int, error: RunError) -> NewEvent:
        """`tool.failed`, the end of the call; changes nothing if the call's end stands already."""
        body = ToolFailed(
            call_id=call.call_id, name=call.name, error=error.message, error_type=error.type
        )
        return NewEvent(key=result_key(self.epoch, call.call_id), body=body, step=step)

    def tool_stopped(self, call: PlannedCall, step: int, at: datetime | None) -> NewEvent:
        """`tool.cancelled`, or `tool.abandoned` where it did not stop (`at` is None)."""
        body: EventBody = (
            ToolCancelled(call_id=call.call_id, name=call.name, acked_at=at)
            if at
            else ToolAbandoned(call_id=call.call_id, name=call.name)
        )
        return NewEvent(key=result_key(self.epoch, call.call_id), body=body, step=step)

    def end(self, step: int, body: EventBody) -> NewEvent:
        """The terminal fact."""
        return self._fact("run/ended", body, step or None)

    def _fact(self, key: str, body: EventBody, step: int | None = None) -> NewEvent:
        return NewEvent(key=f"{self.epoch}/{key}", body=body, step=step)


def cancelled(command: Cancel, usage: Usage) -> RunCancelled:
    """How a run ends that this command cancelled."""
    return RunCancelled(reason=command.reason, by=command.by or None, usage=usage)
