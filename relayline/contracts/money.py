"""Money: exact sums of what model calls cost. Pure."""

from __future__ import annotations

import operator
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Literal

from pydantic import Field

from relayline.contracts.frozen import Frozen

PLACES = 12
"""Decimals of an amount: a token costs 0.00000005 US dollars and more."""
_STEP = Decimal(1).scaleb(-PLACES)
_EXACT = Context(prec=60, rounding=ROUND_HALF_EVEN)
"""Sums of amounts below 10^40 are exact in it, whatever the process has set."""


class Cost(Frozen):
    """What model calls cost, as the prices of the day said."""

    amount: str = Field(pattern=r"^\d{1,40}(\.\d{1,12})?$")
    """A decimal number, such as `0.00123`."""
    currency: Literal["USD"] = "USD"
    """US dollars, always."""
    estimated: bool = Field(default=False, exclude_if=operator.not_)
    """True if some of the tokens are a guess; left out otherwise."""

    @classmethod
    def of(cls, amount: Decimal, *, estimated: bool = False) -> Cost:
        """That amount, rounded to `PLACES` decimals.

        Raises:
            ValueError: it is negative, or no number.
        """
        if not amount.is_finite() or amount < 0:
            raise ValueError(f"{amount} is no cost")
        rounded = amount.quantize(_STEP, context=_EXACT)
        whole, _, part = f"{rounded:f}".partition(".")
        part = part.rstrip("0")
        return cls(amount=f"{whole}.{part}" if part else whole, estimated=estimated)

    @property
    def dollars(self) -> Decimal:
        """The amount as a number."""
        return Decimal(self.amount)

    @classmethod
    def of_picos(cls, picos: int, *, estimated: bool = False) -> Cost:
        """That many trillionths of a dollar.

        Raises:
            ValueError: it is negative.
        """
        return cls.of(_EXACT.scaleb(Decimal(picos), -PLACES), estimated=estimated)

    @property
    def picos(self) -> int:
        """The amount in trillionths of a dollar, exact."""
        return int(_EXACT.scaleb(self.dollars, PLACES))

    def __add__(self, other: Cost) -> Cost:
        """The sum of both, exact."""
        total = _EXACT.add(self.dollars, other.dollars)
        return Cost.of(total, estimated=self.estimated or other.estimated)
