"""Error types by name: one place for the raiser, the retry policy and the HTTP table."""

from __future__ import annotations

from enum import StrEnum


class ErrorType(StrEnum):
    """What `ApplicationError.type`, `run.failed.error.type` and problem documents may say."""

    BUDGET_EXCEEDED = "budget-exceeded"
    """A limit of the run was reached."""
    UNKNOWN_MODEL = "unknown-model"
    """No provider goes by that name, or its key is missing."""
    MODEL_REFUSED = "model-refused"
    """The provider said no and a retry cannot help: 400, 401, 403, 404, 422, policy, context."""
    MODEL_UNAVAILABLE = "model-unavailable"
    """The provider failed in a way a retry may help: 408, 409, 429, 5xx, network."""
    EMPTY_ANSWER = "empty-answer"
    """The model answered with nothing, and again when it was asked once more."""
    MALFORMED_CALLS = "malformed-calls"
    """The model called tools in a way that none could run, for too many steps in a row."""
    BAD_SCRIPT = "bad-script"
    """The rehearsal script is not one."""
    UNKNOWN_TOOL = "unknown-tool"
    """The worker has no tool of that name."""
    BAD_ARGUMENTS = "bad-arguments"
    """The arguments do not fit the tool's schema."""
    TOOL_FAILED = "tool-failed"
    """The tool raised."""
    TOOL_TIMED_OUT = "tool-timed-out"
    """The tool did not return within its `timeout_s`."""
    APPROVAL_REQUIRED = "approval-required"
    """The tool may run only after a person approved it."""
    APPROVAL_DENIED = "approval-denied"
    """A person said no, or nobody decided in time."""
    NO_ANSWER = "no-answer"
    """Nobody answered the question in time."""
    OUTCOME_UNKNOWN = "outcome-unknown"
    """An unsafe tool was claimed and never finished: a person is asked what became of it."""
    JOURNAL_UNAVAILABLE = "journal-unavailable"
    """The journal did not answer; Temporal tries again."""
    JOURNAL_INCOMPLETE = "journal-incomplete"
    """The journal lacks what the run knows to have been said: it is that of an older backup, or
    the run's events are past retention."""
    UNSTORABLE = "unstorable"
    """The journal can't hold what was to be written, and never will."""
    STALE_ATTEMPT = "stale-attempt"
    """A later attempt has taken over; this one must stop."""
    ATTEMPT_BEHIND = "attempt-behind"
    """Temporal has begun to count a call's attempts anew, because an operator reset the activity or
    the run: this one is not yet ahead of those that the journal has seen. Temporal tries again."""
    RUN_ENDED = "run-ended"
    """The run has its terminal fact; nothing more is written."""
    INTERRUPTED = "interrupted"
    """A command or the end of the run stopped the call."""
    WORKFLOW_FAILED = "workflow-failed"
    """Temporal closed the run as failed and gave no type of its own."""


NON_RETRYABLE: tuple[ErrorType, ...] = (
    ErrorType.UNKNOWN_MODEL,
    ErrorType.MODEL_REFUSED,
    ErrorType.BAD_SCRIPT,
    ErrorType.UNKNOWN_TOOL,
    ErrorType.BAD_ARGUMENTS,
    ErrorType.APPROVAL_REQUIRED,
    ErrorType.OUTCOME_UNKNOWN,
    ErrorType.JOURNAL_INCOMPLETE,
    ErrorType.UNSTORABLE,
    ErrorType.STALE_ATTEMPT,
    ErrorType.RUN_ENDED,
)
"""Types that no activity is retried for; given to every retry policy."""
