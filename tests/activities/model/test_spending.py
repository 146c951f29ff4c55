"""What model calls have used is counted where they end: once for each that was paid."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from relayline.activities.model.call import ModelActivities
from relayline.activities.model.costs.pricing import Means
from relayline.activities.model.port import FinishPart, TextPart
from relayline.contracts.messages import Usage
from relayline.contracts.money import Cost
from relayline.journal.port import Journal, JournalUnavailable
from relayline.runtime.prices import Prices, parse_prices
from relayline.spending import MAX_PAIRS, Spending
from tests.activities.model.model_calls import USER_ASKED, Canned, Run, finished, half

PRICES = Prices(parse_prices("rehearsal=100000/200000"))
OF_RUN = {"agent": "tester", "model": "rehearsal"}


def value(spending: Spending, name: str, **labels: str) -> float | None:
    registry = CollectorRegistry()
    registry.register(spending)
    return registry.get_sample_value(f"relayline_model_{name}_total", labels)


async def test_an_answer_counts_once_however_often_it_is_asked_for(journal: Journal) -> None:
    run, spending = Run(journal), Spending()
    activities = ModelActivities(
        journal, lambda _: finished(TextPart("hi")), means=Means(PRICES, spending)
    )
    for _ in range(2):  # the second one finds the message in the journal
        await ActivityEnvironment().run(activities.call_model, run.request())
    assert value(spending, "cost_usd", **OF_RUN) == 0.7
    assert value(spending, "tokens", **OF_RUN, kind="input") == 3
    assert value(spending, "tokens", **OF_RUN, kind="output") == 2
    assert value(spending, "unpriced_calls", **OF_RUN) is None


class Away:
    """A journal that can be taken away."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self.gone = False

    def __getattr__(self, name: str) -> Any:
        if self.gone:
            raise JournalUnavailable("it is gone")
        return getattr(self._journal, name)


async def test_an_answer_that_was_paid_and_not_journaled_counts_and_so_does_the_next(
    journal: Journal,
) -> None:
    away: Any = Away(journal)
    run, spending = Run(journal), Spending()

    def provider(_: str) -> Canned:
        away.gone = env.info.attempt == 1
        return finished(TextPart("hi"))

    activities = ModelActivities(away, provider, means=Means(PRICES, spending))
    env = ActivityEnvironment()
    with pytest.raises(ApplicationError, match="gone"):
        await env.run(activities.call_model, run.request())
    away.gone, env.info = False, dataclasses.replace(env.info, attempt=2)
    await env.run(activities.call_model, run.request())
    assert value(spending, "cost_usd", **OF_RUN) == 1.4


async def test_an_empty_answer_and_an_interrupted_one_count_at_what_is_known_of_them(
    journal: Journal,
) -> None:
    run, spending = Run(journal, model="compatible:m"), Spending()
    empty = Canned(FinishPart("stop", Usage(input_tokens=5)))
    activities = ModelActivities(journal, lambda _: empty, means=Means(spending=spending))
    with pytest.raises(ApplicationError, match="empty"):
        await ActivityEnvironment().run(activities.call_model, run.request())
    labels = {"agent": "tester", "model": "compatible:m"}
    assert value(spending, "tokens", **labels, kind="input") == 5
    other, env = Run(journal, model="compatible:m"), ActivityEnvironment()
    activities = ModelActivities(journal, lambda _: half(), means=Means(spending=spending))
    call = asyncio.create_task(env.run(activities.call_model, other.request()))
    await other.until("message.delta")
    env.cancel(USER_ASKED)
    with pytest.raises(asyncio.CancelledError):
        await call
    assert value(spending, "unpriced_calls", **labels) == 2
    assert value(spending, "cost_usd", **labels) is None


def test_the_number_of_series_is_bounded() -> None:
    spending, usage = Spending(), Usage(input_tokens=1, cost=Cost(amount="2"))
    for number in range(MAX_PAIRS + 50):
        spending("a", f"openai:{number}", usage)
    spending("a", "openai:0", usage)
    assert value(spending, "cost_usd", agent="others", model="others") == 100
    assert value(spending, "cost_usd", agent="a", model="openai:0") == 4
    assert spending.text().count(b"cost_usd_total{") == MAX_PAIRS + 1
