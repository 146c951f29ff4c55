"""Prices come from the settings, then from a table that needs no network."""

from __future__ import annotations

import subprocess
import sys
from decimal import Decimal

import pytest

from relayline.contracts.messages import Usage
from relayline.contracts.money import Cost
from relayline.runtime.prices import LISTED, BadPrices, Price, Prices, parse_prices

OWN = "openai:gpt-5=1/10/0.25, rehearsal=2/4,compatible:qwen=0.000001/0"
USAGE = Usage(input_tokens=1000, output_tokens=100, cached_tokens=400)


def test_own_prices_come_first() -> None:
    prices = Prices(parse_prices(OWN))
    assert prices.cost("openai:gpt-5", USAGE) == Cost(amount="0.0017")
    assert prices.cost("rehearsal", USAGE) == Cost(amount="0.0024")
    assert prices.cost("compatible:qwen", USAGE) == Cost(amount="0.000000001")


def test_a_guess_of_tokens_makes_an_estimated_cost() -> None:
    usage = USAGE.model_copy(update={"estimated": True})
    cost = Prices(parse_prices(OWN)).cost("rehearsal", usage)
    assert cost == Cost(amount="0.0024", estimated=True)


@pytest.mark.parametrize(
    "model", ["openai:gpt-5", "anthropic:claude-sonnet-4-5", "google:gemini-2.5-pro"]
)
def test_the_table_knows_the_models_of_each_large_provider(model: str) -> None:
    prices = Prices()
    assert prices.must_load(model)
    assert prices.knows(model)
    assert not prices.must_load(model)
    cost, cached = prices.cost(model, USAGE), USAGE.model_copy(update={"cached_tokens": 0})
    dearer = prices.cost(model, cached)
    assert cost
    assert dearer
    assert 0 < cost.dollars < dearer.dollars
    assert model.partition(":")[0] in LISTED


@pytest.mark.parametrize(
    "model", ["rehearsal", "local", "ollama:qwen3", "compatible:x", "openai:no-such-model"]
)
def test_a_model_that_nobody_has_priced_has_no_cost(model: str) -> None:
    prices = Prices()
    assert not prices.knows(model)
    assert prices.priced(model, USAGE) == USAGE


def test_each_cost_is_recorded_once() -> None:
    first = Prices(parse_prices("rehearsal=1/1")).priced("rehearsal", USAGE)
    assert Prices(parse_prices("rehearsal=9/9")).priced("rehearsal", first) == first
    assert Prices(parse_prices("rehearsal=1/1")).priced("rehearsal", Usage()) == Usage()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("openai:gpt-5", "write MODEL=INPUT/OUTPUT"),
        ("openai:gpt-5=1", "write MODEL=INPUT/OUTPUT"),
        ("openai:gpt-5=-1/2", "write MODEL=INPUT/OUTPUT"),
        ("openai:gpt-5=1/2/3/4", "write MODEL=INPUT/OUTPUT"),
        ("gpt-5=1/2", "unknown model"),
        ("local=1/2,local=1/2", "named twice"),
    ],
)
def test_a_malformed_price_is_named(text: str, said: str) -> None:
    with pytest.raises(BadPrices, match=said):
        parse_prices(text)


def test_cached_tokens_cost_as_much_as_others_unless_a_price_is_given() -> None:
    assert parse_prices("local=3/6") == {"local": Price(Decimal(3), Decimal(6), Decimal(3))}


@pytest.mark.slow
def test_the_table_is_not_loaded_before_it_is_needed() -> None:
    code = (
        "import sys; from relayline.runtime.prices import Prices; from relayline import worker;"
        " Prices().knows('rehearsal'); sys.exit('genai_prices.data' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False)
    assert done.returncode == 0
