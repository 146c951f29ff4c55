"""Finds the run that a key has started under an older secret, or an older form of ids."""

from __future__ import annotations

import asyncio

from relayline.api.signing.ids import KeyedIds
from relayline.api.temporal.gateway import Gateway
from relayline.contracts.principals import Principal
from relayline.journal.port import RunErased
from relayline.journal.table import EVERY, Storage


class EarlierRuns:
    """Looks a key up under every id that it may have had: a repeated key starts no second run."""

    def __init__(self, ids: KeyedIds, storage: Storage, gateway: Gateway) -> None:
        self._ids = ids
        self._storage = storage
        self._gateway = gateway

    async def find(self, key: str, sender: Principal) -> str | None:
        """The run that the key has started under another id than it has now; None: there is none.

        Raises:
            JournalUnavailable: the journal does not answer.
            TemporalUnavailable: only Temporal may know the run, and can't be asked.
        """
        _, *older = self._ids.runs(key, sender)
        signed = self._ids.signed_runs(key, sender)
        found = await asyncio.gather(
            *(self._is_there(it, sender.tenant, signed=it in signed) for it in older)
        )
        return next((it for it, there in zip(older, found, strict=True) if there), None)

    async def _is_there(self, run_id: str, tenant: str | None, *, signed: bool) -> bool:
        """True if the run is there or was, and is the tenant's.

        An id that a secret gave is nobody else's, whatever is left of the run. One that is a hash
        of the key alone may be another tenant's.
        """
        if listed := await self._storage.listed(EVERY, run_id):
            return listed.row.tenant == tenant
        try:
            head = await self._storage.head(EVERY, run_id)
        except RunErased as error:
            return signed or error.tenant == tenant
        if not signed:
            return False
        return head is not None or await self._gateway.execution(run_id) is not None
