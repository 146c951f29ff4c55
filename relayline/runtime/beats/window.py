"""Which workers stand still, judged by one watcher on its own monotonic clock. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

LEAST_READS = 4
"""The fewest successful reads that show a worker standing still."""
GAP_S = 1.0
"""After so long without a read, or without a beat of its own, a watcher knows nothing any more."""


class Timing(NamedTuple):
    """How often a worker beats, and how long another may stand still."""

    beat_s: float = 0.5
    patience_s: float = 1.0

    @property
    def read_s(self) -> float:
        """Seconds between two reads of all counters."""
        return self.beat_s / 4

    @property
    def slack_s(self) -> float:
        """How exactly anything is timed: a read that comes so much too soon or late is on time."""
        return self.beat_s / 10

    @property
    def gap_s(self) -> float:
        """`GAP_S`, or two beats if that is more."""
        return max(GAP_S, 2 * self.beat_s)


class Reading(NamedTuple):
    """One successful read of all counters."""

    now_s: float
    """When it began, on the watcher's monotonic clock."""
    beaten_s: float
    """When the watcher's own newest beat was written, on the same clock."""
    mine: int
    """The counter of that beat."""
    counters: Mapping[str, int]
    late_s: float = 0.0
    """How far the watcher itself is behind its schedule since the read before."""


class _Stand(NamedTuple):
    """A counter that stands still."""

    counter: int
    since_s: float
    reads: int
    excused_s: float
    """What the watcher's own lateness takes off."""


class Window:
    """What one watcher has seen of the others since it last knew nothing.

    A worker is late when its counter stood still for `patience_s`, over at least `LEAST_READS`
    reads without a gap, while the watcher's own beats were written and read back. Times of other
    machines play no part. Whatever delays the watcher itself probably delays the others, too: what
    it is late by is taken off. A worker that is not in the table is never
    late: it has left, or is of a version that does not beat.
    """

    def __init__(self, me: str, timing: Timing) -> None:
        self._me = me
        self._timing = timing
        self._read_s: float | None = None
        self._stands: dict[str, _Stand] = {}

    def forget(self) -> None:
        """Start again, because nothing can be known: a read or a beat has failed."""
        self._read_s = None
        self._stands = {}

    def observe(self, reading: Reading) -> frozenset[str]:
        """The workers that are late now."""
        if not self._is_sound(reading):
            self.forget()
        self._read_s = reading.now_s
        others = ((it, count) for it, count in reading.counters.items() if it != self._me)
        self._stands = {it: self._stand(it, count, reading) for it, count in others}
        return frozenset(it for it, stand in self._stands.items() if self._is_late(stand, reading))

    def _is_sound(self, reading: Reading) -> bool:
        gap_s = self._timing.gap_s
        return (
            self._read_s is not None
            and 0 <= reading.now_s - self._read_s <= gap_s
            and reading.now_s - reading.beaten_s <= gap_s
            and reading.counters.get(self._me) == reading.mine
        )

    def _stand(self, worker: str, counter: int, reading: Reading) -> _Stand:
        stand = self._stands.get(worker)
        if stand is None or stand.counter != counter:
            return _Stand(counter, reading.now_s, 1, 0.0)
        excused_s = stand.excused_s + max(0.0, reading.late_s - self._timing.slack_s)
        return stand._replace(reads=stand.reads + 1, excused_s=excused_s)

    def _is_late(self, stand: _Stand, reading: Reading) -> bool:
        stood_s = reading.now_s - stand.since_s - stand.excused_s
        return stand.reads >= LEAST_READS and stood_s + self._timing.slack_s >= (
            self._timing.patience_s
        )
