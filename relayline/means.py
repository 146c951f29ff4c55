"""What the model calls of a worker share: prices, counters, what tenants may use, files."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from relayline.activities.files.fetching import fetch_with
from relayline.activities.files.file_budget import FileBudget
from relayline.activities.files.file_loading import FileLoader
from relayline.activities.files.with_files import with_files
from relayline.activities.model.costs.budgets import DayBudgets
from relayline.activities.model.costs.pricing import Means, Spending, uncounted
from relayline.activities.model.port import ModelProvider
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


def filed(
    providers: Callable[[str], ModelProvider], settings: Settings, storage: Storage
) -> Callable[[str], ModelProvider]:
    """The same providers, whose prompts come with the files that they name."""
    fetch = fetch_with(settings.fetch_allow, settings.max_file_bytes)
    budget = FileBudget(settings.file_memory_bytes)
    loader = FileLoader(storage.files, budget, fetch, settings.max_file_bytes)
    return with_files(providers, loader)
