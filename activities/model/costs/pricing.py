"""Gives the usage of a call its cost and counts it, once, when the call has ended."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from relayline.activities.model.costs.budgets import DayBudgets, tenant_in
from relayline.activities.model.pace import Pace
from relayline.activities.model.port import ProviderError
from relayline.contracts.envelope import StoredEvent
from relayline.contracts.events import MessageCompleted, MessageInterrupted
from relayline.contracts.messages import Usage
from relayline.contracts.runs import AgentSpec
from relayline.runtime.prices import Prices

Body = TypeVar("Body", MessageCompleted, MessageInterrupted)


class Spending(Protocol):
    """Counts what calls have used."""

    def __call__(self, agent: str, model: str, usage: Usage) -> None:
        """Count a call that has ended."""
        ...


def uncounted(agent: str, model: str, usage: Usage) -> None:
    """A `Spending` that counts nothing."""


@dataclass(frozen=True)
class Means:
    """What the model calls of one worker share."""

    prices: Prices = field(default_factory=Prices)
    spending: Spending = uncounted
    budgets: DayBudgets | None = None
    """None: tenants use as much as they like."""
    pace: Pace = field(default_factory=Pace)


class Pricing:
    """The prices of one agent's model; the first look into their table is made in a thread."""

    def __init__(self, means: Means, agent: AgentSpec, facts: Sequence[StoredEvent] = ()) -> None:
        self._prices = means.prices
        self._spending = means.spending
        self._budgets = means.budgets
        self._agent = agent
        self._tenant = tenant_in(facts)

    async def check(self) -> None:
        """Refuse a call that its tenant may not make, or whose cost no limit could be held against.

        Raises:
            QuotaSpent: see `DayBudgets`.
            ProviderError: the run has a limit of cost, and this worker knows no price of the model.
        """
        if self._budgets and self._tenant is not None:
            await self._budgets.check(self._tenant)
        model = self._agent.model
        if self._agent.limits.max_cost is None:
            return
        if not await asyncio.to_thread(self._prices.knows, model):
            text = f"the price of {model} is not known, so max_cost can't be kept"
            raise ProviderError(f"{text}: set RELAYLINE_PRICES", retryable=False)

    async def usage(self, usage: Usage) -> Usage:
        """The usage of a call that has just ended, with its cost if that is known; counts it."""
        model = self._agent.model
        if self._prices.must_load(model):
            priced = await asyncio.to_thread(self._prices.priced, model, usage)
        else:
            priced = self._prices.priced(model, usage)
        self._spending(self._agent.name, model, priced)
        return priced

    async def message(self, body: Body) -> Body:
        """The message of a call that has just ended, as `usage`."""
        return body.model_copy(update={"usage": await self.usage(body.usage)})
