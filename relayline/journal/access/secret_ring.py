"""The deployment's secrets, newest first, and the keys that are derived from them."""

from __future__ import annotations

import hmac
import re
from collections.abc import Sequence
from typing import NamedTuple, Self

MIN_SECRET_CHARS = 32
_ONE = re.compile(rf"([A-Za-z0-9_-]{{1,32}}):([\x21-\x2b\x2d-\x7e]{{{MIN_SECRET_CHARS},}})")


class NamedSecret(NamedTuple):
    """A secret with a name that may be shown."""

    id: str
    secret: bytes


class SecretRing:
    """Secrets to sign with and to accept: the first one signs.

    Nothing uses a secret itself: each purpose has a key of its own, so that nothing made for one
    is valid for another.
    """

    def __init__(self, secrets: Sequence[NamedSecret] = ()) -> None:
        self._secrets = tuple(secrets)
        self._derived: dict[str, tuple[NamedSecret, ...]] = {}

    def __bool__(self) -> bool:
        """True if there is a secret."""
        return bool(self._secrets)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `ID:SECRET,ID:SECRET`.

        Raises:
            ValueError: it has another form; the message does not quote it.
        """
        found = []
        for part in filter(None, map(str.strip, text.split(","))):
            parsed = _ONE.fullmatch(part)
            if not parsed:
                raise ValueError(
                    "write ID:SECRET, or ID:NEW,ID:OLD: an id has letters, digits, - and _, a "
                    f"secret at least {MIN_SECRET_CHARS} printable ASCII characters"
                )
            found.append(NamedSecret(parsed[1], parsed[2].encode()))
        if len({one.id for one in found}) < len(found):
            raise ValueError("two secrets have the same id")
        return cls(found)

    def texts(self) -> frozenset[str]:
        """The secrets themselves, so that they can be cut out of what is shown."""
        return frozenset(one.secret.decode() for one in self._secrets)

    def keys(self, purpose: str) -> tuple[bytes, ...]:
        """The keys for one purpose, newest first, without their names."""
        return tuple(one.secret for one in self.derived(purpose))

    def derived(self, purpose: str) -> tuple[NamedSecret, ...]:
        """The keys for one purpose, newest first: HMAC-SHA256 of the purpose with each secret."""
        if purpose not in self._derived:
            self._derived[purpose] = tuple(
                NamedSecret(one.id, hmac.digest(one.secret, purpose.encode(), "sha256"))
                for one in self._secrets
            )
        return self._derived[purpose]
