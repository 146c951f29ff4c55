"""Makes API keys, for the API and for the command line."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NamedTuple

from relayline.contracts.envelope import microseconds
from relayline.contracts.principals import Scope
from relayline.journal.access.api_keys import ApiKeys, StoredKey
from relayline.journal.access.key_text import new_key, parse_key
from relayline.journal.access.secret_ring import NamedSecret, SecretRing
from relayline.journal.rows import now_us
from relayline.journal.table import EVERY

PURPOSE = "api-keys"


class NoSecret(Exception):
    """The deployment has no secret to hash keys with; the message says what to set."""

    def __init__(self) -> None:
        super().__init__(
            "API keys need RELAYLINE_SECRET, the same for every API process: set it to `a:` and "
            "the output of `openssl rand -hex 32`, or name a file with it in RELAYLINE_SECRET_FILE"
        )


class IssuedKey(NamedTuple):
    """A key that was just made."""

    stored: StoredKey
    text: str
    """Shown once: nobody can tell it again."""


@dataclass(frozen=True)
class KeyRequest:
    """A key to make."""

    tenant: str
    name: str
    scopes: frozenset[Scope]
    expires_at: datetime | None = None


class KeyIssuer:
    """Makes keys and replaces them; both raise `JournalUnavailable`, as `ApiKeys`."""

    def __init__(self, keys: ApiKeys, ring: SecretRing, environment: str) -> None:
        self._keys = keys
        self._ring = ring
        self._environment = environment

    async def issue(self, asked: KeyRequest, by: str) -> IssuedKey:
        """Make a key.

        Args:
            asked: Whose it is and what it may do.
            by: Who makes it.

        Raises:
            NoSecret: see there.
        """
        issued = self._made(asked, by)
        await self._keys.add(issued.stored)
        return issued

    async def first(
        self, asked: KeyRequest, by: str, keep: Callable[[str], None]
    ) -> IssuedKey | None:
        """Make a key if there is none yet, not even a revoked one.

        For one process at a time: two could each make one.

        Args:
            asked: As in `issue`.
            by: As in `issue`.
            keep: Called with the text before the key is valid: a crash leaves no key that nobody
                has.

        Raises:
            NoSecret: see there.
        """
        if await self._keys.keys(EVERY, 1):
            return None
        issued = self._made(asked, by)
        keep(issued.text)
        await self._keys.add(issued.stored)
        return issued

    async def rotate(self, old: StoredKey, grace: timedelta, by: str) -> IssuedKey | None:
        """Make a key that may do the same; the old one expires after `grace`.

        None if the old one has been revoked meanwhile.

        Raises:
            NoSecret: see there.
        """
        issued = self._made(KeyRequest(old.tenant, old.name, old.scopes), by)
        until_us = issued.stored.created_us + grace // timedelta(microseconds=1)
        stored = replace(issued.stored, expires_us=old.expires_us)
        done = await self._keys.replace(old.key_id, stored, until_us)
        return IssuedKey(stored, issued.text) if done else None

    async def holds(self, text: str) -> bool:
        """True if this is a key that lets somebody in."""
        parts = parse_key(text)
        stored = await self._keys.find(parts.key_id) if parts else None
        if parts is None or stored is None or not stored.holds(now_us()):
            return False
        hashes = [
            parts.hashed(pepper.secret)
            for pepper in self._ring.derived(PURPOSE)
            if pepper.id == stored.pepper_id
        ]
        return any(hmac.compare_digest(hashed, stored.hash) for hashed in hashes)

    def _made(self, asked: KeyRequest, by: str) -> IssuedKey:
        pepper = self._pepper()
        made = new_key(self._environment)
        stored = StoredKey(
            made.parts.key_id,
            asked.tenant,
            asked.name,
            made.parts.hashed(pepper.secret),
            pepper.id,
            asked.scopes,
            now_us(),
            by,
            microseconds(asked.expires_at) if asked.expires_at else None,
        )
        return IssuedKey(stored, made.text)

    def _pepper(self) -> NamedSecret:
        if not self._ring:
            raise NoSecret
        return self._ring.derived(PURPOSE)[0]
