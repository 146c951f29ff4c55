"""Messages to an open run: which of them it refuses, and the facts of its turns. Pure."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from relayline.contracts.calls import known_output
from relayline.contracts.commands import Close, IfBusy, SendMessage
from relayline.contracts.envelope import NewEvent
from relayline.contracts.events import TurnCompleted
from relayline.contracts.keys import turn_key
from relayline.contracts.runs import AgentSpec
from relayline.workflows.state import RunState

MAX_MESSAGES = 100
"""Messages that wait for the end of a turn; a run does not continue as new while any waits."""


@dataclass
class Messages:
    """The messages of one run that wait for a turn of their own."""

    is_open: bool
    """False for a run that takes none."""
    closing: bool = False
    """True once a command has closed the run."""
    waiting: deque[SendMessage] = field(default_factory=deque)
    """Oldest first."""

    def refusal(self, command: SendMessage | Close, state: RunState) -> str | None:
        """Why the run refuses the command; None if it takes it."""
        if not self.is_open:
            return "not-open: the run was not submitted with `open`"
        if self.closing:
            return "run-closing: the run is closed, and ends when its turn is over"
        if isinstance(command, Close):
            return None
        return _unproven_agent(command) or self._busy(command, state)

    def _busy(self, command: SendMessage, state: RunState) -> str | None:
        if state.turn_status is None and command.if_busy == IfBusy.REJECT:
            return "busy: a turn runs"
        if len(self.waiting) >= MAX_MESSAGES:
            return f"busy: {MAX_MESSAGES} messages wait already"
        return None


def _unproven_agent(command: SendMessage) -> str | None:
    """Why the message can't have another agent; None if it can, or asks for none."""
    asks = bool(command.agent or command.spec)
    if asks and not (command.agent and command.spec and command.verified):
        return "agent: only a message through the API can have the agent of today"
    return None


def turn_completed(epoch: int, agent: AgentSpec, state: RunState) -> NewEvent:
    """`turn.completed` of the newest turn, which has ended.

    The activity that appends it adds the output, unless the run knows it whole.
    """
    status = state.turn_status or "completed"
    body = TurnCompleted(
        turn=state.turn,
        status=status,
        output=known_output(agent, state.preview) if status == "completed" else None,
        error=state.last_error if status == "failed" else None,
        usage=state.own_usage,
    )
    return NewEvent(key=turn_key(epoch, state.turn), body=body, step=state.step or None)
