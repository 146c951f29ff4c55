"""Writes deltas to the journal: the first at once, later ones in small batches."""

from __future__ import annotations

import asyncio
from typing import Literal, NamedTuple

from temporalio.exceptions import ApplicationError

from relayline.activities.attempt import Attempt
from relayline.activities.model.pace import Pace
from relayline.contracts.envelope import NewEvent
from relayline.contracts.errors import ErrorType
from relayline.contracts.events import MessageDelta, ReasoningDelta

HOLD_S = 0.025
"""The longest that a delta waits for others."""
HOLD_BYTES = 2048
"""This much waiting text, in UTF-8, is written at once."""
MAX_WAITING_BYTES = 64 * 1024
"""With this much text waiting for a slow journal, reading the provider pauses."""
MAX_DELTA_CHARS = 16 * 1024
"""A longer text is split into several deltas."""
YIELD_EVERY = 16
"""Others run after so many pieces that need no write."""

Kind = Literal["text", "reasoning"]


class _Piece(NamedTuple):
    kind: Kind
    texts: list[str]


class DeltaWriter:
    """Buffers pieces of an answer and appends them to the journal, in a task of its own.

    The first piece is written at once. A later one waits until `hold_s` after the start of the last
    write, until `HOLD_BYTES` are waiting, or until the kind changes; after a longer silence it is
    written at once, or with many streams at the next tick (see `Pace`). Order is kept and nothing
    is lost or duplicated: the written texts, joined, are the given texts up to the first failed
    append. If the journal has crashed and lost deltas, the writer fails, too, so that the next
    attempt streams the whole answer.
    """

    def __init__(
        self, attempt: Attempt, step: int, pace: Pace | None = None, *, hold_s: float = HOLD_S
    ) -> None:
        self._hold_s = hold_s
        self._attempt = attempt
        self._step = step
        self._pace = pace or Pace()
        self._loop = asyncio.get_running_loop()
        self._waiting: list[_Piece] = []
        self._waiting_bytes = self._puts = 0
        self._next_write = 0.0
        self._sleeper: asyncio.Future[None] | None = None
        self._scheduled = False
        """True if a tick will wake the sleeper."""
        self._room = asyncio.Event()
        self._closing = False
        self._last: tuple[NewEvent, ...] = ()
        self._newest = 0
        """`seq` of the newest delta."""
        self._pace.writers += 1
        self.task = asyncio.create_task(self._write())
        """Ends after `close`, or earlier with the error of the append that failed."""
        self.task.add_done_callback(self._ended)

    async def put(self, kind: Kind, text: str) -> None:
        """Add the next piece; waits only while `MAX_WAITING_BYTES` are not yet written.

        After a failed append this never returns: watch `task`, too.
        """
        if not text:
            return
        waiting = self._waiting
        if waiting and waiting[-1].kind == kind:
            waiting[-1].texts.append(text)
        else:
            waiting.append(_Piece(kind, [text]))
        self._waiting_bytes += utf8_size(text)
        self._schedule()
        self._puts += 1
        if self._sleeper is None or self._sleeper.done() or self._puts % YIELD_EVERY == 0:
            await asyncio.sleep(0)  # let the writer run even if the provider never waits
        while self._waiting_bytes >= MAX_WAITING_BYTES:
            self._room.clear()
            await self._room.wait()

    async def close(self, *facts: NewEvent) -> None:
        """Write the waiting pieces and then the facts in one append, and stop.

        Raises:
            ApplicationError: an append failed; see `Attempt`.
        """
        self._last = facts
        self._closing = True
        if self._sleeper and not self._sleeper.done():
            self._sleeper.set_result(None)
        await asyncio.shield(self.task)

    def abort(self) -> None:
        """Stop without writing the waiting pieces; no effect after `close`."""
        self.task.cancel()

    async def _write(self) -> None:
        while not self._closing:
            self._sleeper, self._scheduled = self._loop.create_future(), False
            self._schedule()
            await self._sleeper
            if not self._closing:
                self._next_write = self._loop.time() + self._hold_s
                await self._append(self._take())
        if events := (*self._take(), *self._last):
            await self._attempt.append(*events)

    def _schedule(self) -> None:
        """If the writer sleeps, wake it when what waits must be written."""
        sleeper, waiting = self._sleeper, self._waiting
        if sleeper is None or not waiting or sleeper.done():
            return
        if len(waiting) > 1 or self._waiting_bytes >= HOLD_BYTES:
            sleeper.set_result(None)
        elif not self._scheduled:
            first = not self._newest
            tick = self._pace.tick(self._next_write, self._loop.time(), first=first)
            if tick is None:
                sleeper.set_result(None)
            else:
                self._pace.wake_at(tick, sleeper)
                self._scheduled = True

    async def _append(self, deltas: list[NewEvent]) -> None:
        """Append deltas.

        Raises:
            ApplicationError: as in `Attempt`; also `journal-unavailable` if the journal reuses
                numbers of earlier deltas, which it has lost.
        """
        placed = await self._attempt.append(*deltas)
        if placed[0].seq <= self._newest:
            raise ApplicationError(
                f"the journal has lost deltas: it has reused number {placed[0].seq}",
                type=ErrorType.JOURNAL_UNAVAILABLE,
            )
        self._newest = placed[-1].seq

    def _take(self) -> list[NewEvent]:
        """Remove the waiting pieces; one event per piece, or several for a long one."""
        pieces, self._waiting, self._waiting_bytes = self._waiting, [], 0
        self._room.set()
        return [
            self._event(piece.kind, text[start : start + MAX_DELTA_CHARS])
            for piece in pieces
            for text in ("".join(piece.texts),)
            for start in range(0, len(text), MAX_DELTA_CHARS)
        ]

    def _event(self, kind: Kind, text: str) -> NewEvent:
        body = MessageDelta(text=text) if kind == "text" else ReasoningDelta(text=text)
        return NewEvent(body=body, step=self._step, attempt=self._attempt.number)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """Keep asyncio from reporting an error that comes after everybody has stopped waiting."""
        self._pace.writers -= 1
        if not task.cancelled():
            task.exception()


def utf8_size(text: str) -> int:
    """The bytes of the text in UTF-8; ASCII, as most pieces are, need not be encoded for that."""
    return len(text) if text.isascii() else len(text.encode())
