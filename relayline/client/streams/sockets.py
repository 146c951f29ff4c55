"""Open sockets, blocking and asynchronous; needs the library `websockets`."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack, suppress
from time import monotonic
from typing import Any, TypeVar

import httpx
from pydantic import JsonValue
from websockets.asyncio.client import ClientConnection as AsyncConnection
from websockets.asyncio.client import connect as async_connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from relayline.client.calls import CONNECT_TIMEOUT_S, TIMEOUT_S
from relayline.client.streams.dialog import SUBPROTOCOL, Dialog, Inbox, NoSocket
from relayline.client.streams.sse import SseFrame

_Found = TypeVar("_Found")


class Link:
    """One open socket; threads may share it.

    Whoever waits for something reads what comes next, for all who wait.
    """

    def __init__(self, dialog: Dialog, cursor: int) -> None:
        """Open it.

        Raises:
            NoSocket: the server, or a proxy, serves none.
            HTTPError: nobody answers.
        """
        self._open = ExitStack()
        try:
            opening = connect(dialog.url(cursor), **_how(dialog))
            self._connection: ClientConnection = self._open.enter_context(opening)
        except InvalidHandshake as error:
            raise NoSocket from error
        except (OSError, ConnectionClosed) as error:
            raise httpx.ConnectError(str(error)) from error
        self._inbox = Inbox()
        self._turn = threading.Condition()
        self._reading = self._closed = False

    @property
    def close_code(self) -> int | None:
        """How it was closed; None if it was not."""
        return self._connection.protocol.close_code

    def events(self) -> Iterator[SseFrame]:
        """The events as they come, until it is closed."""
        while (frame := self._wait(self._inbox.next_event)) is not None:
            yield frame

    def ask(self, command_id: str, frame: str) -> dict[str, JsonValue] | None:
        """The answer to a command; None if none comes: whether the server has it is not known."""
        with suppress(ConnectionClosed):
            self._connection.send(frame)
            return self._wait(lambda: self._inbox.answer(command_id), TIMEOUT_S)
        return None

    def close(self) -> None:
        """Close it."""
        self._open.close()

    def _wait(
        self, look: Callable[[], _Found | None], timeout_s: float | None = None
    ) -> _Found | None:
        until = None if timeout_s is None else monotonic() + timeout_s
        while True:
            left = None if until is None else until - monotonic()
            with self._turn:
                found = look()
                if found is not None or self._closed or (left is not None and left <= 0):
                    return found
                if self._reading:
                    self._turn.wait(left)
                    continue
                self._reading = True
            try:
                self._read(left)
            finally:
                with self._turn:
                    self._reading = False
                    self._turn.notify_all()

    def _read(self, timeout_s: float | None) -> None:
        try:
            text = self._connection.recv(timeout_s)
        except TimeoutError:
            return
        except ConnectionClosed:
            self._closed = True
            return
        self._inbox.put(str(text))


class AsyncLink:
    """As `Link`, for tasks of one event loop."""

    def __init__(self, connection: AsyncConnection, opened: AsyncExitStack) -> None:
        self._connection = connection
        self._open = opened
        self._inbox = Inbox()
        self._read_once = asyncio.Event()
        self._reading = self._closed = False

    @classmethod
    async def open(cls, dialog: Dialog, cursor: int) -> AsyncLink:
        """As `Link`."""
        opened = AsyncExitStack()
        try:
            opening = async_connect(dialog.url(cursor), **_how(dialog))
            return cls(await opened.enter_async_context(opening), opened)
        except InvalidHandshake as error:
            raise NoSocket from error
        except (OSError, ConnectionClosed) as error:
            raise httpx.ConnectError(str(error)) from error

    @property
    def close_code(self) -> int | None:
        """As in `Link`."""
        return self._connection.close_code

    async def events(self) -> AsyncGenerator[SseFrame, None]:
        """As `Link.events`."""
        while (frame := await self._wait(self._inbox.next_event)) is not None:
            yield frame

    async def ask(self, command_id: str, frame: str) -> dict[str, JsonValue] | None:
        """As `Link.ask`."""
        with suppress(ConnectionClosed, TimeoutError):
            async with asyncio.timeout(TIMEOUT_S):
                await self._connection.send(frame)
                return await self._wait(lambda: self._inbox.answer(command_id))
        return None

    async def close(self) -> None:
        """Close it."""
        await self._open.aclose()

    async def _wait(self, look: Callable[[], _Found | None]) -> _Found | None:
        while (found := look()) is None and not self._closed:
            if self._reading:
                await self._read_once.wait()
                continue
            self._reading = True
            try:
                self._inbox.put(str(await self._connection.recv()))
            except ConnectionClosed:
                self._closed = True
            finally:
                self._reading = False
                self._read_once.set()
                self._read_once = asyncio.Event()
        return found


def _how(dialog: Dialog) -> dict[str, Any]:
    """Arguments of both `connect`: a server that is silent for `silence_s` counts as dead."""
    third = dialog.how.silence_s / 3
    return {
        "subprotocols": [Subprotocol(SUBPROTOCOL)],
        "additional_headers": dict(dialog.how.headers),
        "compression": None,
        "open_timeout": CONNECT_TIMEOUT_S,
        "close_timeout": 1,
        "ping_interval": third,
        "ping_timeout": 2 * third,
        "max_size": None,
    }
