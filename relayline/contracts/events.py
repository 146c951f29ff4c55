"""The event union: one body per type, discriminated by `type`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, JsonValue

from relayline.contracts.errors import ErrorType
from relayline.contracts.frozen import Frozen
from relayline.contracts.messages import ToolCall, Usage
from relayline.contracts.runs import Limits, RunError, RunStatus
from relayline.contracts.steering import (
    ApprovalRequested,
    ApprovalResolved,
    BudgetExceeded,
    CommandAccepted,
    CommandApplied,
    CommandRefused,
    InputClosed,
    InputReceived,
    InputRequested,
    RunPaused,
    RunResumed,
    RunWaiting,
)


class RunStarted(Frozen):
    """The workflow has taken up the run."""

    type: Literal["run.started"] = "run.started"
    agent: str
    model: str
    limits: Limits
    epoch: int = 0
    """Changes only when an operator resets the execution in Temporal."""
    metadata: dict[str, str] | None = None
    """As submitted."""
    submitted_at: datetime | None = None
    """When the run was submitted: this event comes when a worker has taken it up."""


class RunCompleted(Frozen):
    """Terminal: the model stopped calling tools."""

    type: Literal["run.completed"] = "run.completed"
    output: str = ""
    """The text of the last message, whole."""
    usage: Usage = Usage()


class RunFailed(Frozen):
    """Terminal: a limit was reached or the model could not be called."""

    type: Literal["run.failed"] = "run.failed"
    error: RunError
    usage: Usage = Usage()


class RunCancelled(Frozen):
    """Terminal: a person or a program cancelled the run."""

    type: Literal["run.cancelled"] = "run.cancelled"
    reason: str = ""
    by: str | None = ""
    """Who cancelled it, as far as the sender said; null in journals of old."""
    usage: Usage = Usage()


class RunTerminated(Frozen):
    """Terminal: an operator terminated the execution in Temporal."""

    type: Literal["run.terminated"] = "run.terminated"
    reason: str = ""
    usage: Usage = Usage()


class RunTimedOut(Frozen):
    """Terminal: Temporal's own execution timeout ended the run."""

    type: Literal["run.timed_out"] = "run.timed_out"
    reason: str = ""
    usage: Usage = Usage()


class RunRewound(Frozen):
    """An operator has reset the execution: what came after `to_seq`, up to here, is void."""

    type: Literal["run.rewound"] = "run.rewound"
    to_seq: int = 0
    """The newest event that still counts; 0 when none does."""
    epoch: int = 0
    """Of what comes from here on."""


class UserMessageEvent(Frozen):
    """What a person said: the input or a redirect."""

    type: Literal["message.user"] = "message.user"
    text: str


class StepStarted(Frozen):
    """A model call begins."""

    type: Literal["step.started"] = "step.started"
    kind: Literal["model"] = "model"
    model: str


class MessageDelta(Frozen):
    """A piece of text, as it came."""

    type: Literal["message.delta"] = "message.delta"
    text: str


class ReasoningDelta(Frozen):
    """A piece of reasoning, as it came; not part of the transcript."""

    type: Literal["reasoning.delta"] = "reasoning.delta"
    text: str


class MessageCompleted(Frozen):
    """The model's whole answer of this step; replaces its deltas."""

    type: Literal["message.completed"] = "message.completed"
    text: str
    tool_calls: tuple[ToolCall, ...] = ()
    finish_reason: str
    usage: Usage = Usage()


class MessageInterrupted(Frozen):
    """The text so far of an answer that a command stopped; replaces its deltas."""

    type: Literal["message.interrupted"] = "message.interrupted"
    text: str
    tool_calls: tuple[ToolCall, ...] = ()
    finish_reason: str = "interrupted"
    usage: Usage = Usage()


