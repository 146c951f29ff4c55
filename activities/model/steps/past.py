"""The facts of runs, as model calls need them: a worker keeps them from step to step."""

from __future__ import annotations

import asyncio
import sys
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import NamedTuple

from relayline.activities.attempt import Attempt
from relayline.activities.model.agents import PINNED
from relayline.contracts.envelope import StoredEvent
from relayline.projections.projection import fold
from relayline.projections.transcript import Transcript, Unbilled
from relayline.projections.valid import REWOUND, counting

MAX_KEPT_BYTES = 64 * 1024 * 1024
"""Limit for the memory of all facts that a worker keeps."""
_FACT_BYTES = 2500
"""Memory of a fact beside its data, which it has twice: as it was stored, and as it was read."""
KEPT_S = 600.0
"""How long a worker keeps the facts of a run that takes no step on it."""


class Past(NamedTuple):
    """What a run's journal had when it was read."""

    stored: tuple[StoredEvent, ...]
    """All facts."""
    facts: tuple[StoredEvent, ...]
    """Those that count, without pinned agents."""
    told: Transcript
    """Folded from them."""
    unbilled: Unbilled
    """Folded from them, too."""
    size: int
    """About the memory of all facts, in bytes."""


def past_of(stored: Sequence[StoredEvent]) -> Past:
    """The past of a run with these facts."""
    facts = tuple(counting(fact for fact in stored if fact.type != PINNED))
    told, unbilled = fold(Transcript(), facts), fold(Unbilled(), facts)
    return Past(tuple(stored), facts, told, unbilled, _size(stored))


def _continued(past: Past, newer: Sequence[StoredEvent]) -> Past:
    """The past with the facts that came after it."""
    if any(fact.type == REWOUND for fact in newer):
        return past_of((*past.stored, *newer))
    fresh = tuple(fact for fact in newer if fact.type != PINNED)
    return Past(
        (*past.stored, *newer),
        (*past.facts, *fresh),
        fold(past.told, fresh),
        fold(past.unbilled, fresh),
        past.size + _size(newer),
    )


def _size(facts: Sequence[StoredEvent]) -> int:
    return sum(2 * sys.getsizeof(fact.data) + _FACT_BYTES for fact in facts)


class Pasts:
    """Reads the facts of runs, of those that it knows only the new ones. For one event loop.

    A journal never changes a fact. The newest one that is known is read again all the same: if it
    is another, the journal was restored from a backup, and everything is read. Each epoch of a run
    is read from its start.
    """

    def __init__(
        self, max_bytes: int = MAX_KEPT_BYTES, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._max_bytes = max_bytes
        self._clock = clock
        self._known: OrderedDict[tuple[str, int], tuple[float, Past]] = OrderedDict()
        self._kept_bytes = 0
        self._sweep: asyncio.TimerHandle | None = None

    async def of(self, attempt: Attempt, epoch: int, begun: Sequence[StoredEvent]) -> Past:
        """The past of the attempt's run.

        Args:
            attempt: The attempt.
            epoch: Its epoch.
            begun: All facts if the run has just begun, else nothing.

        Raises:
            ApplicationError: the journal's errors, as in `Attempt`.
        """
        if begun:
            return past_of(begun)
        place = (attempt.run_id, epoch)
        past = await self._read(attempt, self._taken(place))
        self._keep(place, past)
        return past

    async def _read(self, attempt: Attempt, known: Past | None) -> Past:
        if known and known.stored:
            last = known.stored[-1]
            read = await attempt.read_all(last.seq - 1, facts=True)
            if read and read[0] == last:
                return _continued(known, read[1:])
        return past_of(await attempt.read_all(facts=True))

    def _taken(self, place: tuple[str, int]) -> Past | None:
        """What is known of that run, which is then known no more."""
        _, past = self._known.pop(place, (0.0, None))
        self._kept_bytes -= past.size if past else 0
        return past

    def _keep(self, place: tuple[str, int], past: Past) -> None:
        self._taken(place)
        if past.size > self._max_bytes:
            return
        self._known[place] = self._clock(), past
        self._kept_bytes += past.size
        while self._kept_bytes > self._max_bytes:
            self._taken(next(iter(self._known)))
        if self._sweep is None:
            self._sweep_later()

    def _sweep_later(self) -> None:
        self._sweep = asyncio.get_running_loop().call_later(KEPT_S / 10, self.sweep)

    def sweep(self) -> None:
        """Forget the runs that have taken no step for `KEPT_S`; called now and then."""
        before = self._clock() - KEPT_S
        for place in [it for it, (used_at, _) in self._known.items() if used_at < before]:
            self._taken(place)
        self._sweep = None
        if self._known:
            self._sweep_later()
