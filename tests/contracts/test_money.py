"""Money is exact: sums in any order are the same, and no fraction is lost or made up."""

from __future__ import annotations

from decimal import Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from relayline.contracts.messages import Usage
from relayline.contracts.money import PLACES, Cost

AMOUNTS = st.decimals(0, 10**9, allow_nan=False, allow_infinity=False, places=PLACES)
COSTS = st.builds(Cost.of, AMOUNTS, estimated=st.booleans())
USAGES = st.one_of(
    st.just(Usage()),
    st.builds(
        Usage,
        input_tokens=st.integers(1, 10**6),
        output_tokens=st.integers(0, 10**6),
        cached_tokens=st.just(1),
        reasoning_tokens=st.integers(0, 5),
        cost=st.none() | COSTS,
        estimated=st.booleans(),
    ),
)


@given(st.lists(COSTS, min_size=1, max_size=20))
def test_a_sum_is_exact(costs: list[Cost]) -> None:
    total = costs[0]
    for cost in costs[1:]:
        total += cost
    assert Fraction(total.dollars) == sum(Fraction(it.amount) for it in costs)
    assert total.estimated == any(it.estimated for it in costs)


@given(USAGES, USAGES, USAGES)
def test_usages_add_up_in_any_order(one: Usage, two: Usage, three: Usage) -> None:
    assert (one + two) + three == one + (two + three)
    assert one + two == two + one
    assert one + Usage() == one


@given(USAGES, USAGES)
def test_a_sum_has_a_cost_only_if_every_token_has_a_price(one: Usage, two: Usage) -> None:
    unknown = any(it.total_tokens and it.cost is None for it in (one, two))
    costs = [it.cost for it in (one, two) if it.cost]
    assert ((one + two).cost is None) == (unknown or not costs)


@given(COSTS)
def test_a_cost_is_read_as_it_was_written(cost: Cost) -> None:
    assert Cost.model_validate_json(cost.model_dump_json()) == cost
    assert Cost.of(cost.dollars, estimated=cost.estimated) == cost


def test_sums_do_not_depend_on_the_precision_that_a_process_has_set() -> None:
    with localcontext() as context:
        context.prec = 3
        total = Cost.of(Decimal("1000000.000000000001")) + Cost.of(Decimal("0.1"))
    assert total.amount == "1000000.100000000001"


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("0", "0"),
        ("0.00123", "0.00123"),
        ("12.50", "12.5"),
        ("100", "100"),
        ("1E-12", "0.000000000001"),
        ("4E-13", "0"),
    ],
)
def test_an_amount_is_a_plain_decimal_number(amount: str, text: str) -> None:
    assert Cost.of(Decimal(amount)).amount == text


@pytest.mark.parametrize("amount", ["-1", "NaN", "Infinity"])
def test_what_is_no_amount_is_no_cost(amount: str) -> None:
    with pytest.raises(ValueError, match="no cost"):
        Cost.of(Decimal(amount))
    with pytest.raises(ValidationError):
        Cost(amount=amount)


def test_a_usage_without_cost_is_written_as_before() -> None:
    usage = Usage(input_tokens=3, output_tokens=4)
    assert usage.model_dump() == {"input_tokens": 3, "output_tokens": 4}
    cost = {"amount": "0.5", "currency": "USD"}
    assert usage.model_copy(update={"cost": Cost(amount="0.5")}).model_dump()["cost"] == cost
