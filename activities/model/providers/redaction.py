"""Removes secrets from text that is journaled, logged or shown."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Mapping
from urllib.parse import unquote

MIN_SECRET_CHARS = 6
"""Shorter values are placeholders; removing them would only garble the text."""
HIDDEN = "[redacted]"


def secrets_in(environment: Mapping[str, str], *more: str) -> frozenset[str]:
    """The values of every `*_API_KEY`, the credentials in every `*_BASE_URL`, and `more`."""
    keys = (value for name, value in environment.items() if name.endswith("_API_KEY"))
    urls = (value for name, value in environment.items() if name.endswith("_BASE_URL"))
    found = (*keys, *(secret for url in urls for secret in credentials_in(url)), *more)
    return frozenset(it.strip() for it in found if len(it.strip()) >= MIN_SECRET_CHARS)


def credentials_in(url: str) -> tuple[str, ...]:
    """The password of a URL, or the user if there is none, in each form in which it is sent."""
    userinfo = url.partition("//")[2].partition("/")[0].rpartition("@")[0]
    user, _, password = userinfo.partition(":")
    basic = b64encode(f"{unquote(user)}:{unquote(password)}".encode()).decode()
    secret = password or user
    return (secret, unquote(secret), basic) if userinfo else ()


def redacted(text: str, secrets: Iterable[str]) -> str:
    """The text without the secrets."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return text
