"""What a provider's failure means for the call."""

from __future__ import annotations

from collections.abc import Iterable

from relayline.activities.attempt import backoff_s
from relayline.activities.model.port import (
    BadScript,
    EmptyAnswer,
    ProviderError,
    QuotaSpent,
    UnknownModel,
)
from relayline.activities.tool.mcp.port import McpFailure
from relayline.contracts.envelope import StoredEvent
from relayline.contracts.errors import ErrorType
from relayline.contracts.events import AttemptFailed

MAX_RETRY_AFTER_S = 3600.0
"""The longest `Retry-After` of a provider that a call respects."""
_FINAL: dict[type[BaseException], ErrorType] = {
    UnknownModel: ErrorType.UNKNOWN_MODEL,
    BadScript: ErrorType.BAD_SCRIPT,
    QuotaSpent: ErrorType.BUDGET_EXCEEDED,
}


def classified(error: BaseException) -> tuple[ErrorType, bool, str]:
    """The type of a failure, whether it is final, and the message for people."""
    match error:
        case UnknownModel() | BadScript() | QuotaSpent():
            return _FINAL[type(error)], True, str(error)
        case EmptyAnswer():
            return ErrorType.EMPTY_ANSWER, False, str(error)
        case McpFailure():
            return ErrorType.TOOLS_UNAVAILABLE, not error.retryable, str(error)
        case ProviderError():
            refused = not error.retryable
            kind = ErrorType.MODEL_REFUSED if refused else ErrorType.MODEL_UNAVAILABLE
            return kind, refused, str(error)
        case _:
            # An unexpected error counts as a failure, so that nobody pays for the same answer
            # without end. Its text is left out, because it may contain secrets.
            what = f"the answer could not be read: {type(error).__name__}"
            return ErrorType.MODEL_UNAVAILABLE, False, what


def wait_after_s(error: BaseException, failures: int) -> float:
    """Seconds until the next attempt: as the provider asks, otherwise exponential backoff."""
    wait_s = error.retry_after_s if isinstance(error, ProviderError) else None
    return backoff_s(failures) if wait_s is None else min(max(wait_s, 0.0), MAX_RETRY_AFTER_S)


def failures_of(facts: Iterable[StoredEvent], step: int) -> list[str]:
    """The error types of failed earlier attempts of a step."""
    failed = (fact for fact in facts if fact.type == "attempt.failed" and fact.step == step)
    bodies = (fact.body() for fact in failed)
    return [body.error.type for body in bodies if isinstance(body, AttemptFailed)]
