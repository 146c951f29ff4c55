"""Keeps keys out of what is journaled, logged and shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

MIN_SECRET_CHARS = 6
"""Shorter values are placeholders: cutting them out would only garble the text."""
HIDDEN = "[redacted]"


def secrets_in(environment: Mapping[str, str], *more: str) -> frozenset[str]:
    """The values of every `*_API_KEY`, and `more`."""
    keys = (value for name, value in environment.items() if name.endswith("_API_KEY"))
    return frozenset(it.strip() for it in (*keys, *more) if len(it.strip()) >= MIN_SECRET_CHARS)


def redacted(text: str, secrets: Iterable[str]) -> str:
    """The text without the secrets."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return text
