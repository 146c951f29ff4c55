"""The beats of this worker, and its reading of all others', in a thread of its own."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import Future
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any, NamedTuple, TypeVar

from relayline.journal.beats import Attempted, Beats
from relayline.journal.port import JournalUnavailable
from relayline.runtime.beats.window import Reading, Timing, Window
from relayline.runtime.loop_thread import LoopThread

T = TypeVar("T")
STALL_S = 2.0
"""A worker whose event loop has not turned for so long does not beat."""
TURN_S = STALL_S / 4
"""How often that loop shows that it turns."""
FIRST_BEAT_S = 5.0
"""How long a worker may take to write its first beat."""
_log = logging.getLogger(__name__)


class Pulse(NamedTuple):
    """What one look at the beats has shown."""

    able: bool = False
    """True if this worker's own beats are written; otherwise others may take it for dead."""
    late: frozenset[str] = frozenset()
    """The workers that stand still."""
    told: frozenset[str] = frozenset()
    """Runs whose calls may have to stop."""
    stood: bool = False
    """True if this worker itself has stood still for as long as makes others take it for dead."""


class Heart:
    """Beats while the worker's event loop turns, and reports to that loop what changes.

    A thread of its own makes the beats independent of how busy the loop is, up to `STALL_S`. The
    loop that enters `beating` is the one that is watched and reported to.
    """

    def __init__(
        self,
        beats: Callable[[], Beats],
        worker: str,
        timing: Timing,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Beat as `worker`.

        Args:
            beats: Makes the port; called in the heart's own thread.
            worker: Identity of this process.
            timing: How often, and how long others may stand still.
            clock: Seconds that never jump back.
        """
        self.worker = worker
        self.timing = timing
        self._make = beats
        self._clock = clock
        self._window = Window(worker, timing)
        self._counter = 0
        self._beaten_s = self._turned_s = self._due_s = clock()
        self._pulse = Pulse()
        self._alone = False
        """True while no other worker is known: then a look with each beat is enough."""
        self._ended: deque[Attempted] = deque()
        self._failure: BaseException | None = None
        self._beats: Beats | None = None
        self._thread: LoopThread | None = None

    def problem(self) -> str | None:
        """Why this worker can't beat any more and must be replaced, None while it can."""
        return f"its beats have ended: {self._failure!r}" if self._failure else None

    def release(self, attempted: Attempted) -> None:
        """Forget, with the next beat, that this worker holds the call."""
        self._ended.append(attempted)

    def tell(self, run_id: str) -> None:
        """Tell all workers that calls of this run may have to stop; does not wait.

        If that fails, a call learns of the stop with its next heartbeat.
        """
        if (beats := self._beats) is None or (thread := self._thread) is None:
            return
        telling = asyncio.run_coroutine_threadsafe(beats.tell(run_id), thread.loop)
        telling.add_done_callback(partial(_log_untold, run_id))

    async def ask(self, what: Callable[[Beats], Coroutine[Any, Any, T]]) -> T:
        """Ask the port something, in the heart's thread.

        Raises:
            JournalUnavailable: the storage did not answer, or this worker does not beat.
        """
        beats, thread = self._beats, self._thread
        if beats is None or thread is None:
            raise JournalUnavailable("this worker does not beat")
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(what(beats), thread.loop))

    @asynccontextmanager
    async def beating(
        self, report: Callable[[Pulse], None], listening: Callable[[], bool]
    ) -> AsyncIterator[None]:
        """Beat while the block lasts, and leave at its end.

        Args:
            report: Called in this loop when anything has changed.
            listening: Whether anybody would act on `Pulse.told`; asked from the other thread.

        Raises:
            JournalUnavailable: the first beat can't be written.
        """
        self._thread = thread = LoopThread("beats")
        self._turned_s = self._clock()
        loop = asyncio.get_running_loop()
        turning = asyncio.create_task(self._turn())

        def send(pulse: Pulse) -> None:
            loop.call_soon_threadsafe(report, pulse)

        running = self._run(send, listening)
        beating = asyncio.run_coroutine_threadsafe(running, thread.loop)
        try:
            await self._first_beat()
            yield
        finally:
            turning.cancel()
            beating.cancel()
            with suppress(JournalUnavailable, TimeoutError):
                async with asyncio.timeout(FIRST_BEAT_S):
                    await self.ask(self._leave)
            self._beats = None
            thread.close()

    async def _turn(self) -> None:
        """Show that this loop turns."""
        while True:
            self._turned_s = self._clock()
            await asyncio.sleep(TURN_S)

    async def _first_beat(self) -> None:
        deadline = time.monotonic() + FIRST_BEAT_S
        while not self._pulse.able:
            if time.monotonic() > deadline or self._failure:
                raise JournalUnavailable("this worker could not write its first beat")
            await asyncio.sleep(0.01)

    async def _leave(self, beats: Beats) -> None:
        try:
            await self._release(beats)
            await beats.leave(self.worker)
        finally:
            await beats.close()

    async def _run(self, send: Callable[[Pulse], None], listening: Callable[[], bool]) -> None:
        """Beat, read and report for ever."""
        self._beats = beats = self._make()
        self._due_s = self._clock()
        while True:
            try:
                pulse = await self._look(beats)
            except JournalUnavailable as error:
                self._window.forget()
                self._alone = False
                if self._pulse.able:
                    _log.warning("beats are not written", extra={"reason": str(error)})
                pulse = Pulse(able=self._is_able())
            except Exception as error:
                self._failure = error
                raise
            told = await self._pause(beats, listening)
            pulse = pulse._replace(told=told)
            if pulse != self._pulse or told or pulse.stood:
                self._pulse = pulse
                with suppress(RuntimeError):  # that loop is closed
                    send(pulse)

    def _is_able(self) -> bool:
        longest_s = max(self.timing.patience_s, 2 * self.timing.beat_s)
        return self._counter > 0 and self._clock() - self._beaten_s <= longest_s

    async def _look(self, beats: Beats) -> Pulse:
        """Beat if it is time, then read everybody's counters."""
        now_s = self._clock()
        stood = self._counter > 0 and now_s - self._beaten_s > self.timing.patience_s
        if now_s - self._turned_s > STALL_S:
            raise JournalUnavailable("the event loop of this worker does not turn")
        if self._counter == 0 or now_s - self._beaten_s >= 0.75 * self.timing.beat_s:
            await self._beat(beats)
        began_s = self._clock()
        counters = await beats.counters()
        self._alone = counters.keys() <= {self.worker}
        late_s = max(0.0, self._clock() - self._due_s)
        reading = Reading(began_s, self._beaten_s, self._counter, counters, late_s)
        return Pulse(self._is_able(), self._window.observe(reading), stood=stood)

    async def _beat(self, beats: Beats) -> None:
        await beats.beat(self.worker, self._counter + 1)
        self._counter += 1
        self._beaten_s = self._clock()
        await self._release(beats)

    async def _release(self, beats: Beats) -> None:
        ended = [self._ended.popleft() for _ in range(len(self._ended))]
        if not ended:
            return
        try:
            await beats.release(self.worker, ended)
        except JournalUnavailable:
            self._ended.extend(ended)
            raise

    async def _pause(self, beats: Beats, listening: Callable[[], bool]) -> frozenset[str]:
        """Wait until the next look is due, or until runs are told of; those."""
        now_s = self._clock()
        every_s = self.timing.beat_s if self._alone else self.timing.read_s
        self._due_s = max(self._due_s + every_s, now_s)
        left_s = self._due_s - now_s
        if self._counter and listening():
            with suppress(JournalUnavailable):
                return frozenset(await beats.told(left_s))
        await asyncio.sleep(left_s)
        return frozenset()


def _log_untold(run_id: str, telling: Future[None]) -> None:
    if not telling.cancelled() and (error := telling.exception()):
        _log.warning("workers are not told of a stop", extra={"run_id": run_id, "why": str(error)})
