"""How a tool call that has ended is told to Temporal."""

from __future__ import annotations

from datetime import timedelta

from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from relayline.contracts.calls import ToolOutcome, ToolRequest, preview
from relayline.contracts.envelope import StoredEvent
from relayline.contracts.errors import ErrorType
from relayline.contracts.events import ToolCompleted, ToolFailed


def recorded_outcome(request: ToolRequest, ended: StoredEvent) -> ToolOutcome:
    """Return or raise the outcome that an earlier attempt has recorded."""
    match ended.body():
        case ToolCompleted() as body:
            return ToolOutcome(
                call_id=body.call_id, preview=preview(body.output), truncated=body.truncated
            )
        case ToolFailed() as body:
            raise failed(body)
        case _:
            return ToolOutcome(call_id=request.call.call_id, status="cancelled")


def failed(body: ToolFailed, wait: timedelta | None = None) -> ApplicationError:
    """The failure for Temporal; benign, so that it stays out of the logs."""
    return ApplicationError(
        body.error,
        type=body.error_type,
        non_retryable=not body.retryable,
        next_retry_delay=wait,
        category=ApplicationErrorCategory.BENIGN,
    )


def outcome_unknown(text: str) -> ApplicationError:
    """The end of an unsafe call that may or may not have run: a person must say so."""
    return ApplicationError(
        text,
        type=ErrorType.OUTCOME_UNKNOWN,
        non_retryable=True,
        category=ApplicationErrorCategory.BENIGN,
    )
