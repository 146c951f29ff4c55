"""Prices of models: those of the settings, then `genai-prices`, a table that needs no network.

The table is loaded when it is first needed: half a second of processor time.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from threading import Lock
from typing import NamedTuple

from relayline.catalog.models import UnknownModelName, parse_model
from relayline.contracts.messages import Usage
from relayline.contracts.money import Cost

LISTED = frozenset({"openai", "anthropic", "google"})
"""Providers whose models are in the table under the same names."""
_MILLION = Decimal(1_000_000)
_AMOUNT = r"[0-9]{1,6}(?:\.[0-9]{1,6})?"
_PRICE = re.compile(rf"(\S+)=({_AMOUNT})/({_AMOUNT})(?:/({_AMOUNT}))?")


class BadPrices(ValueError):
    """Prices are malformed; the message names the item."""


class Price(NamedTuple):
    """US dollars for a million tokens."""

    input: Decimal
    output: Decimal
    cached: Decimal
    """Of input tokens that the provider had in its cache."""

    def of(self, usage: Usage) -> Decimal:
        """The cost of so many tokens."""
        cached = usage.cached_tokens
        read = self.input * (usage.input_tokens - cached) + self.cached * cached
        return (read + self.output * usage.output_tokens) / _MILLION


def parse_prices(text: str) -> dict[str, Price]:
    """Prices by model from `openai:gpt-5=1.25/10,compatible:qwen=0.2/0.6/0.05`.

    Raises:
        BadPrices: an item has another form, an unknown model, or a model that is named twice.
    """
    prices: dict[str, Price] = {}
    for item in filter(None, map(str.strip, text.split(","))):
        found = _PRICE.fullmatch(item)
        if not found:
            raise BadPrices(f"{item!r}: write MODEL=INPUT/OUTPUT or MODEL=INPUT/OUTPUT/CACHED")
        model, read, written, cached = found.groups()
        try:
            parse_model(model)
        except UnknownModelName as error:
            raise BadPrices(str(error)) from error
        if model in prices:
            raise BadPrices(f"{model!r} is named twice")
        prices[model] = Price(Decimal(read), Decimal(written), Decimal(cached or read))
    return prices


class Prices:
    """What models cost; threads may share it."""

    def __init__(self, own: Mapping[str, Price] | None = None) -> None:
        """Create it.

        Args:
            own: Prices that come before the table's, by model.
        """
        self._own = own or {}
        self._lock = Lock()
        self._loaded = False

    def must_load(self, model: str) -> bool:
        """True if `cost` of that model would load the table: call it in a thread."""
        return not self._loaded and model not in self._own and _listed(model) is not None

    def knows(self, model: str) -> bool:
        """True if the model has a price."""
        return self.cost(model, Usage(input_tokens=1, output_tokens=1)) is not None

    def cost(self, model: str, usage: Usage) -> Cost | None:
        """The cost of a call at today's price; None if the model has none that is known."""
        if price := self._own.get(model):
            return Cost.of(price.of(usage), estimated=usage.estimated)
        listed = _listed(model)
        total = self._looked_up(*listed, usage) if listed else None
        return None if total is None else Cost.of(total, estimated=usage.estimated)

    def priced(self, model: str, usage: Usage) -> Usage:
        """The usage with its cost; one that has a cost keeps it."""
        if usage.cost is not None or not usage.total_tokens:
            return usage
        return usage.model_copy(update={"cost": self.cost(model, usage)})

    def _looked_up(self, provider: str, name: str, usage: Usage) -> Decimal | None:
        with self._lock:  # two threads would load it twice
            import genai_prices  # noqa: PLC0415  takes a third of a second

            self._loaded = True
            given = genai_prices.Usage(
                input_tokens=usage.input_tokens,
                cache_read_tokens=usage.cached_tokens,
                cache_write_tokens=usage.cache_write_tokens,
                output_tokens=usage.output_tokens,
            )
            try:
                found = genai_prices.calc_price(given, model_ref=name, provider_id=provider)
            except LookupError:
                return None
        return found.total_price


def _listed(model: str) -> tuple[str, str] | None:
    """Provider and name of a model that the table may have."""
    provider, name = parse_model(model)
    return (provider, name) if provider in LISTED else None
