"""What a provider's failure means for the call. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from relayline.activities.attempt import backoff_s
from relayline.activities.model.port import (
    BadScript,
    EmptyAnswer,
    ProviderError,
    QuotaSpent,
    UnknownModel,
)
from relayline.activities.tool.mcp.port import McpFailure
from relayline.contracts.calls import preview
from relayline.contracts.envelope import StoredEvent
from relayline.contracts.errors import ErrorType
from relayline.contracts.events import AttemptFailed

MAX_FAILURES = 8
"""A call gives up after so many retryable failures of the provider: after some 32 s."""
MAX_SPARE_FAILURES = 3
"""The same where another model is asked then: after some 0.8 s."""
MAX_SPARE_WAIT_S = 10.0
"""Nor does such a call wait longer, if the provider asks for that."""
MAX_EMPTY_ANSWERS = 3
"""A call gives up after so many empty answers; more retries seldom help."""
MESSAGE_CHARS = 1000
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
            return next(it for of, it in _FINAL.items() if isinstance(error, of)), True, str(error)
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


class Failure(NamedTuple):
    """A failure of a call, as it is told."""

    kind: ErrorType
    final: bool
    message: str
    retry_s: float
    """Seconds until the next attempt, if it is not final."""
    number: int
    """Counts the failures of this model in this step; 1 is the first."""


def verdict_on(error: BaseException, before: Sequence[str], *, spare: bool) -> Failure:
    """What to do about a failure.

    Args:
        error: The failure.
        before: The error types of the failures before it.
        spare: True if another model is asked when this one is unavailable.
    """
    kind, final, message = classified(error)
    number, wait_s = len(before) + 1, wait_after_s(error, len(before) + 1)
    empty = [*before, kind].count(ErrorType.EMPTY_ANSWER)
    if not final and kind is ErrorType.EMPTY_ANSWER and empty >= MAX_EMPTY_ANSWERS:
        final, message = True, f"{message}, {empty} times"
    elif not final and number >= (MAX_SPARE_FAILURES if spare else MAX_FAILURES):
        who = "its tools" if kind is ErrorType.TOOLS_UNAVAILABLE else "the provider"
        final, message = True, f"{who} failed {number} times, most recently: {message}"
    elif not final and spare and wait_s > MAX_SPARE_WAIT_S:
        final, message = True, f"{message}; it asks to wait for {wait_s:g} s"
    return Failure(kind, final, preview(message, MESSAGE_CHARS), wait_s, number)


def failures_of(facts: Sequence[StoredEvent], step: int) -> list[str]:
    """The error types of the failed attempts of the model that the step asks now."""
    found: list[str] = []
    for fact in facts:
        if fact.step != step:
            continue
        if fact.type == "model.fallback":
            found.clear()
        elif fact.type == "attempt.failed" and isinstance(body := fact.body(), AttemptFailed):
            found.append(body.error.type)
    return found
