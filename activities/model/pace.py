"""The ticks at which streams write their deltas, so that many streams share a commit."""

from __future__ import annotations

import asyncio

TICK_S = 0.0125
"""Time between two ticks."""
UNIT_S = TICK_S / 3
"""The same with so many streams that a reader would get too many deltas at a time."""
FEW_WRITERS = 4
"""With at most so many streams, a delta that need not wait is written at once."""
CLOSE_FROM, CLOSE_TO = 21, 100
"""Streams with which ticks come every `UNIT_S`. The last delta of a commit reaches its reader after
all others of that commit. With still more streams, the commits cost more than that wait."""


class Pace:
    """The ticks of all delta writers of one event loop.

    A wake of the journal's thread, a commit and a notification cost more than a delta does. What is
    due between two ticks is written at the earlier one, together.
    """

    def __init__(self) -> None:
        self.writers = 0
        """Open writers."""
        self._due: dict[int, list[asyncio.Future[None]]] = {}

    def tick(self, earliest: float, now: float, *, first: bool) -> int | None:
        """The tick of the next write, in `UNIT_S`; None: now.

        Args:
            earliest: When the writer may write again, on the loop's clock.
            now: The time on that clock.
            first: True for the first write of an answer, which never waits.
        """
        units = 1 if CLOSE_FROM <= self.writers <= CLOSE_TO else 3
        if earliest > now:
            tick = int(earliest / (units * UNIT_S)) * units
            return tick if tick * UNIT_S > now else None
        if first or self.writers <= FEW_WRITERS:
            return None
        return (int(now / (units * UNIT_S)) + 1) * units

    def wake_at(self, tick: int, sleeper: asyncio.Future[None]) -> None:
        """Resolve the future at that tick if it is not done by then."""
        sleepers = self._due.get(tick)
        if sleepers is None:
            sleepers = self._due[tick] = []
            asyncio.get_running_loop().call_at(tick * UNIT_S, self._wake, tick)
        sleepers.append(sleeper)

    def _wake(self, tick: int) -> None:
        for sleeper in self._due.pop(tick):
            if not sleeper.done():
                sleeper.set_result(None)
