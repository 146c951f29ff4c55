"""What live pages share: a board answers one question again when runs change, for all viewers."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing

from relayline.api.streams.subscriber import Subscriber
from relayline.journal.port import JournalUnavailable
from relayline.journal.table import RunTable

MIN_PAUSE_S = 0.03
"""The least time between two readings of a board."""
REST = 4
"""A board rests for so many times as long as its last reading took: however many runs change, it is
read for at most a fifth of the time."""
RETRY_S = 0.5
_log = logging.getLogger(__name__)
Items = Mapping[str, bytes]
"""What a board shows: JSON texts by the name of each item, in order."""
Changed = frozenset[str] | None
"""Ids of the runs that have changed; None: any may have."""


class Board:
    """One question whose answer is kept current while somebody looks."""

    def __init__(
        self,
        event: str,
        read: Callable[[Changed], Awaitable[Items]],
        every_s: float | None = None,
    ) -> None:
        """Create an idle board.

        Args:
            event: The type of its frames.
            read: Reads what there is to show, given which runs have changed since it last did.
            every_s: Read at these intervals; None: when runs have changed.
        """
        self.event = event
        self.every_s = every_s
        self.items: Items | None = None
        """What there is to show; None before the first reading."""
        self.failed = False
        """True when a reading has failed for good."""
        self.viewers: set[Subscriber] = set()
        self._read = read
        self._changed: Changed = None
        self._stale = asyncio.Event()
        self._stale.set()
        self.task = asyncio.create_task(self._keep(), name=f"live {event}")
        self.task.add_done_callback(self._kept)

    def change(self, runs: Changed) -> None:
        """Read again, soon, because these have changed."""
        if not self._stale.is_set():
            self._changed = runs
        elif self._changed is not None:
            self._changed = None if runs is None else self._changed | runs
        self._stale.set()

    async def _keep(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._due()
            changed = self._changed
            self._stale.clear()
            began = loop.time()
            try:
                self._show(await self._read(changed))
            except JournalUnavailable as error:
                _log.warning("live page: journal unavailable", extra={"reason": str(error)})
                self.change(None)
                await asyncio.sleep(RETRY_S)
            await asyncio.sleep(max(MIN_PAUSE_S, REST * (loop.time() - began)))

    async def _due(self) -> None:
        """Return when it is time to read."""
        try:
            async with asyncio.timeout(self.every_s):
                await self._stale.wait()
        except TimeoutError:
            self.change(None)

    def _show(self, found: Items) -> None:
        if found != self.items:
            self.items = found
            self._wake()

    def _kept(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()):
            _log.error("live page failed", exc_info=error, extra={"board": self.event})
            self.failed = True
            self._wake()

    def _wake(self) -> None:
        for viewer in self.viewers:
            viewer.wake()


class Shown:
    """What one viewer has been sent of a board."""

    def __init__(self, board: Board) -> None:
        self.board = board
        self._sent: Items | None = None

    def frame(self) -> bytes:
        """What has changed since the last frame, as one; empty if nothing has."""
        now, sent = self.board.items, self._sent
        if now is None or now is sent:
            return b""
        self._sent = now
        return b"event: %s\ndata: %s\n\n" % (self.board.event.encode(), self._data(now, sent or {}))

    def _data(self, now: Items, sent: Items) -> bytes:
        """`{"upsert": […], "gone": […]}`: items that are new or different, and names."""
        upsert = b",".join(text for name, text in now.items() if sent.get(name) != text)
        gone = json.dumps([name for name in sent if name not in now]).encode()
        return b'{"upsert":[%s],"gone":%s}' % (upsert, gone)


class ShownWhole(Shown):
    """As `Shown`, of a board with one item, which is sent whole."""

    def _data(self, now: Items, sent: Items) -> bytes:  # noqa: ARG002
        [text] = now.values()
        return text


class Boards:
    """The boards of this process; without a viewer there is none, and nothing is read."""

    def __init__(self, table: RunTable) -> None:
        self._table = table
        self._boards: dict[tuple[object, ...], Board] = {}
        self._listener: asyncio.Task[None] | None = None

    @property
    def kept(self) -> int:
        """Boards that are kept current."""
        return len(self._boards)

    def enter(
        self, key: tuple[object, ...], viewer: Subscriber, make: Callable[[], Board]
    ) -> Board:
        """The board of that key, made if there is none; it wakes the viewer at each change."""
        board = self._boards.get(key)
        if board is None or board.failed:
            board = self._boards[key] = make()
        board.viewers.add(viewer)
        if board.every_s is None and (self._listener is None or self._listener.done()):
            self._listener = asyncio.create_task(self._listen(), name="changed runs")
            self._listener.add_done_callback(_listened)
        return board

    def leave(self, viewer: Subscriber) -> None:
        """The viewer looks at no board any more."""
        for key, board in tuple(self._boards.items()):
            board.viewers.discard(viewer)
            if not board.viewers:
                del self._boards[key]
                board.task.cancel()
        if self._listener and all(board.every_s for board in self._boards.values()):
            self._listener.cancel()
            self._listener = None

    async def close(self) -> None:
        """Stop all reading."""
        tasks = [board.task for board in self._boards.values()]
        if self._listener:
            tasks.append(self._listener)
        self._boards.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _listen(self) -> None:
        """Tell each board of changed runs; the table's first word is that any may have changed."""
        while True:
            try:
                async with aclosing(self._table.changed_runs()) as changes:
                    async for runs in changes:
                        for board in self._boards.values():
                            if board.every_s is None:
                                board.change(runs)
            except JournalUnavailable as error:
                _log.warning("live page: journal unavailable", extra={"reason": str(error)})
            await asyncio.sleep(RETRY_S)


def _listened(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()):
        _log.error("listening for changed runs failed", exc_info=error)
