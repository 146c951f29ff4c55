"""One open stream: it has a task only while there is more to do than to write what is new."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from starlette.types import Message, Send

from relayline.api.auth.bearer import Access

RETRY = b"retry: 1000\n\n"
HEARTBEAT = b": \n\n"
_END = {"type": "http.response.body", "body": b"", "more_body": False}
_log = logging.getLogger(__name__)


class Owner(Protocol):
    """Who keeps the open streams of this process."""

    closing: bool
    """True when all of them must end."""

    def left(self, stream: Opened) -> None:
        """A stream is over."""
        ...


class Opened(Protocol):
    """An open stream, or a WebSocket."""

    @property
    def source(self) -> Source:
        """Of what it sends."""
        ...

    @property
    def access(self) -> Access | None:
        """As in `Slot`."""
        ...

    def check(self, now: float, silent_s: float, stuck_s: float) -> None:
        """See whether its client is there and reads; called a few times in `silent_s`."""
        ...

    def finish(self) -> None:
        """Its credentials have ended; called again, drop it."""
        ...

    def abort(self) -> None:
        """Drop the connection."""
        ...


class Source(Protocol):
    """The source of a stream's bytes: a `Subscriber` with chunks."""

    pusher: Callable[[], bool] | None

    async def next_chunk(self) -> bytes | None:
        """The frames that are ready, whole; empty when there are none, None at the end."""
        ...

    def push_to(self, write: Callable[[bytes], bool]) -> bool:
        """As in `Subscriber`."""
        ...

    def may_rest(self) -> bool:
        """As in `Subscriber`."""
        ...

    def wake(self) -> None:
        """There may be a new chunk."""
        ...

    def leave(self) -> None:
        """The stream is over; release its resources."""
        ...


class Slot:
    """The right to hold one stream open; released once."""

    __slots__ = ("_client", "_release", "access")

    def __init__(
        self,
        release: Callable[[str, Access | None], None],
        client: str,
        access: Access | None = None,
    ) -> None:
        self.access = access
        """What its client proved who it is by; None while authentication is off."""
        self._release: Callable[[str, Access | None], None] | None = release
        self._client = client

    def release(self) -> None:
        """Release it; safe to call twice."""
        if self._release is not None:
            self._release(self._client, self.access)
            self._release = None


