"""Error types, for the code that raises them, the retry policies and the HTTP table."""

from __future__ import annotations

from enum import StrEnum


class ErrorType(StrEnum):
    """Values of `ApplicationError.type`, `run.failed.error.type` and problem documents."""

    BUDGET_EXCEEDED = "budget-exceeded"
    """A limit of the run was reached."""
    UNKNOWN_MODEL = "unknown-model"
    """There is no provider of that name, or its key is missing."""
    MODEL_REFUSED = "model-refused"
    """The provider refused and a retry cannot help: 400, 401, 403, 404, 422, policy, context."""
    MODEL_UNAVAILABLE = "model-unavailable"
    """The provider failed and a retry may help: 408, 409, 429, 5xx, network."""
    EMPTY_ANSWER = "empty-answer"
    """The model gave an empty answer, and again on every retry."""
    OUTPUT_INVALID = "output-invalid"
    """The model's answer did not fit the output schema, and again when it was told why."""
    MALFORMED_CALLS = "malformed-calls"
    """No tool call of the model could run, for too many steps in a row."""
    BAD_SCRIPT = "bad-script"
    """The rehearsal script is invalid."""
    UNKNOWN_TOOL = "unknown-tool"
    """The worker has no tool of that name."""
    BAD_ARGUMENTS = "bad-arguments"
    """The arguments do not fit the tool's schema."""
    TOOL_FAILED = "tool-failed"
    """The tool raised an error."""
    TOOL_CHANGED = "tool-changed"
    """An MCP server defines the tool in another way than when the run listed it."""
    TOOLS_UNAVAILABLE = "tools-unavailable"
    """The tools of an MCP server could not be listed."""
    TOOL_TIMED_OUT = "tool-timed-out"
    """The tool did not return within its `timeout_s`."""
    APPROVAL_REQUIRED = "approval-required"
    """The tool may run only after a person approved it."""
    APPROVAL_DENIED = "approval-denied"
    """A person denied the call, or nobody decided in time."""
    CHILD_FAILED = "child-failed"
    """The run that the call has started did not complete."""
    TOO_MANY_CHILDREN = "too-many-children"
    """Too many runs of the same tree are open."""
    NO_ANSWER = "no-answer"
    """Nobody answered the question in time."""
    OUTCOME_UNKNOWN = "outcome-unknown"
    """An unsafe tool started and its end is unknown: the run asks a person for the outcome."""
    JOURNAL_UNAVAILABLE = "journal-unavailable"
    """The journal is unavailable; Temporal retries."""
    JOURNAL_INCOMPLETE = "journal-incomplete"
    """The journal lacks events that the run has written: it was restored from an older backup, or
    the run's events are past retention."""
    UNSTORABLE = "unstorable"
    """The journal can never store this event."""
    STALE_ATTEMPT = "stale-attempt"
    """A later attempt has taken over; this one must stop."""
    WORKER_LOST = "worker-lost"
    """The worker died each time that it ran the call, which is not tried again."""
    WORKER_LATE = "worker-late"
    """The worker of this attempt stood still, so others gave the call away; Temporal retries."""
    SUSPECT_WAITS = "suspect-waits"
    """The worker of an earlier attempt died, and this worker must run no other such call beside it;
    Temporal retries."""
    SLOT_WAITS = "slot-waits"
    """The worker had no slot of the provider for the call, or stopped; Temporal retries."""
    ATTEMPT_BEHIND = "attempt-behind"
    """An operator reset the activity or the run, so Temporal counts attempts from 1 again, and the
    journal has already seen an attempt with this number or a higher one. Temporal retries."""
    RUN_ENDED = "run-ended"
    """The run has its terminal fact; the journal accepts nothing more."""
    RUN_ERASED = "run-erased"
    """The run was erased; the journal accepts nothing more of it."""
    INTERRUPTED = "interrupted"
    """A command or the end of the run interrupted the call."""
    WORKFLOW_FAILED = "workflow-failed"
    """Temporal closed the run as failed, without an error type."""


NON_RETRYABLE: tuple[ErrorType, ...] = (
    ErrorType.UNKNOWN_MODEL,
    ErrorType.MODEL_REFUSED,
    ErrorType.BAD_SCRIPT,
    ErrorType.UNKNOWN_TOOL,
    ErrorType.BAD_ARGUMENTS,
    ErrorType.TOOL_CHANGED,
    ErrorType.APPROVAL_REQUIRED,
    ErrorType.TOO_MANY_CHILDREN,
    ErrorType.OUTCOME_UNKNOWN,
    ErrorType.JOURNAL_INCOMPLETE,
    ErrorType.UNSTORABLE,
    ErrorType.STALE_ATTEMPT,
    ErrorType.RUN_ENDED,
    ErrorType.RUN_ERASED,
)
"""Error types that are never retried; part of every retry policy."""
