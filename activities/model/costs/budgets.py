"""What tenants may still use today: asked before each model call, read every 5 s at most."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime

from relayline.activities.model.port import QuotaSpent
from relayline.contracts.access.quotas import Quotas
from relayline.contracts.envelope import StoredEvent
from relayline.contracts.events import BudgetExceeded, RunQueued
from relayline.contracts.keys import QUEUED_KEY
from relayline.journal.access.quotas import Spent, StoredQuotas
from relayline.journal.port import JournalUnavailable

SpentSince = Callable[[str, datetime], Awaitable[Spent]]

FRESH_S = 5.0
"""How old a figure may be: calls of that time may together pass the quota."""
MAX_TENANTS = 10_000
"""Tenants that are remembered."""
_log = logging.getLogger(__name__)


class DayBudgets:
    """Whether tenants have used up their tokens, or their money, of the day. For one event loop.

    A tenant is read once in `FRESH_S`, however many calls ask; one that has no quota of a day costs
    a look-up of its quotas alone.
    """

    def __init__(
        self,
        quotas: StoredQuotas,
        spent: SpentSince,
        default: Quotas,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Remember nothing yet.

        Args:
            quotas: What tenants have of their own.
            spent: Tells what the runs of a tenant have used that were created since a time.
            default: For tenants that have none of their own.
            clock: Seconds.
        """
        self._quotas = quotas
        self._spent = spent
        self._default = default
        self._clock = clock
        self._known: dict[str, tuple[float, BudgetExceeded | None]] = {}
        self._reading: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def check(self, tenant: str) -> None:
        """Return if a call of the tenant may be made; also while the journal does not answer.

        Raises:
            QuotaSpent: it may not before the next day.
        """
        if (known := self._fresh(tenant)) is None:
            async with self._reading[tenant]:
                if (known := self._fresh(tenant)) is None:
                    known = self._known[tenant] = self._clock(), await self._read(tenant)
            self._forget()
        if spent := known[1]:
            raise QuotaSpent(spent)

    def _fresh(self, tenant: str) -> tuple[float, BudgetExceeded | None] | None:
        known = self._known.get(tenant)
        return known if known and self._clock() - known[0] < FRESH_S else None

    async def _read(self, tenant: str) -> BudgetExceeded | None:
        try:
            own = await self._quotas.find(tenant)
            quotas = self._default if own is None else own
            if quotas.tokens_per_day is None and quotas.cost_per_day is None:
                return None
            day = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
            spent = await self._spent(tenant, day)
        except JournalUnavailable as error:
            why = {"tenant": tenant, "reason": str(error)}
            _log.warning("quotas can't be checked: the call is made", extra=why)
            return None
        for limit, used, allowed in (
            ("tenant_tokens", spent.tokens, quotas.tokens_per_day),
            ("tenant_cost", spent.cost, quotas.cost_per_day),
        ):
            if allowed is not None and used >= allowed:
                return BudgetExceeded(limit=limit, used=used, allowed=allowed)
        return None

    def _forget(self) -> None:
        """Remember no more than `MAX_TENANTS`."""
        if len(self._known) > MAX_TENANTS:
            first = next(iter(self._known))
            del self._known[first]
            self._reading.pop(first, None)


def tenant_in(facts: Sequence[StoredEvent]) -> str | None:
    """Whose run it is; None in the journal of a run that older versions have started."""
    for fact in facts:
        if fact.key == QUEUED_KEY and isinstance(body := fact.body(), RunQueued):
            return body.tenant
    return None
