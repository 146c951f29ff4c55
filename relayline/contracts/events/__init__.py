"""The union of all event bodies, discriminated by `type`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from relayline.contracts.events.children import ChildEnded, ChildStarted
from relayline.contracts.events.command import (
    CommandAccepted,
    CommandApplied,
    CommandRefused,
)
from relayline.contracts.events.fork import RunForked
from relayline.contracts.events.model import (
    AttemptFailed,
    AttemptLost,
    AttemptSuperseded,
    ContextCompacted,
    MessageCompleted,
    MessageDelta,
    MessageInterrupted,
    ModelFallback,
    OutputRejected,
    ReasoningDelta,
    StepStarted,
)
from relayline.contracts.events.person import (
    ApprovalRequested,
    ApprovalResolved,
    InputClosed,
    InputReceived,
    InputRequested,
    UserMessageEvent,
)
from relayline.contracts.events.run import (
    AgentPinned,
    BudgetExceeded,
    RunCancelled,
    RunCompleted,
    RunFailed,
    RunPaused,
    RunQueued,
    RunResumed,
    RunRewound,
    RunStarted,
    RunTerminated,
    RunTimedOut,
    RunWaiting,
    TurnCompleted,
)
from relayline.contracts.events.servers import ToolAsked, ToolsListed
from relayline.contracts.events.tool import (
    ToolAbandoned,
    ToolCancelled,
    ToolCompleted,
    ToolFailed,
    ToolProgress,
    ToolStarted,
)
from relayline.contracts.runs import RunStatus

__all__ = [
    "TERMINAL_TYPES",
    "AgentPinned",
    "ApprovalRequested",
    "ApprovalResolved",
    "AttemptFailed",
    "AttemptLost",
    "AttemptSuperseded",
    "BudgetExceeded",
    "ChildEnded",
    "ChildStarted",
    "CommandAccepted",
    "CommandApplied",
    "CommandRefused",
    "ContextCompacted",
    "EventBody",
    "InputClosed",
    "InputReceived",
    "InputRequested",
    "MessageCompleted",
    "MessageDelta",
    "MessageInterrupted",
    "ModelFallback",
    "OutputRejected",
    "ReasoningDelta",
    "RunCancelled",
    "RunCompleted",
    "RunFailed",
    "RunForked",
    "RunPaused",
    "RunQueued",
    "RunResumed",
    "RunRewound",
    "RunStarted",
    "RunTerminated",
    "RunTimedOut",
    "RunWaiting",
    "StepStarted",
    "ToolAbandoned",
    "ToolAsked",
    "ToolCancelled",
    "ToolCompleted",
    "ToolFailed",
    "ToolProgress",
    "ToolStarted",
    "ToolsListed",
    "TurnCompleted",
    "UserMessageEvent",
]

EventBody = Annotated[
    RunQueued
    | RunStarted
    | AgentPinned
    | RunPaused
    | RunResumed
    | RunWaiting
    | TurnCompleted
    | RunCompleted
    | RunFailed
    | RunCancelled
    | RunTerminated
    | RunTimedOut
    | RunRewound
    | RunForked
    | UserMessageEvent
    | StepStarted
    | MessageDelta
    | ReasoningDelta
    | MessageCompleted
    | MessageInterrupted
    | OutputRejected
    | AttemptSuperseded
    | AttemptFailed
    | AttemptLost
    | ModelFallback
    | ContextCompacted
    | ToolStarted
    | ToolProgress
    | ToolCompleted
    | ToolFailed
    | ToolCancelled
    | ToolAbandoned
    | ToolAsked
    | ToolsListed
    | ChildStarted
    | ChildEnded
    | ApprovalRequested
    | ApprovalResolved
    | InputRequested
    | InputReceived
    | InputClosed
    | CommandAccepted
    | CommandApplied
    | CommandRefused
    | BudgetExceeded,
    Field(discriminator="type"),
]
"""Every event that a journal can have."""


TERMINAL_TYPES: dict[str, RunStatus] = {
    "run.completed": RunStatus.COMPLETED,
    "run.failed": RunStatus.FAILED,
    "run.cancelled": RunStatus.CANCELLED,
    "run.terminated": RunStatus.TERMINATED,
    "run.timed_out": RunStatus.TIMED_OUT,
}
"""The status that each terminal fact gives the run."""
