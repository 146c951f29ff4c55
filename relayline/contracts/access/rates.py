"""Rates: how many requests somebody may send, by class."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

_RATE = re.compile(r"(submit|steer|read)=([1-9][0-9]{0,8})/([smh])")
_SECONDS = {"s": 1, "m": 60, "h": 3600}


class RateClass(StrEnum):
    """Requests that share a rate."""

    SUBMIT = "submit"
    """Runs, batches, schedules."""
    STEER = "steer"
    """Whatever else changes something."""
    READ = "read"


class Rate(NamedTuple):
    """At most `quota` requests at once, and as many again in each `window_s`."""

    quota: int
    window_s: int


Rates = Mapping[RateClass, Rate]


def parse_rates(text: str) -> dict[RateClass, Rate]:
    """Rates by class: `submit=20/s,steer=600/m,read=100/s`.

    Raises:
        ValueError: an item is not of that form.
    """
    rates: dict[RateClass, Rate] = {}
    for item in filter(None, map(str.strip, text.split(","))):
        found = _RATE.fullmatch(item)
        if not found or RateClass(found[1]) in rates:
            raise ValueError(
                f"{item!r}: write each class once, as submit=20/s, steer=600/m or read=9000/h"
            )
        rates[RateClass(found[1])] = Rate(int(found[2]), _SECONDS[found[3]])
    return rates
