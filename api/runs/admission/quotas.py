"""What a tenant may use, kept to: checked before a run is started, with figures that are cached.

Where there is room, a figure may be some seconds old, so that a submission waits for nothing; it is
read again before anything is refused.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from relayline.api.errors import ApiError, InvalidField
from relayline.contracts.access.quotas import QuotaName, Quotas, QuotaUse, TenantQuotas
from relayline.contracts.runs import RunInput
from relayline.journal.access.quotas import Spent, spent_of
from relayline.journal.port import JournalUnavailable
from relayline.journal.table import Storage

QUOTAS_S = 10.0
"""How long the quotas of a tenant are remembered: a change holds everywhere within that time."""
FIGURES_S = 5.0
"""The age at which figures are read again, beside the submissions."""
OLD_S = 60.0
"""The age at which a submission waits for newer ones."""
MAX_TENANTS = 10_000
"""Tenants that are remembered."""
NO_QUOTAS = Quotas()
NOTHING = Spent()
_log = logging.getLogger(__name__)


class QuotaExceeded(ApiError):
    """The tenant uses as much as it may; `quota`, `limit` and `resets_at` are members."""

    status = 429
    slug = "quota-exceeded"
    title = "The quota of the tenant is used up"

    def __init__(self, name: QuotaName, limit: float, resets_at: datetime | None = None) -> None:
        goes = "is erased" if name is QuotaName.FILE_BYTES else "ends"
        when = "until 00:00 UTC" if resets_at else f"until one {goes}"
        super().__init__(f"{name}: {limit:,.15g} allowed, no more {when}")
        self.members = {"quota": name.value, "limit": limit, "resets_at": None}
        left = 1.0
        if resets_at is not None:
            self.members["resets_at"] = resets_at.strftime("%Y-%m-%dT%H:%M:%SZ")
            left = (resets_at - datetime.now(UTC)).total_seconds()
        self.retry_after_s = max(1, round(left))


@dataclass
class _Figures:
    """What one tenant has used, and what this process has begun since that was read."""

    spent: Spent = NOTHING
    read_at: float = float("-inf")
    """When the reading began."""
    day: datetime | None = None
    starting: int = 0
    """Runs that are being started: the table may lack them."""
    settled: int = 0
    """Runs that were started since the reading began: the table lacked some of them."""
    reading: asyncio.Lock = field(default_factory=asyncio.Lock)
    beside: asyncio.Task[None] | None = None


class RunQuotas:
    """The quotas of all tenants. For one event loop."""

    def __init__(
        self,
        storage: Storage,
        default: Quotas = NO_QUOTAS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Remember nothing yet.

        Args:
            storage: Has quotas and the runs table.
            default: For tenants that have none of their own.
            clock: Seconds.
        """
        self._storage = storage
        self._default = default
        self._clock = clock
        self._known: dict[str, tuple[float, Quotas]] = {}
        self._figures: dict[str, _Figures] = {}

    @asynccontextmanager
    async def admitted(self, runs: Sequence[RunInput]) -> AsyncIterator[None]:
        """Within the block these runs are started; they count from its beginning.

        While the journal does not answer, everything passes; it counts later.

        Raises:
            QuotaExceeded: they are more than their tenant may have.
            InvalidField: their tenant may not use the model of one of them.
        """
        of_tenant = defaultdict[str, list[RunInput]](list)
        for run in runs:
            of_tenant[run.tenant].append(run)
        async with AsyncExitStack() as stack:
            for tenant, theirs in of_tenant.items():
                await stack.enter_async_context(self._admitted(tenant, theirs))
            yield

    @asynccontextmanager
    async def _admitted(self, tenant: str, runs: Sequence[RunInput]) -> AsyncIterator[None]:
        quotas = await self.of(tenant)
        for run in runs:
            if refused := _refusal(run, quotas):
                raise refused
        figures = self._figures_of(tenant)
        if _limits_runs(quotas):
            await self._check(tenant, quotas, figures, len(runs))
        figures.starting += len(runs)
        try:
            yield
            figures.settled += len(runs)
        finally:
            figures.starting -= len(runs)

    async def refusals(self, runs: Sequence[RunInput]) -> dict[str, InvalidField]:
        """The errors of those runs whose model their tenant may not use, by id."""
        found = [(run.run_id, _refusal(run, await self.of(run.tenant))) for run in runs]
        return {run_id: refused for run_id, refused in found if refused}

    async def of(self, tenant: str) -> Quotas:
        """The quotas that hold for the tenant; the newest known while the journal is away."""
        at, known = self._known.get(tenant, (float("-inf"), self._default))
        now = self._clock()
        if now - at < QUOTAS_S:
            return known
        if at > float("-inf"):
            self._known[tenant] = now, known  # one asks; others meanwhile take what is known
        try:
            own = await self._storage.quotas.find(tenant)
        except JournalUnavailable:
            return known
        quotas = self._default if own is None else own
        self._known[tenant] = now, quotas
        if len(self._known) > MAX_TENANTS:
            del self._known[next(iter(self._known))]
        return quotas

    async def set(self, tenant: str, quotas: Quotas | None, by: str) -> None:
        """Give the tenant quotas of its own; with None it has the default ones again.

        Raises:
            JournalUnavailable: the journal did not answer.
        """
        if quotas is None:
            await self._storage.quotas.remove(tenant)
        else:
            await self._storage.quotas.set(tenant, quotas, time.time_ns() // 1000, by)
        self._known.pop(tenant, None)

    async def view(self, tenant: str) -> TenantQuotas:
        """The tenant's quotas and what it uses, both read now.

        Raises:
            JournalUnavailable: the journal did not answer.
        """
        own, day = await self._storage.quotas.find(tenant), _today()
        spent = await spent_of(self._storage, tenant, day)
        return TenantQuotas(
            tenant=tenant,
            quotas=self._default if own is None else own,
            default=own is None,
            used=QuotaUse(
                open_runs=spent.open_runs,
                runs_today=spent.runs,
                tokens_today=spent.tokens,
                cost_today=spent.cost,
            ),
            resets_at=day + timedelta(days=1),
        )

    async def _check(self, tenant: str, quotas: Quotas, figures: _Figures, count: int) -> None:
        """Return if that many runs may be started.

        Raises:
            QuotaExceeded: they may not, as the table says now.
        """
        asked_at = self._clock()
        age = asked_at - figures.read_at
        try:
            if age >= OLD_S or figures.day != _today():
                await self._read(tenant, quotas, figures, asked_at)
            elif age >= FIGURES_S:
                self._read_beside(tenant, quotas, figures)
            if _exceeded(quotas, figures, count):
                await self._read(tenant, quotas, figures, asked_at)
        except JournalUnavailable as error:
            why = {"tenant": tenant, "reason": str(error)}
            _log.warning("quotas can't be checked: the runs pass", extra=why)
            return
        if exceeded := _exceeded(quotas, figures, count):
            raise exceeded

    async def _read(self, tenant: str, quotas: Quotas, figures: _Figures, asked_at: float) -> None:
        """Read what the tenant has used, unless somebody has begun to since `asked_at`."""
        async with figures.reading:
            if figures.read_at >= asked_at:
                return
            began, settled, day = self._clock(), figures.settled, _today()
            since = day if _limits_days(quotas) else None
            figures.spent = await spent_of(self._storage, tenant, since)
            figures.read_at, figures.day = began, day
            figures.settled -= settled

    def _read_beside(self, tenant: str, quotas: Quotas, figures: _Figures) -> None:
        """Read for the next submission; this one does not wait."""

        async def read() -> None:
            try:
                await self._read(tenant, quotas, figures, self._clock())
            except JournalUnavailable as error:
                why = {"tenant": tenant, "reason": str(error)}
                _log.warning("what a tenant uses can't be read", extra=why)

        if figures.beside is None or figures.beside.done():
            figures.beside = asyncio.create_task(read(), name="read what a tenant uses")

    def _figures_of(self, tenant: str) -> _Figures:
        figures = self._figures.setdefault(tenant, _Figures())
        if len(self._figures) > MAX_TENANTS:
            first = next(iter(self._figures))
            if first != tenant and not self._figures[first].starting:
                del self._figures[first]
        return figures

    async def close(self) -> None:
        """Stop reading."""
        tasks = [it.beside for it in self._figures.values() if it.beside]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _refusal(run: RunInput, quotas: Quotas) -> InvalidField | None:
    """The error for a run whose model is not one of those that its tenant may use."""
    refused = next((it for it in run.agent.candidates if not quotas.allows(it)), None)
    if refused is None:
        return None
    models = [*(quotas.models or ())]
    return InvalidField(
        f"model: this tenant may not use {refused!r}; it may use {', '.join(models)}",
        slug="model-not-allowed",
        field="model",
        known=[*models],
    )


def _limits_days(quotas: Quotas) -> bool:
    it = quotas
    return any(each is not None for each in (it.runs_per_day, it.tokens_per_day, it.cost_per_day))


def _limits_runs(quotas: Quotas) -> bool:
    return quotas.open_runs is not None or _limits_days(quotas)


def _exceeded(quotas: Quotas, figures: _Figures, count: int) -> QuotaExceeded | None:
    """The error for `count` more runs; None if they may be started."""
    spent, more = figures.spent, figures.starting + figures.settled + count
    tomorrow = _today() + timedelta(days=1)
    checks: tuple[tuple[QuotaName, float | None, float, datetime | None], ...] = (
        (QuotaName.RUNS_PER_DAY, quotas.runs_per_day, spent.runs + more, tomorrow),
        (QuotaName.TOKENS_PER_DAY, quotas.tokens_per_day, spent.tokens + 1, tomorrow),
        (QuotaName.OPEN_RUNS, quotas.open_runs, spent.open_runs + more, None),
    )
    for name, limit, wanted, resets_at in checks:
        if limit is not None and wanted > limit:
            return QuotaExceeded(name, limit, resets_at)
    if quotas.cost_per_day is not None and spent.cost >= quotas.cost_per_day:
        return QuotaExceeded(QuotaName.COST_PER_DAY, quotas.cost_per_day, tomorrow)
    return None


def _today() -> datetime:
    """When the day began, in UTC."""
    return datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
