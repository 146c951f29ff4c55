"""Whose runs are: what an adapter asks before it gives a tenant anything of a run."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing

from relayline.contracts.envelope import StoredEvent
from relayline.journal.table import EVERY, Listed, Tenant

MAX_KNOWN = 50_000


class Owners:
    """Remembers the tenants of the newest 50,000 runs asked for: a run's tenant never changes.

    So each process asks the storage once for a run, and not at all for readers of every tenant.
    """

    def __init__(self, listed: Callable[[Tenant, str], Awaitable[Listed | None]]) -> None:
        """Nothing is known yet.

        Args:
            listed: As in the port to the runs table.
        """
        self._listed = listed
        self._known: OrderedDict[str, str] = OrderedDict()

    async def of(self, run_id: str) -> str | None:
        """The run's tenant, None if there is no such run.

        Raises:
            JournalUnavailable: it is not remembered and the storage did not answer.
        """
        if known := self._known.get(run_id):
            return known
        listed = await self._listed(EVERY, run_id)
        if listed is None:
            return None
        self._known[run_id] = listed.row.tenant
        if len(self._known) > MAX_KNOWN:
            self._known.popitem(last=False)
        return listed.row.tenant

    async def has(self, tenant: Tenant, run_id: str) -> bool:
        """True if the tenant may see the run; every tenant's reader may see unknown ones, too."""
        return tenant is EVERY or await self.of(run_id) == tenant

    def forget(self, run_id: str) -> None:
        """The run was withdrawn."""
        self._known.pop(run_id, None)

    async def only_theirs(
        self,
        tenant: Tenant,
        run_id: str,
        batches: AsyncGenerator[Sequence[StoredEvent], None],
    ) -> AsyncGenerator[Sequence[StoredEvent], None]:
        """The same batches; none, and the end, if the run is another tenant's."""
        async with aclosing(batches):
            if await self.of(run_id) not in {None, tenant}:
                return
            async for batch in batches:
                if not await self.has(tenant, run_id):
                    return
                yield batch
