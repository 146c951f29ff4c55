"""The port to the keys of tenants: whose content is sealed in the journal, and what was erased."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple, Protocol

from relayline.journal.access.audit import AuditRow

EFFECTIVE_S = 10.0
"""A key that was made, or that is being erased, has this effect in all processes after so long."""


class KeyState(StrEnum):
    """How far a key is."""

    ACTIVE = "active"
    ERASING = "erasing"
    """Nothing is accepted for the tenant; what it has is being deleted."""
    ERASED = "erased"
    """Nothing is left, not even the key."""


class TenantKey(NamedTuple):
    """The key of a tenant, as it is stored."""

    tenant: str
    key_id: str
    """Stands in each text that it has sealed."""
    state: KeyState
    ring_id: str
    """Name of the key of the ring that has wrapped it."""
    wrapped: str
    """The key, encrypted by that one; empty once it was erased."""
    created_us: int
    """Microseconds since 1970, UTC; so are those below."""
    erasing_us: int | None = None
    """When its erasure began."""
    erased_us: int | None = None
    """When its erasure was finished."""


class RingKey(Protocol):
    """A key of the deployment."""

    @property
    def secret(self) -> bytes:
        """32 bytes."""
        ...


class Ring(Protocol):
    """The deployment's keys, which wrap those of tenants."""

    @property
    def ids(self) -> Sequence[str]:
        """Their names, first of that which wraps; all unwrap."""
        ...

    def key(self, key_id: str) -> RingKey:
        """The key of a name in `ids`."""
        ...


class NoRing:
    """Of a process that has no keys."""

    ids: Sequence[str] = ()

    def key(self, key_id: str) -> RingKey:
        """Raise: there is none."""
        raise KeyError(key_id)


class NoRingKey(Exception):
    """A key can't be made, because nothing could wrap it."""


class TenantKeys(Protocol):
    """The keys of all tenants that have one; all methods raise `JournalUnavailable`."""

    async def keys(self) -> Sequence[TenantKey]:
        """All of them, also erased ones, ordered by tenant."""
        ...

    async def create(self, tenant: str, audit: AuditRow) -> TenantKey:
        """Make a key for the tenant, unless it has one; returns the one that it has now.

        A new one seals all that is written after `EFFECTIVE_S`. Adds the row to the audit log in
        the same transaction, if the key is new.

        Raises:
            NoRingKey: this process has no key of the ring.
        """
        ...

    async def begin_erasing(self, tenant: str, audit: AuditRow) -> TenantKey | None:
        """Accept nothing more for the tenant, after `EFFECTIVE_S`; None if it has no key.

        The row is added to the audit log with it. A repetition changes nothing.
        """
        ...

    async def finish_erasing(self, tenant: str, audit: AuditRow) -> None:
        """Delete the wrapped key of a tenant that is being erased, and add the row.

        A repetition changes nothing.
        """
        ...

    async def rewrap(self) -> int:
        """Wrap the keys by the first key of the ring where another has; returns how many.

        Those whose key of the ring this process lacks stay as they are.

        Raises:
            Unreadable: one can't be unwrapped by the key that it names; the others were wrapped.
        """
        ...

    async def check(self, tenant: str) -> None:
        """Return if something may be accepted for the tenant.

        Raises:
            TenantErased: its key was erased, or is being erased.
        """
        ...
