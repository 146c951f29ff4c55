"""Who reads a followed run: a watch, which wakes, and a viewer, which yields frames."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from relayline.api.streams.buffer import CHUNK_BYTES
from relayline.api.streams.frames import frame
from relayline.api.streams.subscriber import Subscriber
from relayline.contracts.envelope import StoredEvent
from relayline.journal.port import CursorExpired, JournalUnavailable
from relayline.projections.selection import Selection

if TYPE_CHECKING:
    from relayline.api.streams.feed import Channel

PAGE = 64
"""Events that a viewer behind the buffer reads at once."""
PAGE_BYTES = 256 * 1024
"""Their data, held until they are sent; one event may be larger."""
RETRY_S = 0.5
"""The pause after the journal did not answer."""
_FRAME_END = b"\n\n"
_log = logging.getLogger(__name__)


class Watch(Subscriber):
    """Wakes whenever something happens in a run's journal, until it leaves."""

    def __init__(self, channel: Channel) -> None:
        super().__init__()
        self.channel = channel
        self.left = False
        channel.watches.add(self)

    def leave(self) -> None:
        """Stop watching and wake for the last time; safe to call twice."""
        self.left = True
        self.channel.leave(self)
        self.wake()

    async def sleep_until(self, deadline: float) -> None:
        """Sleep until woken, or until `deadline` on the loop's clock."""
        try:
            async with asyncio.timeout_at(deadline):
                await self.sleep()
        except TimeoutError:
            return


class Viewer(Watch):
    """A watch with a position: yields every selected event after it once, in order."""

    def __init__(self, channel: Channel, position: int, selection: Selection | None = None) -> None:
        super().__init__(channel)
        self.position = position
        self.last: int | None = None
        """`seq` of the last event to show; None: all."""
        self._selection = selection
        self._noticed = 0
        self._loss_sent = False
        self._page: deque[StoredEvent] = deque()

    async def next_chunk(self) -> bytes | None:
        """Everything pending as whole frames (at most about `CHUNK_BYTES`); None at the end."""
        channel = self.channel
        if channel.loss:
            sent, self._loss_sent = self._loss_sent, True
            return None if sent else channel.loss
        while self._is_behind:
            before = self.position
            chunk = await self._from_journal()
            if chunk != b"" or self.position == before:
                return chunk
        if channel.frames.last > self.position:
            chunk, newest = self._take()
            self._moved(newest, chunk)
            if chunk:
                return chunk
        return None if channel.over else self._notice()

    def push_to(self, write: Callable[[bytes], bool]) -> bool:
        """Write what is new if it is in the buffer, fits into a chunk, and the run continues."""
        channel = self.channel
        if self._is_behind or channel.over or channel.loss:
            return False
        if channel.frames.last <= self.position:
            return False
        chunk, newest = self._take()
        if newest < channel.frames.last or (chunk and not write(chunk)):
            return False
        self._moved(newest, chunk)
        return True

    @property
    def _is_behind(self) -> bool:
        """True while the next event is not in the buffer any more."""
        return bool(self._page) or self.channel.frames.first - 1 > self.position

    def _take(self) -> tuple[bytes, int]:
        """What comes next in the buffer, and the newest `seq` that was looked at."""
        frames = self.channel.frames
        if self._selection is None:
            return frames.take(self.position, self.last)
        return frames.take_selected(self.position, self._selection, self.last)

    def _notice(self) -> bytes:
        """The notice of what the run is missing, once."""
        channel = self.channel
        if self._noticed == channel.notices:
            return b""
        self._noticed = channel.notices
        return channel.notice

    async def _from_journal(self) -> bytes | None:
        """For a viewer behind the buffer: from the current page of the journal, or the next."""
        if not self._page:
            try:
                await self._turn_page()
            except CursorExpired:
                return None
        chunk, newest, size = [], self.position, 0
        while self._page and size < CHUNK_BYTES:
            if self.last is not None and self._page[0].seq > self.last:
                newest = self.last
                break
            event = self._page.popleft()
            newest = event.seq
            chunk.append(frame(event))
            size += len(chunk[-1])
        self._moved(newest, joined := b"".join(chunk))
        return joined

    async def _turn_page(self) -> None:
        """Read the next page; it stays empty while the journal does not answer."""
        channel, selection = self.channel, self._selection
        buffered = channel.frames.first
        try:
            read, whose = channel.journal.read, (channel.tenant, channel.run_id)
            bounds = (self.position, PAGE)
            found = await read(*whose, *bounds, max_bytes=PAGE_BYTES, selection=selection)
        except JournalUnavailable as error:
            _log.warning("journal unavailable, stream held", extra={"reason": str(error)})
            asyncio.get_running_loop().call_later(RETRY_S, self.wake)
            return
        self._page.extend(found)
        if not found and selection is not None:  # of what was in the journal, nothing is left
            self.position = max(self.position, buffered - 1)

    def _moved(self, position: int, chunk: bytes) -> None:
        passed = position - self.position
        self.channel.delivered += passed if self._selection is None else chunk.count(_FRAME_END)
        self.position = position
