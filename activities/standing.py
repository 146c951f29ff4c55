"""How a call stands whose workers died: its losses, and the company that it may have. Pure."""

from __future__ import annotations

import sys
from typing import NamedTuple

ANY_COMPANY = sys.maxsize
FEW = 4
"""How many suspects may be at work together if one of them was lost twice."""


class Past(NamedTuple):
    """What the journal says of the earlier attempts of a call."""

    begun: int = 0
    """The newest attempt that began; 0: none."""
    left: int = 0
    """The newest attempt that left an end."""
    together: int = 0
    """The newest attempt that ran, or was about to run, beside another suspect."""
    losses: int = 0
    counted: int = 0
    """Losses so far, and those that count; both without `begun`."""


class Standing(NamedTuple):
    """How a call stands when an attempt is about to begin."""

    losses: int = 0
    counted: int = 0
    lost: int | None = None
    """The attempt whose loss is not recorded yet."""
    stops: int = 0
    """How often its worker was stopped while it was at work."""


def company(losses: int) -> int:
    """How many suspects may be at work together if one of them was lost so often. Pure.

    The smaller the company, the sooner a death tells who has caused it, and the longer the others
    wait: after one kill all calls of that worker continue at once.
    """
    return {1: ANY_COMPANY, 2: FEW}.get(losses, 1)


def judged(past: Past, attempt: int, *, alive: bool = False) -> Standing:
    """How the call stands before this attempt. Pure.

    Args:
        past: What the journal says.
        attempt: The number of the attempt that is about to begin.
        alive: True if the newest attempt that began ran in this process, which lives.
    """
    losses, counted, begun = past.losses, past.counted, past.begun
    if not past.left < begun < attempt or alive:
        return Standing(losses, counted)
    counts = losses > 0 and past.together < begun
    return Standing(losses + 1, counted + counts, begun)
