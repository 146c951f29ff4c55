"""Brings rows up to date that older versions have left behind, but for those it can't open."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import TypeAlias

from relayline.journal.port import TenantErased, Unreadable
from relayline.journal.table import Tenant, may_see
from relayline.journal.tenants.vault import Vault

BATCH = 50
"""Rows that are brought up to date in one transaction, so that others can write in between."""
AGAIN_S = 10.0
"""A row that can't be opened is not tried again for so long: others must not wait for it."""
Refusal: TypeAlias = Unreadable | TenantErased
_log = logging.getLogger(__name__)


class Filling:
    """What an adapter does before it answers from rows that may be behind."""

    def __init__(
        self,
        vault: Vault,
        stale: Callable[[int], Awaitable[Sequence[str]]],
        bring: Callable[[Sequence[str]], Awaitable[None]],
    ) -> None:
        """Nothing is left yet.

        Args:
            vault: The keys.
            stale: Gives so many of the runs whose rows are behind; one may be there twice.
            bring: Brings the rows of these runs up to date, in one transaction.
        """
        self._vault = vault
        self._stale = stale
        self._bring = bring
        self._left: Mapping[str, Refusal] = {}
        """Why each row that is still behind could not be brought up to date."""
        self._left_at = 0.0

    async def fill(self) -> int:
        """Bring all rows up to date that can be opened; the others are logged once.

        Returns how many there were.

        Raises:
            JournalUnavailable: the storage did not answer; the rest is filled the next time.
        """
        filled, began = 0, time.monotonic()
        is_recent = began - self._left_at < AGAIN_S
        left = dict(self._left) if is_recent else {}
        await self._vault.fresh()
        while found := await self._found(left):
            try:
                await self._vault.retry(partial(self._bring, found))
            except (Unreadable, TenantErased):
                await self._each(found, left)
            filled += sum(run_id not in left for run_id in found)
        if new := [str(error) for run_id, error in left.items() if run_id not in self._left]:
            told = {"rows": len(new), "reason": new[0]}
            _log.warning("rows of runs stay behind: they can't be opened", extra=told)
        self._left, self._left_at = left, self._left_at if is_recent else began
        return filled

    async def _found(self, left: Mapping[str, Refusal]) -> list[str]:
        asked = BATCH + 2 * len(left)
        return [run_id for run_id in await self._stale(asked) if run_id not in left]

    async def _each(self, found: Sequence[str], left: dict[str, Refusal]) -> None:
        """Bring each up to date by itself, and note those that can't be."""
        for run_id in found:
            try:
                await self._vault.retry(partial(self._bring, [run_id]))
            except (Unreadable, TenantErased) as error:
                left[run_id] = error

    def check(self, tenant: Tenant, run_id: str | None = None) -> None:
        """Return if this reader misses no row that is still behind.

        Args:
            tenant: The reader's.
            run_id: The only run asked for; None: any.

        Raises:
            Unreadable: it misses one, which this process can't open.
            TenantErased: it misses one of its tenant, whose key was erased.
        """
        for behind, error in self._left.items():
            theirs = error.tenant is None or may_see(tenant, error.tenant)
            if theirs and run_id in {None, behind}:
                raise error.with_traceback(None)
