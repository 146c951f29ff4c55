"""What a provider's failure means for the call."""

from __future__ import annotations

from relayline.activities.model.port import BadScript, EmptyAnswer, ProviderError, UnknownModel
from relayline.contracts.errors import ErrorType


def classified(error: BaseException) -> tuple[ErrorType, bool, str]:
    """The type of a failure, whether it is final, and the message for people."""
    match error:
        case UnknownModel():
            return ErrorType.UNKNOWN_MODEL, True, str(error)
        case BadScript():
            return ErrorType.BAD_SCRIPT, True, str(error)
        case EmptyAnswer():
            return ErrorType.EMPTY_ANSWER, False, str(error)
        case ProviderError():
            refused = not error.retryable
            kind = ErrorType.MODEL_REFUSED if refused else ErrorType.MODEL_UNAVAILABLE
            return kind, refused, str(error)
        case _:
            # An unexpected error counts as a failure, so that nobody pays for the same answer
            # without end. Its text is left out, because it may contain secrets.
            what = f"the answer could not be read: {type(error).__name__}"
            return ErrorType.MODEL_UNAVAILABLE, False, what
