"""The port to API keys: what is stored of them, which is never enough to use one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Protocol

from relayline.contracts.principals import Scope

if TYPE_CHECKING:
    from relayline.journal.table import Tenant

NO_PEPPER = "-"
"""The `pepper_id` of no key."""


@dataclass(frozen=True)
class StoredKey:
    """What is stored of a key; all times are microseconds since 1970, UTC."""

    key_id: str
    tenant: str
    name: str
    hash: str = field(repr=False)
    """HMAC-SHA256 of its secret, hexadecimal."""
    pepper_id: str
    """Names the secret of the deployment that the hash was made with."""
    scopes: frozenset[Scope]
    created_us: int
    created_by: str
    expires_us: int | None = None
    last_used_us: int | None = None
    """Within a minute or so."""
    revoked_us: int | None = None

    def holds(self, now_us: int) -> bool:
        """True unless it was revoked or has expired."""
        return self.revoked_us is None and (self.expires_us is None or now_us < self.expires_us)


class KeyPlace(NamedTuple):
    """The place of a key in its list, which is newest first."""

    created_us: int
    key_id: str


class Rehashed(NamedTuple):
    """The hash of a key with a newer pepper."""

    key_id: str
    old_pepper_id: str
    pepper_id: str
    hash: str


class ApiKeys(Protocol):
    """The stored keys.

    All methods raise `JournalUnavailable` if the storage does not answer. Methods that take a
    tenant see nothing of others.
    """

    async def find(self, key_id: str) -> StoredKey | None:
        """That key, of whichever tenant, revoked or not; None if there is none."""
        ...

    async def add(self, key: StoredKey) -> None:
        """Add a key; without effect if its id is there."""
        ...

    async def keys(
        self, tenant: Tenant, limit: int, before: KeyPlace | None = None
    ) -> Sequence[StoredKey]:
        """At most `limit` keys after `before`, newest first, revoked ones, too."""
        ...

    async def replace(self, key_id: str, new: StoredKey, until_us: int) -> bool:
        """Add `new`, and let the key with that id expire at `until_us`, or earlier if it would.

        Both or neither. False if there is no such key of the same tenant, or it was revoked.
        """
        ...

    async def revoke(self, tenant: Tenant, key_id: str, now_us: int) -> bool:
        """Revoke the key, if it is not yet; False if the tenant has none of that id."""
        ...

    async def note_used(self, used: Mapping[str, int]) -> None:
        """Set when these keys were used last, by id; never back."""
        ...

    async def rehash(self, rehashed: Sequence[Rehashed]) -> None:
        """Store newer hashes, each where the key still has the older pepper."""
        ...
