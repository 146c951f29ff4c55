"""The calls at work in this worker: their heartbeats to Temporal, and who holds them."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import timedelta

from temporalio import activity
from temporalio.exceptions import ApplicationError

from relayline.contracts.commands import CommandKind
from relayline.contracts.envelope import Outbox
from relayline.contracts.errors import ErrorType
from relayline.contracts.events import TERMINAL_TYPES, CommandAccepted, RunRewound
from relayline.journal.beats import Attempted
from relayline.journal.port import Holder

HEARTBEAT_EVERY_S = 0.6
"""How often a call heartbeats that has no heartbeat time-out."""
UNSURE_EVERY_S = 1.0
"""The same for all calls while this worker can't beat, and so can't hear of a stop either."""
STOP_AGAIN_S = 0.3
STOP_TIMES = 5
"""A call that was told of a stop heartbeats so often: Temporal may hear of the stop a little
later than the journal."""
REMEMBERED, RECENT_S = 100, 2.0
"""Runs that were told of a moment ago, for calls of theirs that begin just now."""
ABLE_WAIT_S = 1.0
"""How long a call waits to begin while this worker can't beat."""
_ABLE_POLL_S = 0.02
_RETRY = timedelta(seconds=1)
_STOPS = {CommandKind.REDIRECT, CommandKind.CANCEL, CommandKind.PAUSE}


def stops(outbox: Outbox) -> bool:
    """True if these facts tell of something that may stop the run's calls.

    Runs that began with an older version say it in no other way than by these.
    """
    return any(
        isinstance(fact.body, RunRewound)
        or fact.body.type in TERMINAL_TYPES
        or (isinstance(fact.body, CommandAccepted) and fact.body.kind in _STOPS)
        for fact in outbox.facts
    )


class Presence:
    """The calls at work in one worker process. For one event loop.

    A call heartbeats to Temporal at a third of its own heartbeat time-out, whatever version of the
    workflow has set that, and at once when the worker hears of a stop in its run. Whether the
    worker lives is told by its beats (`runtime.beats`), not by these.
    """

    def __init__(
        self,
        worker: str | None = None,
        tell: Callable[[str], None] = lambda _: None,
        release: Callable[[Attempted], None] = lambda _: None,
    ) -> None:
        """No call is at work yet.

        Args:
            worker: Identity of this process; None if it does not beat.
            tell: Tells all workers that calls of this run may have to stop.
            release: Called when this worker has ended a call.
        """
        self._worker = worker
        self._tell = tell
        self._release = release
        self._able = True
        self._calls: defaultdict[str, set[_Wake]] = defaultdict(set)
        self._told: deque[tuple[float, str]] = deque(maxlen=REMEMBERED)

    @property
    def busy(self) -> bool:
        """True while a call is at work; may be asked from any thread."""
        return bool(self._calls)

    def heed(self, *, able: bool, told: Iterable[str], stood: bool) -> None:
        """Act on what the worker's beats have shown.

        Args:
            able: False while the worker can't beat: it begins no call.
            told: Runs whose calls may have to stop.
            stood: True if the worker has stood still: each call asks Temporal if it is still its.
        """
        changed, self._able = able is not self._able, able
        now_s = time.monotonic()
        self._told.extend((now_s, run_id) for run_id in told)
        everybody = stood or changed
        for run_id in list(self._calls) if everybody else told:
            for wake in self._calls.get(run_id, ()):
                wake.call()

    def tell(self, run_id: str) -> None:
        """Tell the workers, this one included, that calls of this run may have to stop."""
        for wake in self._calls.get(run_id, ()):
            wake.call()
        self._tell(run_id)

    @asynccontextmanager
    async def at_work(self, run_id: str, scope: str) -> AsyncIterator[Holder | None]:
        """Heartbeat while the block lasts; yields who holds the call, for its fence.

        Raises:
            ApplicationError: `journal-unavailable`: this worker can't beat for `ABLE_WAIT_S`, so it
                begins nothing; Temporal retries.
        """
        if not await self._beats():
            raise ApplicationError(
                "this worker's beats can't be written",
                type=ErrorType.JOURNAL_UNAVAILABLE,
                next_retry_delay=_RETRY,
            )
        info, wake = activity.info(), _Wake()
        self._calls[run_id].add(wake)
        if any(it == run_id and time.monotonic() - at_s < RECENT_S for at_s, it in self._told):
            wake.call()
        beating = asyncio.create_task(self._heartbeat(wake))
        try:
            yield Holder(self._worker, info.activity_id, info.task_token) if self._worker else None
        finally:
            beating.cancel()
            self._calls[run_id].discard(wake)
            if not self._calls[run_id]:
                del self._calls[run_id]
            if self._worker:
                self._release(Attempted(run_id, scope, info.attempt))

    async def _beats(self) -> bool:
        """Whether this worker can beat; waits a moment for a worker that has just woken up."""
        until_s = time.monotonic() + ABLE_WAIT_S
        while not self._able and time.monotonic() < until_s:
            await asyncio.sleep(_ABLE_POLL_S)
        return self._able

    async def _heartbeat(self, wake: _Wake) -> None:
        every_s = _interval_s()
        while True:
            woken = await wake.wait(every_s if self._able else min(every_s, UNSURE_EVERY_S))
            activity.heartbeat()
            for _ in range(STOP_TIMES if woken else 0):
                await asyncio.sleep(min(STOP_AGAIN_S, every_s))
                activity.heartbeat()


class _Wake:
    """Ends the pause between two heartbeats of one call."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def call(self) -> None:
        """End the pause, or skip the next one."""
        self._event.set()

    async def wait(self, longest_s: float) -> bool:
        """Pause; True if it was ended early."""
        try:
            async with asyncio.timeout(longest_s):
                await self._event.wait()
        except TimeoutError:
            return False
        self._event.clear()
        return True


def _interval_s() -> float:
    """A third of the activity's own heartbeat time-out."""
    timeout = activity.info().heartbeat_timeout
    return timeout.total_seconds() / 3 if timeout else HEARTBEAT_EVERY_S


@asynccontextmanager
async def heartbeats() -> AsyncIterator[None]:
    """Heartbeat at a third of the activity's time-out, from a separate task, until the end."""

    async def beat() -> None:
        while True:
            await asyncio.sleep(_interval_s())
            activity.heartbeat()

    task = asyncio.create_task(beat())
    try:
        yield
    finally:
        task.cancel()
