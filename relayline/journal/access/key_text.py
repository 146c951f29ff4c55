"""The text of an API key: `rl_{environment}_{key_id}_{secret}{checksum}`.

The secret is 32 random bytes. The checksum is a CRC-32 of all before it, so that scanners of code
and logs know a key from a text that looks like one, and a mistyped one costs no look-up.
"""

from __future__ import annotations

import hmac
import re
import secrets
import zlib
from string import ascii_lowercase, ascii_uppercase, digits
from typing import NamedTuple

_ALPHABET = digits + ascii_uppercase + ascii_lowercase
_ID_CHARS, _SECRET_CHARS, _CHECK_CHARS = 16, 43, 6
KEY_ID_PATTERN = rf"[0-9A-Za-z]{{{_ID_CHARS}}}"
_KEY = re.compile(
    rf"rl_[a-z0-9]{{1,16}}_({KEY_ID_PATTERN})"
    rf"_([0-9A-Za-z]{{{_SECRET_CHARS}}})([0-9A-Za-z]{{{_CHECK_CHARS}}})"
)


class KeyParts(NamedTuple):
    """The parts of a key that its store knows it by."""

    key_id: str
    secret: str
    """Never stored."""

    def hashed(self, pepper: bytes) -> str:
        """HMAC-SHA256 of the secret with the pepper, hexadecimal.

        Not a slow hash: the secret has 256 bits, which nobody guesses, and a slow one would make
        each request costly.
        """
        return hmac.digest(pepper, self.secret.encode(), "sha256").hex()


class NewKey(NamedTuple):
    """A key that was just made."""

    parts: KeyParts
    text: str
    """Shown once."""


def new_key(environment: str) -> NewKey:
    """A random key."""
    key_id = "".join(secrets.choice(_ALPHABET) for _ in range(_ID_CHARS))
    secret = _base62(int.from_bytes(secrets.token_bytes(32)), _SECRET_CHARS)
    body = f"rl_{environment}_{key_id}_{secret}"
    return NewKey(KeyParts(key_id, secret), body + _checksum(body))


def parse_key(text: str) -> KeyParts | None:
    """The parts of a key; None if no key has this text."""
    parsed = _KEY.fullmatch(text)
    if parsed is None or _checksum(text[:-_CHECK_CHARS]) != parsed[3]:
        return None
    return KeyParts(parsed[1], parsed[2])


def _checksum(body: str) -> str:
    return _base62(zlib.crc32(body.encode()), _CHECK_CHARS)


def _base62(number: int, length: int) -> str:
    found = ""
    for _ in range(length):
        number, digit = divmod(number, len(_ALPHABET))
        found = _ALPHABET[digit] + found
    return found
