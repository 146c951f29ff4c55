"""The keys of what Temporal stores: the port, and the adapter that reads them from settings."""

from __future__ import annotations

import binascii
import re
import secrets
from base64 import b64decode, b64encode
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol, Self

KEY_BYTES = 32
"""AES-256."""
KEY_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
FORM = "ID:KEY, the key being 32 bytes in base64, as `relayline keyring new` prints it"
_BETWEEN = re.compile(r"[,\s]+")


class PayloadUnreadable(Exception):
    """An encrypted payload can't be read in this process; the message says why."""


class UnknownPayloadKey(PayloadUnreadable):
    """A payload needs a key that this process lacks; it can be read once the key is there."""

    def __init__(self, key_id: str) -> None:
        """Name the key."""
        self.key_id = key_id[:64]
        super().__init__(
            f"a payload is encrypted with the key {self.key_id!r}, which this process lacks: list "
            "it in RELAYLINE_PAYLOAD_KEYS"
        )


class BadKeys(ValueError):
    """A list of keys that can't be used; the message has no key in it."""


@dataclass(frozen=True)
class PayloadKey:
    """A key and its name."""

    key_id: str
    """Stands in each payload that the key has encrypted."""
    secret: bytes = field(repr=False)
    """`KEY_BYTES` of them."""

    def entry(self) -> str:
        """`ID:KEY`, as settings list it."""
        return f"{self.key_id}:{self.encoded()}"

    def encoded(self) -> str:
        """The secret in base64."""
        return b64encode(self.secret).decode()


class KeyRing(Protocol):
    """The keys of one deployment."""

    @property
    def ids(self) -> tuple[str, ...]:
        """Names of its keys, first of that which encrypts; none: nothing is encrypted."""
        ...

    def key(self, key_id: str) -> PayloadKey:
        """The key of that name.

        Raises:
            UnknownPayloadKey: there is none.
        """
        ...


class ListedKeys:
    """Keys that are all in memory."""

    def __init__(self, keys: Iterable[PayloadKey] = ()) -> None:
        """Hold the keys; the first one encrypts."""
        self._keys = {key.key_id: key for key in keys}

    @classmethod
    def parse(cls, text: str) -> Self:
        """Entries `ID:KEY` with commas, spaces or line ends between them.

        Raises:
            BadKeys: an entry can't be used; the message has its place in the list.
        """
        keys: dict[str, PayloadKey] = {}
        entries = [entry for entry in _BETWEEN.split(text) if entry]
        for number, entry in enumerate(entries, 1):
            key = _parsed(entry, number)
            if key.key_id in keys:
                raise BadKeys(f"two keys are called {key.key_id!r}: give each a name of its own")
            keys[key.key_id] = key
        return cls(keys.values())

    def encoded(self) -> tuple[str, ...]:
        """The secrets, which must never be shown."""
        return tuple(key.encoded() for key in self._keys.values())

    @property
    def ids(self) -> tuple[str, ...]:
        """In the order of the list."""
        return tuple(self._keys)

    def key(self, key_id: str) -> PayloadKey:
        """The key of that name.

        Raises:
            UnknownPayloadKey: there is none.
        """
        if (found := self._keys.get(key_id)) is None:
            raise UnknownPayloadKey(key_id)
        return found


def new_key(key_id: str = "") -> PayloadKey:
    """A random key; without an id, one of today's date and four random digits.

    Raises:
        BadKeys: the id is not of the form.
    """
    key_id = key_id or f"{datetime.now(UTC):%Y%m%d}-{secrets.token_hex(2)}"
    if not KEY_ID.fullmatch(key_id):
        raise BadKeys("ID must be letters, digits, `.`, `_` and `-`, at most 64")
    return PayloadKey(key_id, secrets.token_bytes(KEY_BYTES))


NO_KEYS = ListedKeys()
"""Of a process that encrypts nothing."""


def _parsed(entry: str, number: int) -> PayloadKey:
    key_id, colon, encoded = entry.partition(":")
    if not colon or not KEY_ID.fullmatch(key_id):
        raise BadKeys(f"entry {number} is not of the form {FORM}")
    try:
        secret = b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise BadKeys(f"entry {number}: its key is not base64") from None  # the cause may quote it
    if len(secret) != KEY_BYTES:
        raise BadKeys(f"entry {number}: its key has {len(secret)} bytes, not {KEY_BYTES}")
    return PayloadKey(key_id, secret)
