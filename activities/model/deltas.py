"""Writes deltas to the journal: the first at once, later ones gathered for a moment."""

from __future__ import annotations

import asyncio
from typing import Literal, NamedTuple

from temporalio.exceptions import ApplicationError

from relayline.activities.attempt import Attempt
from relayline.contracts.envelope import NewEvent
from relayline.contracts.errors import ErrorType
from relayline.contracts.events import MessageDelta, ReasoningDelta

HOLD_S = 0.025
"""The longest that a delta waits for others."""
HOLD_BYTES = 2048
"""That much text, UTF-8, waits no longer."""
MAX_WAITING_BYTES = 64 * 1024
"""With that much text waiting for a slow journal, the provider is read no further."""
MAX_DELTA_CHARS = 16 * 1024
"""A longer text becomes several deltas."""

Kind = Literal["text", "reasoning"]


class _Piece(NamedTuple):
    kind: Kind
    texts: list[str]


class DeltaWriter:
    """Takes pieces of an answer and appends them to the journal, from a task of its own.

    A delta that comes when nothing was written for `hold_s` is written at once. Others wait
    until `hold_s` after the last write began, until `HOLD_BYTES` have come, or until the kind
    changes. Order is kept, nothing is lost or doubled: the texts written, put together, are the
    texts given, up to the first failed append. A journal that has crashed and lost deltas has
    failed, too: the rest would be shown without them, and the next attempt streams all of it.
    """

    def __init__(self, attempt: Attempt, step: int, *, hold_s: float = HOLD_S) -> None:
        self._hold_s = hold_s
        self._attempt = attempt
        self._step = step
        self._waiting: list[_Piece] = []
        self._waiting_bytes = 0
        self._some = asyncio.Event()
        self._enough = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._closing = False
        self._last: tuple[NewEvent, ...] = ()
        self._newest = 0
        """`seq` of the newest delta."""
        self.task = asyncio.create_task(self._write())
        """Ends after `close`, or earlier with the error of the append that failed."""
        self.task.add_done_callback(_consume_error)

    async def put(self, kind: Kind, text: str) -> None:
        """Take the next piece; waits only while `MAX_WAITING_BYTES` are not yet written.

        After a failed append this waits for ever: watch `task`, too.
        """
        if not text:
            return
        if self._waiting and self._waiting[-1].kind == kind:
            self._waiting[-1].texts.append(text)
        else:
            if self._waiting:
                self._enough.set()
            self._waiting.append(_Piece(kind, [text]))
        self._waiting_bytes += len(text.encode())
        self._some.set()
        if self._waiting_bytes >= HOLD_BYTES:
            self._enough.set()
        if self._waiting_bytes >= MAX_WAITING_BYTES:
            self._room.clear()
        await asyncio.sleep(0)  # a provider that never waits must not keep the writer from running
        await self._room.wait()

    async def close(self, *facts: NewEvent) -> None:
        """Write what waits and then the facts, in one append, and stop.

        Raises:
            ApplicationError: an append failed; see `Attempt`.
        """
        self._last = facts
        self._closing = True
        self._some.set()
        self._enough.set()
        await asyncio.shield(self.task)

    def abort(self) -> None:
        """Stop without writing what waits; after `close` it changes nothing."""
        self.task.cancel()

    async def _write(self) -> None:
        loop = asyncio.get_running_loop()
        next_write = loop.time()
        while True:
            await self._some.wait()
            if (hold := next_write - loop.time()) > 0:
                await self._gather(hold)
            if self._closing:
                break
            next_write = loop.time() + self._hold_s
            await self._append(self._take())
        if events := (*self._take(), *self._last):
            await self._attempt.append(*events)

    async def _append(self, deltas: list[NewEvent]) -> None:
        """Append more of the answer.

        Raises:
            ApplicationError: as in `Attempt`; `journal-unavailable` also when these have numbers
                that earlier ones had, which are lost.
        """
        placed = await self._attempt.append(*deltas)
        if placed[0].seq <= self._newest:
            raise ApplicationError(
                f"the journal has lost deltas: event {placed[0].seq} was one already",
                type=ErrorType.JOURNAL_UNAVAILABLE,
            )
        self._newest = placed[-1].seq

    async def _gather(self, hold_s: float) -> None:
        """Wait for more, but no longer than that."""
        try:
            async with asyncio.timeout(hold_s):
                await self._enough.wait()
        except TimeoutError:
            return

    def _take(self) -> list[NewEvent]:
        """Everything that waits, one event for each piece, or more for a long one."""
        pieces, self._waiting, self._waiting_bytes = self._waiting, [], 0
        self._some.clear()
        self._enough.clear()
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


def _consume_error(task: asyncio.Task[None]) -> None:
    """Take note of the error, which may come when nobody waits for this task any more."""
    if not task.cancelled():
        task.exception()
