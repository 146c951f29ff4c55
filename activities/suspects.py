"""Calls that take their worker along: how often they did, and when a suspect may run.

An attempt that began and left no end was lost with its worker. From its first loss a call is a
suspect. Which of the calls on a worker has killed it shows only when a suspect was the only one at
work: that loss counts, and after `allowed` of them the call fails as `worker-lost`.

Everything is in the journal. An attempt begins when it raises the fence of its call; in the same
transaction it records that the attempt before it was lost (`attempt.lost`). It leaves an end when
it raises the fence of `left_scope`: when it fails, when it is cancelled, and as soon as its worker
begins to stop, so that neither a deployment nor the SIGKILL at its end counts. A suspect that does
not run alone raises the fence of `together_scope` first, for itself and for the others.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import NamedTuple

from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from relayline.activities.attempt import Attempt, uninterrupted
from relayline.activities.standing import ANY_COMPANY, Past, Standing, company, judged
from relayline.contracts.envelope import NewEvent, Outbox, StoredEvent
from relayline.contracts.errors import ErrorType
from relayline.contracts.events import AttemptLost
from relayline.contracts.keys import left_scope, lost_key, stopped_scope, together_scope

ALLOWED = 3
"""Counted losses at which a call fails, unless the settings say otherwise."""
MOST_STOPS = 20
"""A call fails when its worker was stopped so often while it was at work: it may stop it itself."""
TURN_WAIT_S = 2.0
"""How long a suspect waits for its turn; then Temporal offers it again, also to other workers."""
_RETRY = timedelta(milliseconds=500)
_REMEMBERED = 1000
"""Attempts whose end could not be journaled, that this process remembers."""


class Called(NamedTuple):
    """What is called."""

    step: int
    call_id: str | None = None
    name: str | None = None
    """None for a model call, like `call_id`."""
    claim: str | None = None
    """Key of the fact after which an attempt runs nothing; None if there is none."""


class Begun(NamedTuple):
    """An attempt that has begun."""

    first: bool
    """True if some of the outbox's facts are new."""
    verdict: str | None
    """Why the call is not tried again, in words for people; None if it may run."""
    facts: tuple[StoredEvent, ...] = ()
    """As in `Opened`."""


class _Suspect:
    """A suspect that waits or is at work."""

    def __init__(self, attempt: Attempt, called: Called, standing: Standing) -> None:
        self.attempt = attempt
        self.company = company(standing.losses)
        """With how many suspects it may run, itself included."""
        self.rank = (-standing.counted, called.call_id is None)
        """Of those whose company is limited, the lowest is next: tools first, which are more often
        deadly."""
        self.marked = False