class AttemptSuperseded(Frozen):
    """What an earlier attempt streamed counts no more."""

    type: Literal["attempt.superseded"] = "attempt.superseded"
    attempt: int
    """The attempt that is void."""
    from_seq: int
    to_seq: int
    reason: str


class AttemptFailed(Frozen):
    """A model call failed and is tried again."""

    type: Literal["attempt.failed"] = "attempt.failed"
    error: RunError
    retry_in_s: float | None = None
    """Seconds: what the provider asked for, else longer after each failure."""


class ContextCompacted(Frozen):
    """From here on the model is told less of what was said; the journal keeps all of it.

    Each such event replaces the one before.
    """

    type: Literal["context.compacted"] = "context.compacted"
    kind: Literal["keep_last", "summarise"]
    """What was done: `keep_last` also where a summary was wanted and could not be had."""
    kept_from: int
    """`seq` of the oldest message from which on the model is told everything."""
    kept: tuple[int, ...] = ()
    """`seq` of earlier messages of people that it is told as well."""
    left_out: int = 0
    """Messages and results that it was told before and is told no more."""
    summary: str = ""
    """What it is told in place of all that is left out; empty: only that something is."""
    before_tokens: int = 0
    after_tokens: int = 0
    """Of the messages, before and after: a guess, see `relayline/contracts/compaction.py`."""
    usage: Usage = Usage()
    """Of the summary; the next `message.completed` has it in its own."""
    reason: str | None = None
    """Why there is no new summary although one was wanted."""


class ToolStarted(Frozen):
    """A tool begins to run."""

    type: Literal["tool.started"] = "tool.started"
    call_id: str
    name: str
    arguments: dict[str, JsonValue] = Field(default_factory=dict)


class ToolProgress(Frozen):
    """A word from a running tool."""

    type: Literal["tool.progress"] = "tool.progress"
    call_id: str
    message: str
    fraction: float | None = None
    """0 to 1."""


class ToolCompleted(Frozen):
    """The tool returned."""

    type: Literal["tool.completed"] = "tool.completed"
    call_id: str
    name: str
    output: str
    truncated: bool = False
    """True when the output was longer than 256 KiB and was cut."""


class ToolFailed(Frozen):
    """The tool failed; `retryable` says that another attempt follows."""

    type: Literal["tool.failed"] = "tool.failed"
    call_id: str
    name: str
    error: str
    retryable: bool = False
    error_type: str = ErrorType.TOOL_FAILED
    """One of `ErrorType`."""


class ToolCancelled(Frozen):
    """The tool stopped because it was told to."""

    type: Literal["tool.cancelled"] = "tool.cancelled"
    call_id: str
    name: str
    acked_at: datetime


class ToolAbandoned(Frozen):
    """The tool was told to stop and did not; what it did is unknown."""

    type: Literal["tool.abandoned"] = "tool.abandoned"
    call_id: str
    name: str
    acked_at: datetime | None = None


EventBody = Annotated[
    RunStarted
    | RunPaused
    | RunResumed
    | RunWaiting
    | RunCompleted
    | RunFailed
    | RunCancelled
    | RunTerminated
    | RunTimedOut
    | RunRewound
    | UserMessageEvent
    | StepStarted
    | MessageDelta
    | ReasoningDelta
    | MessageCompleted
    | MessageInterrupted
    | AttemptSuperseded
    | AttemptFailed
    | ContextCompacted
    | ToolStarted
    | ToolProgress
    | ToolCompleted
    | ToolFailed
    | ToolCancelled
    | ToolAbandoned
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
"""Every event that can stand in a journal."""

TERMINAL_TYPES: dict[str, RunStatus] = {
    "run.completed": RunStatus.COMPLETED,
    "run.failed": RunStatus.FAILED,
    "run.cancelled": RunStatus.CANCELLED,
    "run.terminated": RunStatus.TERMINATED,
    "run.timed_out": RunStatus.TIMED_OUT,
}
"""The type of each terminal fact, with the status that it gives the run."""
