"""The keys of tenants in the memory of a process: read again when they are some seconds old."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

from relayline.journal.access.audit import AuditRow
from relayline.journal.port import TenantErased, Unreadable
from relayline.journal.rows import now_us
from relayline.journal.table import EveryTenant, Tenant
from relayline.journal.tenants.data_key import (
    SECRET_BYTES,
    DataKey,
    unwrap,
    wrap,
)
from relayline.journal.tenants.stored_tenant_keys import StoredTenantKeys
from relayline.journal.tenants.tenant_keys import (
    EFFECTIVE_S,
    KeyState,
    NoRingKey,
    Ring,
    TenantKey,
)

T = TypeVar("T")
FRESH_S = 3.0
"""The age at which one reads the keys again, while others use what there is."""
LONGEST_S = EFFECTIVE_S
"""Nothing older is used."""


class UnknownKey(Unreadable):
    """The key is not in memory; perhaps another process has just made it."""

    def __init__(self, key_id: str) -> None:
        super().__init__(f"the journal has no key {key_id[:64]!r}")


class Vault:
    """`journal.tenants.tenant_keys.TenantKeys` with what it takes to use them.

    Methods that are not coroutines use what is in memory, and may be called by any thread.
    """

    def __init__(
        self, stored: StoredTenantKeys, ring: Ring, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stored = stored
        self._ring = ring
        self._clock = clock
        self._read_at = float("-inf")
        self._reading: asyncio.Task[None] | None = None
        self._by_tenant: Mapping[str, TenantKey] = {}
        self._by_id: Mapping[str, TenantKey] = {}
        self._open: dict[str, DataKey] = {}

    @property
    def in_use(self) -> bool:
        """True if a tenant has a key, or had one."""
        return bool(self._by_tenant)

    @property
    def is_fresh(self) -> bool:
        """True if what is in memory may be used: it is new, or it is being read again."""
        age = self._clock() - self._read_at
        is_read = self._reading is not None and not self._reading.done()
        return age < FRESH_S or (is_read and age < LONGEST_S)

    async def fresh(self) -> None:
        """Read the keys again if they may be out of date; all who wait in a loop share one read.

        Raises:
            JournalUnavailable: the storage did not answer.
        """
        if self.is_fresh:
            return
        reading, loop = self._reading, asyncio.get_running_loop()
        if reading is None or reading.done() or reading.get_loop() is not loop:
            reading = self._reading = loop.create_task(self.refresh())
        await asyncio.shield(reading)  # who is cancelled must not cancel it for others

    async def refresh(self) -> None:
        """Read the keys.

        Raises:
            JournalUnavailable: the storage did not answer.
        """
        began = self._clock()
        self._keep(await self._stored.all())
        self._read_at = began

    def _keep(self, found: Sequence[TenantKey]) -> None:
        self._by_tenant = {key.tenant: key for key in found}
        self._by_id = {key.key_id: key for key in found}
        there = {key.key_id for key in found if key.wrapped}
        self._open = {id_: key for id_, key in self._open.items() if id_ in there}

    async def retry(self, ask: Callable[[], Awaitable[T]]) -> T:
        """What `ask` returns; asked again after a look for the key that it could not find.

        Raises:
            Unreadable: it can't find it still.
            Exception: raised by `ask`.
        """
        try:
            return await ask()
        except UnknownKey:
            await self.refresh()
            return await ask()

    def of(self, tenant: str) -> DataKey | None:
        """The tenant's key; None if it has none.

        Raises:
            TenantErased: it was erased.
            Unreadable: this process can't unwrap it.
        """
        found = self._by_tenant.get(tenant)
        return self._opened(found) if found else None

    def accepting(self, tenant: str, run_id: str = "") -> DataKey | None:
        """The same, of a tenant for which something must be written.

        Raises:
            TenantErased: it was erased, or is being erased.
            Unreadable: this process can't unwrap it.
        """
        found = self._by_tenant.get(tenant)
        if found is None:
            return None
        if found.state is not KeyState.ACTIVE:
            raise TenantErased(tenant, run_id)
        return self._opened(found)

    def by_id(self, key_id: str) -> DataKey:
        """The key of that id.

        Raises:
            UnknownKey: it is not in memory.
            TenantErased: it was erased.
            Unreadable: this process can't unwrap it.
        """
        if (found := self._by_id.get(key_id)) is None:
            raise UnknownKey(key_id)
        return self._opened(found)

    def that_apply(self, tenant: Tenant) -> list[DataKey]:
        """The keys under which something may be stored that this reader may see.

        Raises:
            Unreadable: this process can't unwrap one of them.
        """
        found = [
            key
            for key in self._by_tenant.values()
            if key.wrapped and (isinstance(tenant, EveryTenant) or key.tenant == tenant)
        ]
        return [self._opened(key) for key in found]

    def _opened(self, key: TenantKey) -> DataKey:
        if known := self._open.get(key.key_id):
            return known
        if not key.wrapped:
            raise TenantErased(key.tenant)
        secret = unwrap(key.wrapped, self._ring_secret(key), key.tenant, key.key_id)
        made = self._open[key.key_id] = DataKey(key.tenant, key.key_id, secret)
        return made

    def _ring_secret(self, key: TenantKey) -> bytes:
        if key.ring_id not in self._ring.ids:
            raise Unreadable(
                f"the key of tenant {key.tenant!r} is wrapped by the key {key.ring_id[:64]!r}, "
                "which this process lacks: list it in RELAYLINE_PAYLOAD_KEYS",
                key.tenant,
            )
        return self._ring.key(key.ring_id).secret

    async def keys(self) -> Sequence[TenantKey]:
        """As in the port."""
        await self.refresh()
        return [*self._by_tenant.values()]

    async def create(self, tenant: str, audit: AuditRow) -> TenantKey:
        """As in the port."""
        if not self._ring.ids:
            raise NoRingKey(
                "a tenant's key needs one that wraps it: set RELAYLINE_PAYLOAD_KEYS to what "
                "`relayline keyring new` prints, in every process"
            )
        key_id, ring_id = f"tk_{secrets.token_hex(8)}", self._ring.ids[0]
        secret = secrets.token_bytes(SECRET_BYTES)
        wrapped = wrap(secret, self._ring.key(ring_id).secret, tenant, key_id)
        made = TenantKey(tenant, key_id, KeyState.ACTIVE, ring_id, wrapped, now_us())
        stored = await self._stored.add(made, audit)
        await self.refresh()
        return stored

    async def begin_erasing(self, tenant: str, audit: AuditRow) -> TenantKey | None:
        """As in the port."""
        found = await self._stored.begin(tenant, now_us(), audit)
        await self.refresh()
        return found

    async def finish_erasing(self, tenant: str, audit: AuditRow) -> None:
        """As in the port."""
        await self._stored.finish(tenant, now_us(), audit)
        await self.refresh()

    async def rewrap(self) -> int:
        """As in the port."""
        if not self._ring.ids:
            return 0
        done, first, unreadable = 0, self._ring.ids[0], None
        for key in await self.keys():
            if not key.wrapped or key.ring_id == first or key.ring_id not in self._ring.ids:
                continue
            try:
                secret = unwrap(key.wrapped, self._ring_secret(key), key.tenant, key.key_id)
            except Unreadable as error:
                unreadable = error
                continue
            wrapped = wrap(secret, self._ring.key(first).secret, key.tenant, key.key_id)
            done += await self._stored.rewrap(key, first, wrapped)
        if unreadable:
            raise unreadable
        return done

    async def check(self, tenant: str) -> None:
        """As in the port."""
        await self.fresh()
        found = self._by_tenant.get(tenant)
        if found and found.state is not KeyState.ACTIVE:
            raise TenantErased(tenant)
