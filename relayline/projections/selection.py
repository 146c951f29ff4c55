"""Which events of a run a reader wants. Pure."""

from __future__ import annotations

from typing import NamedTuple

from relayline.projections.valid import DELTAS

MAX_SEQ = 2**62
"""Above every `seq`."""


class Selection(NamedTuple):
    """Which events of a run to read."""

    types: frozenset[str] = frozenset()
    """Only these; empty: all."""
    deltas_after: int = 0
    """Deltas up to this `seq` are left out."""
    before: int = MAX_SEQ
    """Only events with a lower `seq`; below `MAX_SEQ`, a limit keeps the newest of them."""

    def has(self, event_type: str, seq: int) -> bool:
        """True for an event that is read."""
        is_left_out = seq <= self.deltas_after and event_type in DELTAS
        return not is_left_out and (not self.types or event_type in self.types)