class Suspects:
    """The calls of one worker process. For one event loop.

    Suspects that were lost once run together, so that the answers of a killed worker continue at
    once; those that were lost twice run in small `company`, all others alone. A loss in company
    counts against none of them. Calls that are no suspects run at any time.
    """

    def __init__(
        self,
        allowed: int = ALLOWED,
        *,
        most_stops: int = MOST_STOPS,
        turn_wait_s: float = TURN_WAIT_S,
    ) -> None:
        self._allowed = allowed
        self._most_stops = most_stops
        self._turn_wait_s = turn_wait_s
        self._running: set[tuple[str, str, int]] = set()
        self._unmarked: deque[tuple[str, str, int]] = deque(maxlen=_REMEMBERED)
        self._waiting: list[_Suspect] = []
        self._suspects: list[_Suspect] = []
        self._changed = asyncio.Event()

    @asynccontextmanager
    async def begun(
        self, attempt: Attempt, called: Called, outbox: Outbox, result: str
    ) -> AsyncIterator[Begun]:
        """Begin the attempt when it is its turn, as `Attempt.open` does; it works in the block.

        Raises:
            ApplicationError: `suspect-waits`: another suspect is at work on this worker; Temporal
                retries. Otherwise as `Attempt.open`.
        """
        standing = await self._standing(attempt, called, result)
        if standing.losses and not self._verdict(called, standing):
            async with self._turn(_Suspect(attempt, called, standing)):
                standing = await self._standing(attempt, called, result)
                async with self._working(attempt, called, outbox, result, standing) as begun:
                    yield begun
        else:
            async with self._working(attempt, called, outbox, result, standing) as begun:
                yield begun

    async def _standing(self, attempt: Attempt, called: Called, result: str) -> Standing:
        if attempt.number == 1 or await attempt.get(result):
            return Standing()
        if called.claim and await attempt.get(called.claim):
            return Standing()
        scope, losses, counted = attempt.scope, 0, 0
        while stored := await attempt.get(lost_key(scope, losses + 1)):
            body, losses = stored.body(), losses + 1
            counted = body.counted if isinstance(body, AttemptLost) else counted
        begun = await attempt.fenced(scope)
        left = await attempt.fenced(left_scope(scope))
        together = await attempt.fenced(together_scope(scope))
        stops = await attempt.fenced(stopped_scope(scope))
        before = (attempt.run_id, scope, begun)
        alive = before in self._running or before in self._unmarked
        past = Past(begun, left, together, losses, counted)
        return judged(past, attempt.number, alive=alive)._replace(stops=stops)

    @asynccontextmanager
    async def _working(
        self, attempt: Attempt, called: Called, outbox: Outbox, result: str, standing: Standing
    ) -> AsyncIterator[Begun]:
        """Begin; however the block ends, the attempt leaves an end."""
        lost = self._fact(attempt, called, standing)
        opened = await attempt.open(outbox, result, lost)
        me = (attempt.run_id, attempt.scope, attempt.number)
        self._running.add(me)
        stopping = asyncio.create_task(self._leave_when_stopping(attempt, standing.stops))
        try:
            yield Begun(opened.first, self._verdict(called, standing), opened.facts)
        except BaseException as error:
            if not (isinstance(error, ApplicationError) and error.non_retryable):
                await uninterrupted(self._leave(attempt))
            raise
        finally:
            stopping.cancel()
            self._running.discard(me)

    async def _leave_when_stopping(self, attempt: Attempt, stops: int) -> None:
        await activity.wait_for_worker_shutdown()
        await self._leave(attempt, stops + 1)

    async def _leave(self, attempt: Attempt, stops: int = 0) -> None:
        """Record that the attempt does not end with its worker.

        Args:
            attempt: Which one.
            stops: The number of stops of its worker with this one; 0 if it is none.
        """
        try:
            await attempt.mark(left_scope(attempt.scope))
            if stops:
                await attempt.mark(stopped_scope(attempt.scope), stops)
        except ApplicationError as error:
            why = {"reason": error.message}
            activity.logger.warning("the end of an attempt is unrecorded", extra=why)
            self._unmarked.append((attempt.run_id, attempt.scope, attempt.number))

    @asynccontextmanager
    async def _turn(self, me: _Suspect) -> AsyncIterator[None]:
        """Be at work as a suspect, as soon as the others allow it."""
        self._waiting.append(me)
        try:
            async with asyncio.timeout(self._turn_wait_s):
                while not self._allow(me):
                    await self._changed.wait()
            self._suspects.append(me)
        except TimeoutError:
            raise _waits() from None
        finally:
            self._waiting.remove(me)
            self._wake()
        try:
            await self._mark_together(me)
            yield
        finally:
            self._suspects.remove(me)
            self._wake()

    def _wake(self) -> None:
        """Have everybody who waits look again."""
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def _allow(self, me: _Suspect) -> bool:
        if len(self._suspects) >= min(it.company for it in (me, *self._suspects)):
            return False
        limited = [it for it in self._waiting if it.company < ANY_COMPANY]
        return me not in limited or me is min(limited, key=lambda it: it.rank)

    async def _mark_together(self, newcomer: _Suspect) -> None:
        """Before a second suspect begins, the journal knows that neither is alone."""
        if self._suspects == [newcomer]:
            return
        for each in [it for it in self._suspects if not it.marked]:
            await each.attempt.mark(together_scope(each.attempt.scope))
            each.marked = True

    def _fact(self, attempt: Attempt, called: Called, standing: Standing) -> NewEvent | None:
        """`attempt.lost` if there is a loss to record."""
        if standing.lost is None:
            return None
        body = AttemptLost(
            attempt=standing.lost,
            call_id=called.call_id,
            name=called.name,
            losses=standing.losses,
            counted=standing.counted,
            allowed=self._allowed,
        )
        key = lost_key(attempt.scope, standing.losses)
        return NewEvent(body=body, step=called.step, attempt=standing.lost, key=key)

    def _verdict(self, called: Called, standing: Standing) -> str | None:
        what = called.name or "the model call"
        if standing.stops >= self._most_stops:
            return (
                f"{what} was at work each of the {standing.stops} times when its worker was "
                "stopped, and is not tried again"
            )
        if standing.counted < self._allowed:
            return None
        return (
            f"{what} has taken its worker along {standing.counted} times "
            f"({standing.losses} workers died while it ran) and is not tried again"
        )


def _waits() -> ApplicationError:
    return ApplicationError(
        "the worker of an earlier attempt died, and another such call is at work on this one",
        type=ErrorType.SUSPECT_WAITS,
        next_retry_delay=_RETRY,
        category=ApplicationErrorCategory.BENIGN,
    )


def worker_lost(why: str) -> ApplicationError:
    """The failure of a call that is not tried again."""
    return ApplicationError(
        why,
        type=ErrorType.WORKER_LOST,
        non_retryable=True,
        category=ApplicationErrorCategory.BENIGN,
    )
