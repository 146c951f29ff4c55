"""What the model calls of a worker share: prices, counters, what tenants may still use."""

from __future__ import annotations

from functools import partial

from relayline.activities.model.costs.budgets import DayBudgets
from relayline.activities.model.costs.pricing import Means, Spending, uncounted
from relayline.contracts.access.quotas import parse_quotas
from relayline.journal.access.quotas import spent_of
from relayline.journal.table import Storage
from relayline.runtime.prices import Prices, parse_prices
from relayline.runtime.settings import Settings


def means_of(settings: Settings, storage: Storage, spending: Spending | None) -> Means:
    """As the settings say."""
    return Means(
        Prices(parse_prices(settings.prices)),
        spending or uncounted,
        DayBudgets(storage.quotas, partial(spent_of, storage), parse_quotas(settings.quotas)),
    )
