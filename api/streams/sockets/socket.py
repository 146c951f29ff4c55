"""One open WebSocket: a run's events go down, commands come up."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Coroutine, Iterator, Mapping
from typing import Any, NamedTuple

from starlette.types import Receive, Send
from starlette.websockets import WebSocketDisconnect

from relayline.api.auth.bearer import Access
from relayline.api.streams.open_stream import Slot
from relayline.api.streams.sockets.socket_commands import SocketCommands
from relayline.api.streams.sse import Streams
from relayline.api.streams.viewer import Viewer
from relayline.contracts.events import TERMINAL_TYPES

CLOSE_S = 1.0
"""For a command that is being sent and for the close itself, when the server ends a socket."""
_log = logging.getLogger(__name__)


class Closing(NamedTuple):
    """How the server closes a socket."""

    code: int
    reason: str


RUN_ENDED = Closing(1000, "run-ended")
STOPPING = Closing(1012, "come-back")
"""The server stops, or has lost events: come back with the cursor."""
UNAUTHENTICATED = Closing(4401, "unauthenticated")
SLOW = Closing(4408, "slow-reader")
"""It has read nothing for too long: come back with the cursor."""
_FAILED = Closing(1011, "internal")


class OpenSocket:
    """Sends a viewer's events and answers commands until either side ends it.

    At most one answer, and what the connection buffers, is in memory for a client that does not
    read: both directions wait for it.
    """

    def __init__(
        self, owner: Streams, source: Viewer, slot: Slot, commands: SocketCommands
    ) -> None:
        """Create a socket that has sent nothing; it owns source and slot."""
        self.source = source
        self._owner = owner
        self._slot = slot
        self._commands = commands
        self._cursor = source.position
        """`seq` of the newest event sent."""
        self._ended = False
        """True when that event ends the run."""
        self._busy = False
        self._send: Send
        self._connection: Mapping[str, Any] = {}
        self._given = self._read = 0
        now = asyncio.get_running_loop().time()
        self._read_at = self._flushed_at = self._pinged_at = now
        self._over: asyncio.Future[Closing | None] = asyncio.get_running_loop().create_future()

    async def run(self, connection: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """Serve it to its end.

        Args:
            connection: The functions of `CONNECTION`, as far as the server has them.
            receive: As ASGI has it; the handshake is over.
            send: Likewise.
        """
        self._connection, self._send = connection, send
        self._owner.entered(self)
        tasks = [
            asyncio.create_task(self._guarded(work), name="socket")
            for work in (self._show(), self._listen(receive))
        ]
        try:
            closing = await self._over
            if self._busy:  # the receipt of a command that is being sent
                await asyncio.wait(tasks[1:], timeout=CLOSE_S)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self.source.leave()
            self._slot.release()
            self._owner.left(self)
        if closing is not None:
            await self._close(closing)

    @property
    def access(self) -> Access | None:
        """What its client proved who it is by; None while authentication is off."""
        return self._slot.access

    def check(self, now: float, silent_s: float, stuck_s: float) -> None:
        """Ping; close it for a client that reads nothing, drop one that is not heard of."""
        connection = self._connection
        if now - self._pinged_at >= silent_s:
            self._pinged_at = now
            connection.get("ping", _nothing)()
        queued = connection.get("queued", int)()
        read = self._given - queued
        moved = read > self._read
        if moved and queued:
            self._flushed_at = now
        if moved or not queued:
            self._read, self._read_at = read, now
        elif now - self._read_at >= stuck_s:
            self._end(SLOW)
        heard_at = connection.get("heard_at", lambda: now)()
        if now - max(heard_at, self._flushed_at) >= stuck_s + silent_s:
            _log.info("client is not heard of: socket dropped")
            self.abort()

    def finish(self) -> None:
        """Close it: its credentials have ended."""
        self._end(UNAUTHENTICATED)

    def abort(self) -> None:
        """Drop the connection; the client resumes from its cursor."""
        self._connection.get("abort", _nothing)()
        self._end(None)

    def _end(self, closing: Closing | None) -> None:
        if not self._over.done():
            self._over.set_result(closing)

    async def _guarded(self, work: Coroutine[Any, Any, Closing | None]) -> None:
        """Do the work, whose end is that of the socket."""
        try:
            self._end(await work)
        except WebSocketDisconnect:
            self._end(None)
        except Exception:  # noqa: BLE001  told, and the client learns that it must return
            _log.exception("a socket failed")
            self._end(_FAILED)

    async def _show(self) -> Closing:
        """Send events until there are no more; how to close it then."""
        source = self.source
        while not self._owner.closing:
            chunk = await source.next_chunk()
            if chunk is None:
                return self._at_end()
            for seq, kind, text in _events(chunk):
                await self._put(text)
                if seq is not None:
                    self._cursor, self._ended = seq, kind in TERMINAL_TYPES
                if self._owner.closing:
                    return STOPPING
            if not chunk:
                await source.sleep()
        return STOPPING

    def _at_end(self) -> Closing:
        """Why nothing more comes; whoever comes back is told what is wrong, if anything is."""
        return RUN_ENDED if self._ended and not self.source.channel.loss else STOPPING

    async def _listen(self, receive: Receive) -> None:
        """Answer commands, one after the other, until the client closes."""
        while (message := await receive())["type"] == "websocket.receive":
            self._busy = True
            await self._put(await self._commands.answer(message))
            self._busy = False
            if self._over.done():
                return

    async def _put(self, text: str) -> None:
        self._given += len(text)
        await self._send({"type": "websocket.send", "text": text})

    async def _close(self, closing: Closing) -> None:
        """Close with the reason and the cursor; without a word if the client reads nothing."""
        reason = f"{closing.reason} after={self._cursor}"
        with contextlib.suppress(WebSocketDisconnect, RuntimeError):  # it has just gone
            try:
                async with asyncio.timeout(CLOSE_S):
                    await self._send(
                        {"type": "websocket.close", "code": closing.code, "reason": reason}
                    )
            except TimeoutError:
                self._connection.get("abort", _nothing)()


def _nothing() -> None:
    """For a server that has no such function."""


def _events(chunk: bytes) -> Iterator[tuple[int | None, str, str]]:
    """`seq`, type and envelope of each event; a notice has no `seq`. No envelope has a line end."""
    for frame in chunk.decode().split("\n\n")[:-1]:
        head, _, text = frame.partition("\ndata: ")
        id_, _, kind = head.rpartition("event: ")
        seq = id_.removeprefix("id:").strip()
        yield int(seq) if seq else None, kind, text
