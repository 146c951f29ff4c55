"""What an HTTP status of a model provider means for a retry."""

from __future__ import annotations

_WORTH_A_RETRY = frozenset({408, 409, 425, 429})


def retry_helps(status: int) -> bool:
    """True for 408, 409, 425, 429 and 5xx: the same request may well succeed later."""
    return status in _WORTH_A_RETRY or status >= 500