class OpenStream:
    """Sends a source's chunks until it ends, the client disconnects, or the server stops.

    What is new is written at once, by whoever wakes the source. A task works only while that is not
    possible: at the start, behind the buffer, for a client that reads slowly, at the end.
    """

    __slots__ = (
        "_abort",
        "_beat",
        "_finishing",
        "_gone",
        "_idle",
        "_left",
        "_owner",
        "_queued",
        "_send",
        "_sending",
        "_sent_at",
        "_slot",
        "_task",
        "_waiter",
        "_write",
        "over",
        "source",
    )

    def __init__(
        self, owner: Owner, source: Source, slot: Slot, connection: Mapping[str, Any]
    ) -> None:
        """Create a stream that has sent nothing; it owns source and slot.

        Args:
            owner: Learns of the end.
            source: Of its bytes.
            slot: Released at the end.
            connection: The functions of `CONNECTION`, as far as the server has them.
        """
        self.source = source
        self.over = False
        """True when it has ended and released everything."""
        self._owner = owner
        self._slot = slot
        self._abort: Callable[[], None] | None = connection.get("abort")
        self._queued: Callable[[], int] = connection.get("queued", int)
        self._write: Callable[[bytes], bool] = connection.get("write", _not_now)
        self._send: Send = _nowhere
        self._gone = self._beat = self._idle = self._sending = self._finishing = False
        self._sent_at = asyncio.get_running_loop().time()
        self._left = 0
        self._task: asyncio.Task[None] | None = None
        self._waiter: asyncio.Future[None] | None = None
        source.pusher = self._woken

    async def begin(self, send: Send) -> None:
        """Send what is there; return when the rest comes by itself, or the stream has ended."""
        self._send = send
        try:
            await self._put(RETRY)
            await self._work()
        finally:
            if not self._idle:
                self.end()

    def end(self) -> None:
        """Release everything; safe to call twice."""
        if not self.over:
            self.over, self._idle = True, False
            self.source.pusher = None
            self.source.leave()
            self._slot.release()
            self._owner.left(self)
            if self._waiter is not None and not self._waiter.done():
                self._waiter.set_result(None)

    async def ended(self) -> None:
        """Return when it has ended; for one caller."""
        if not self.over:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter

    def check(self, now: float, silent_s: float, stuck_s: float) -> None:
        """Send a heartbeat after `silent_s` of silence; drop it if unread for `stuck_s`.

        A slow send proves nothing: one large event may take a slow reader minutes.
        """
        if not self._sending:
            if now - self._sent_at >= silent_s:
                if self._idle and self._write(HEARTBEAT):
                    self._sent_at = now
                else:
                    self._beat = True
                    self.source.wake()
        elif (left := self._queued()) < self._left:
            self._left, self._sent_at = left, now
        elif now - self._sent_at >= stuck_s:
            _log.info("client does not read: stream dropped")
            self.abort()

    @property
    def access(self) -> Access | None:
        """What its client proved who it is by; None while authentication is off."""
        return self._slot.access

    def finish(self) -> None:
        """End it with a `retry`; the second time, drop it: its client does not read."""
        if self._finishing:
            self.abort()
            return
        self._finishing = True
        self.source.wake()

    def abort(self) -> None:
        """Drop the connection; the client resumes from its cursor."""
        if self._abort is not None:
            self._abort()
        self.leave()

    def leave(self) -> None:
        """The client has gone."""
        self._gone = True
        if self._idle:
            self.end()
        else:
            self.source.wake()

    def _woken(self) -> bool:
        """Send what is new at once, or have a task do it; False while one works already."""
        if not self._idle:
            return False
        more = self._gone or self._beat or self._must_end
        if more or not self.source.push_to(self._push):
            self._idle = False
            self._task = asyncio.create_task(self._go_on(), name="stream")
        return True

    def _push(self, chunk: bytes) -> bool:
        """Write it now, if that is possible, and note the time."""
        if not self._write(chunk):
            return False
        self._sent_at = asyncio.get_running_loop().time()
        return True

    async def _go_on(self) -> None:
        """Work, outside of the request; an error drops the connection."""
        try:
            await self._work()
        except Exception:  # noqa: BLE001  told, and the client learns that it must return
            _log.exception("a stream failed")
            self.abort()
        finally:
            self._task = None
            if not self._idle:
                self.end()

    async def _work(self) -> None:
        """Send until nothing is left, which makes the stream idle, or until it has ended."""
        source = self.source
        while not (self._gone or self._must_end):
            if self._beat:
                await self._put(HEARTBEAT)
            chunk = await source.next_chunk()
            if chunk is None:
                break
            if chunk:
                await self._put(chunk)
            elif source.may_rest():
                self._idle = True
                return
        if self._must_end:
            await self._put(b"retry: %d\n\n" % random.randint(200, 2000))  # noqa: S311
        await self._send(_END)

    @property
    def _must_end(self) -> bool:
        return self._finishing or self._owner.closing

    async def _put(self, chunk: bytes) -> None:
        """Send and note the time; the ticker checks it, and the bytes that are left."""
        self._sent_at = asyncio.get_running_loop().time()
        self._left = self._queued() + len(chunk)
        self._beat = False
        self._sending = True
        await self._send({"type": "http.response.body", "body": chunk, "more_body": True})
        self._sending = False


async def _nowhere(_: Message) -> None:
    """Before `begin`."""


def _not_now(_: bytes) -> bool:
    """For a server that can't write at once."""
    return False
