"""What a tenant may use in a day is asked before each model call, and read now and then."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from relayline.activities.model.call import ModelActivities
from relayline.activities.model.costs.budgets import FRESH_S, DayBudgets
from relayline.activities.model.costs.pricing import Means
from relayline.activities.model.port import FinishPart, QuotaSpent, TextPart
from relayline.contracts.access.quotas import Quotas
from relayline.contracts.envelope import NewEvent
from relayline.contracts.errors import ErrorType
from relayline.contracts.events import BudgetExceeded, RunQueued
from relayline.contracts.keys import QUEUED_KEY
from relayline.contracts.messages import Usage
from relayline.journal.access.quotas import Spent, spent_of
from relayline.journal.port import JournalUnavailable
from relayline.journal.sqlite.journal import SqliteJournal
from relayline.journal.table import EVERY
from tests.activities.model.model_calls import Canned, Run

FEW = Quotas(tokens_per_day=100)


class Counted:
    """Says what it is told to say, and counts who asks."""

    def __init__(self, tokens: int = 0, cost: float = 0.0) -> None:
        self.spent_now = Spent(1, 1, tokens, cost)
        self.own: Quotas | None = None
        self.asked = 0
        self.away = False

    async def find(self, _: str) -> Quotas | None:
        if self.away:
            raise JournalUnavailable("away")
        return self.own

    async def spent(self, _tenant: str, _since: datetime) -> Spent:
        self.asked += 1
        return self.spent_now


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_a_tenant_is_read_once_in_a_while() -> None:
    counted: Any = Counted(tokens=99)
    clock = Clock()
    budgets = DayBudgets(counted, counted.spent, FEW, clock)
    for _ in range(10):
        await budgets.check("acme")
    counted.spent_now = Spent(1, 1, 100, 0.0)
    await budgets.check("acme")
    assert counted.asked == 1
    clock.now += FRESH_S
    for _ in range(3):
        with pytest.raises(QuotaSpent, match=r"100 of 100 tokens"):
            await budgets.check("acme")
    assert counted.asked == 2
    counted.own = Quotas()
    clock.now += FRESH_S
    await budgets.check("acme")
    assert counted.asked == 2, "what has no quota needs no figures"


async def test_money_counts_too_and_an_outage_stops_nobody() -> None:
    counted: Any = Counted(cost=5.0)
    clock = Clock()
    budgets = DayBudgets(counted, counted.spent, Quotas(cost_per_day=4.5), clock)
    with pytest.raises(QuotaSpent) as refused:
        await budgets.check("acme")
    assert refused.value.fact == BudgetExceeded(limit="tenant_cost", used=5.0, allowed=4.5)
    counted.away = True
    clock.now += FRESH_S
    await budgets.check("acme")


def budgets_of(journal: SqliteJournal) -> DayBudgets:
    return DayBudgets(journal.quotas, partial(spent_of, journal), Quotas())


async def test_a_run_ends_before_the_call_that_its_tenant_can_not_afford(
    journal: SqliteJournal,
) -> None:
    tenant = f"t-{uuid4().hex[:8]}"
    await journal.quotas.set(tenant, FEW, 1, "root")
    provider = Canned(TextPart("hi"), FinishPart("stop", Usage(input_tokens=60, output_tokens=41)))
    means = Means(budgets=budgets_of(journal))
    first, second = Run(journal), Run(journal)
    for run in (first, second):
        body = RunQueued(
            agent="tester", model="rehearsal", submitted_at=datetime.now(UTC), tenant=tenant
        )
        await journal.append(run.id, [NewEvent(key=QUEUED_KEY, body=body)])
    await call(journal, provider, means, first)
    means = Means(budgets=budgets_of(journal))  # as another worker, or 5 s later
    with pytest.raises(ApplicationError, match="101 of 100 tokens") as refused:
        await call(journal, provider, means, second)
    assert (refused.value.type, refused.value.non_retryable) == (ErrorType.BUDGET_EXCEEDED, True)
    assert len(provider.prompts) == 1
    events = await journal.read(EVERY, second.id, 0, 100)
    assert events[-1].body() == BudgetExceeded(limit="tenant_tokens", used=101, allowed=100)


async def call(journal: SqliteJournal, provider: Canned, means: Means, run: Run) -> None:
    activities = ModelActivities(journal, lambda _: provider, means=means)
    await ActivityEnvironment().run(activities.call_model, run.request())
