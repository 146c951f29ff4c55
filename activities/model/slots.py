"""The slots of a provider in one worker: how many calls run at a time, and whose are next."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NamedTuple

from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from relayline.catalog.models import ProviderLimit
from relayline.contracts.errors import ErrorType
from relayline.contracts.runs import MIDDLE_PRIORITY

SLOT_WAIT_S = 120.0
"""How long a call waits for a slot; then Temporal offers it again, also to other workers."""
ROOM = 2
"""How many calls a worker takes for each slot; those without a slot wait."""
RECENT_S = 5.0
"""A key whose newest call came longer ago wants no slots."""
GRACE_S = 0.1
"""How long a slot is kept for calls that Temporal has yet to offer."""
_RETRY = timedelta(milliseconds=500)


class Waiting(NamedTuple):
    """A call that waits for a slot."""

    key: str
    """Its fairness key."""
    priority: int = MIDDLE_PRIORITY
    """1 is served first."""


def half_of(limit: int) -> int:
    """The slots that one key may have while others wait."""
    return max(1, limit // 2)


def next_call(limit: int, held: Mapping[str, int], waiting: Sequence[Waiting]) -> int | None:
    """Which call starts next: its index in `waiting`; None if none may. Pure.

    While others wait, a key gets no more than half of the slots. Among the keys below that, the
    lowest priority number is first, then the key with the fewest slots, then the longest wait.

    Args:
        limit: Slots in all.
        held: Slots by fairness key.
        waiting: The calls that wait, the longest wait first.
    """
    if not waiting or sum(held.values()) >= limit:
        return None
    half = half_of(limit)

    def rank(index: int) -> tuple[bool, int, int, int]:
        key, priority = waiting[index]
        has = held.get(key, 0)
        return has >= half, priority, has, index

    return min(range(len(waiting)), key=rank)


@dataclass(eq=False)
class _Call:
    """A call that waits for a slot, or has one."""

    who: Waiting
    turn: asyncio.Future[bool]
    """True: it has a slot; False: Temporal must offer it again."""


class Slots:
    """The slots of one provider in one worker process. For one event loop.

    Temporal offers calls of all keys in turns, and no more than the worker has room for. So calls
    of one key may fill that room, and those of others wait outside. While another key was here in
    the last `RECENT_S`, a slot beyond the half of a key is therefore kept free for `GRACE_S`, and
    one of the key's calls that wait makes room for what Temporal offers next.
    """

    def __init__(
        self, limit: ProviderLimit, *, wait_s: float = SLOT_WAIT_S, grace_s: float = GRACE_S
    ) -> None:
        """All slots are free.

        Args:
            limit: Slots in all, and calls started per second.
            wait_s: How long a call waits for a slot.
            grace_s: How long a slot is kept for other keys.
        """
        self._limit = limit.calls
        self._wait_s = wait_s
        self._grace_s = grace_s
        self._held: Counter[str] = Counter()
        self._waiting: list[_Call] = []
        self._came: dict[str, float] = {}
        """When the newest call came of the two keys that came last."""
        self._kept: asyncio.TimerHandle | None = None
        """Ends the time for which free slots are kept."""
        self._may_let_go = 0
        rate = limit.starts_per_s
        self._window_s = 0.0 if rate is None else max(1, int(rate)) / rate
        self._starts: deque[float] = deque(maxlen=0 if rate is None else max(1, int(rate)))

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Hold a slot for the current activity while the block lasts.

        A call that waits has begun nothing: it can be cancelled at once, and its worker's end is
        not counted against it.

        Raises:
            ApplicationError: `slot-waits`, which Temporal retries: no slot was free for `wait_s`,
                the worker stops, or the call makes room for those of other keys.
        """
        given = activity.info().priority
        me = Waiting(given.fairness_key or "", given.priority_key or MIDDLE_PRIORITY)
        async with self._slot(me):
            await self._paced()
            yield

    @asynccontextmanager
    async def _slot(self, who: Waiting) -> AsyncIterator[None]:
        loop = asyncio.get_running_loop()
        self._came.pop(who.key, None)
        self._came = dict([*self._came.items()][-1:]) | {who.key: loop.time()}
        me = _Call(who, loop.create_future())
        self._waiting.append(me)
        self._assign()
        try:
            if not me.turn.done():
                await self._until(me.turn)
            if not me.turn.result():
                raise _waits()
            yield
        finally:
            if not me.turn.done():
                self._waiting.remove(me)
            elif me.turn.result():
                self._held -= Counter([who.key])  # drops a key that has none left
            self._assign()

    async def _until(self, mine: asyncio.Future[bool]) -> None:
        stopping = asyncio.create_task(activity.wait_for_worker_shutdown())
        either: set[asyncio.Future[Any]] = {mine, stopping}
        try:
            await asyncio.wait(either, timeout=self._wait_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
        if not mine.done():
            raise _waits()

    def _assign(self, *, to_anybody: bool = False) -> None:
        """Give free slots to calls that wait; keep those that would exceed the half of a key."""
        while True:
            index = next_call(self._limit, self._held, [call.who for call in self._waiting])
            if index is None:
                self._stop_keeping()
                return
            key = self._waiting[index].who.key
            if not to_anybody and self._exceeds(key):
                self._keep(key)
                return
            self._held[key] += 1
            self._waiting.pop(index).turn.set_result(True)

    def _exceeds(self, key: str) -> bool:
        """Whether one more slot is more than the key's half, and others may want it."""
        since = asyncio.get_running_loop().time() - RECENT_S
        wanted = any(other != key and at > since for other, at in self._came.items())
        return wanted and self._held[key] >= half_of(self._limit)

    def _keep(self, key: str) -> None:
        """Keep the free slots for a while, and make room if that key's calls fill it."""
        if self._kept is None:
            self._kept = asyncio.get_running_loop().call_later(self._grace_s, self._give_kept)
            self._may_let_go = 2  # Temporal offers another call of the same key at most once
        if self._may_let_go and self._held.total() + len(self._waiting) >= ROOM * self._limit:
            self._may_let_go -= 1
            last = next(call for call in reversed(self._waiting) if call.who.key == key)
            self._waiting.remove(last)
            last.turn.set_result(False)

    def _stop_keeping(self) -> None:
        if self._kept:
            self._kept.cancel()
            self._kept = None

    def _give_kept(self) -> None:
        self._kept = None
        self._assign(to_anybody=True)

    async def _paced(self) -> None:
        """Wait until one more call may start in this second."""
        if not self._starts.maxlen:
            return
        now = asyncio.get_running_loop().time()
        full = len(self._starts) == self._starts.maxlen
        start = max(now, self._starts[0] + self._window_s) if full else now
        self._starts.append(start)
        await asyncio.sleep(start - now)


def _waits() -> ApplicationError:
    return ApplicationError(
        "the worker has no slot of the provider for this call",
        type=ErrorType.SLOT_WAITS,
        next_retry_delay=_RETRY,
        category=ApplicationErrorCategory.BENIGN,
    )
