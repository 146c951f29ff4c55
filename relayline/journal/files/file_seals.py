"""Seals names and pieces of files: with the tenant's key, or the deployment's where it has none."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from relayline.journal.port import Unreadable
from relayline.journal.tenants.data_key import DataKey
from relayline.journal.tenants.tenant_keys import Ring
from relayline.journal.tenants.vault import Vault

T = TypeVar("T")
_RING = "ring:"
"""Before the name of a key of the deployment."""


class FileSeals:
    """The keys of files."""

    def __init__(self, vault: Vault, ring: Ring) -> None:
        self._vault = vault
        self._ring = ring

    async def accepting(self, tenant: str) -> tuple[str, DataKey | None]:
        """The key of a new file of that tenant, and its name; none without any.

        Raises:
            TenantErased: it was erased.
        """
        await self._vault.fresh()
        if own := self._vault.accepting(tenant):
            return own.key_id, own
        if not self._ring.ids:
            return "", None
        name = f"{_RING}{self._ring.ids[0]}"
        return name, self._of_ring(name, tenant)

    async def opening(self, name: str, tenant: str, use: Callable[[DataKey | None], T]) -> T:
        """What `use` makes with the key of that name.

        Raises:
            Unreadable: this process lacks it.
            TenantErased: it was erased.
        """
        if not name:
            return use(None)
        if name.startswith(_RING):
            return use(self._of_ring(name, tenant))

        async def ask() -> T:
            return use(self._vault.by_id(name))

        await self._vault.fresh()
        asked: Callable[[], Awaitable[T]] = ask
        return await self._vault.retry(asked)

    def _of_ring(self, name: str, tenant: str) -> DataKey:
        ring_id = name.removeprefix(_RING)
        if ring_id not in self._ring.ids:
            raise Unreadable(
                f"a file is sealed by the key {ring_id[:64]!r}, which this process lacks: list it "
                "in RELAYLINE_PAYLOAD_KEYS",
                tenant,
            )
        return DataKey(tenant, name, self._ring.key(ring_id).secret)
