"""A conversation on one connection: its events as they come, and commands to it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Iterator
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Any

import httpx

from relayline.client import calls
from relayline.client.commands import Commands, Receipt
from relayline.client.errors import ConnectionLost
from relayline.client.events import Event
from relayline.client.streams.dialog import (
    RUN_ENDED,
    Dialog,
    NoSocket,
    TurnWindow,
    frame_of,
    named,
)
from relayline.client.streams.follower import Follower
from relayline.client.streams.stream import AsyncStream, Stream
from relayline.client.transport import AsyncTransport, Transport
from relayline.contracts.command_answers import CommandReceipt
from relayline.contracts.commands import AnyCommand

if TYPE_CHECKING:
    from relayline.client.run import AsyncRun, Run
    from relayline.client.streams.sockets import AsyncLink, Link


class _Sender(Commands[Receipt]):
    """Commands that go the way of a conversation."""

    def __init__(self, send: Callable[[AnyCommand], Receipt]) -> None:
        self._send = send

    def send(self, command: AnyCommand) -> Receipt:
        """Send it."""
        return self._send(command)


class Conversation(Stream):
    """Iterate it as a `Stream`, and send `commands`: over one WebSocket where that is possible.

    Where it is not (the library `websockets` is missing, or a proxy lets none through), it is a
    stream, and each command a request; it goes from one to the other without a gap. A command is
    sent again, with its id, if its answer was lost.
    """

    def __init__(self, run: Run, transport: Transport, follower: Follower) -> None:
        super().__init__(run, transport, follower)
        self.commands: Commands[CommandReceipt] = _Sender(self._send)
        """Sends messages and all other commands."""
        self._dialog = Dialog(transport.options, run.id)
        self._link: Link | None = None

    @property
    def on_socket(self) -> bool:
        """True while a socket is open."""
        return self._link is not None

    def turn(self, command_id: str) -> Iterator[Event]:
        """The events of the turn that this message begins or joins; reads this stream's events.

        It ends with the turn, or with the refusal of the message.
        """
        window = TurnWindow(command_id)
        for event in self:
            if window.has(event):
                yield event
            if window.over:
                return

    def _send(self, command: AnyCommand) -> CommandReceipt:
        command = named(command)
        with suppress(httpx.HTTPError):
            if (link := self._linked()) is not None:
                answer = link.ask(command.command_id, frame_of(command))
                if answer is not None:
                    return self._dialog.receipt(answer)
        return self._transport.send(calls.send(self.run.id, command))

    def close(self) -> None:
        """Close the connection; the run continues."""
        super().close()
        if self._link is not None:
            self._link.close()
            self._link = None

    def _linked(self) -> Link | None:
        """The open socket; None if there can be none.

        Raises:
            HTTPError: nobody answers.
        """
        if self._link is None and not (self._dialog.given_up or self._follower.over):
            try:
                from relayline.client.streams.sockets import Link  # noqa: PLC0415  an optional library

                self._link = Link(self._dialog, self._follower.cursor)
                self._dialog.opened()
            except (ImportError, NoSocket):
                self._dialog.given_up = True
        return self._link

    def _connection(self) -> Generator[Event, None, None]:
        if (link := self._linked()) is None:
            yield from super()._connection()
            return
        self._follower.connected()
        for frame in link.events():
            self._dialog.brought()
            yield from self._follower.take(frame)
        self._link = None
        self._dialog.closed(link.close_code)
        _check_end(self._follower, link.close_code)


class AsyncConversation(AsyncStream):
    """As `Conversation`, to be awaited."""

    def __init__(self, run: AsyncRun, transport: AsyncTransport, follower: Follower) -> None:
        super().__init__(run, transport, follower)
        self.commands: Commands[Coroutine[Any, Any, CommandReceipt]] = _Sender(self._send)
        """As in `Conversation`."""
        self._dialog = Dialog(transport.options, run.id)
        self._link: AsyncLink | None = None

    @property
    def on_socket(self) -> bool:
        """True while a socket is open."""
        return self._link is not None

    async def turn(self, command_id: str) -> AsyncGenerator[Event, None]:
        """As `Conversation.turn`."""
        window = TurnWindow(command_id)
        async for event in self:
            if window.has(event):
                yield event
            if window.over:
                return

    async def _send(self, command: AnyCommand) -> CommandReceipt:
        command = named(command)
        with suppress(httpx.HTTPError):
            if (link := await self._linked()) is not None:
                answer = await link.ask(command.command_id, frame_of(command))
                if answer is not None:
                    return self._dialog.receipt(answer)
        return await self._transport.send(calls.send(self.run.id, command))

    async def aclose(self) -> None:
        """Close the connection; the run continues."""
        await super().aclose()
        if self._link is not None:
            await self._link.close()
            self._link = None

    async def _linked(self) -> AsyncLink | None:
        if self._link is None and not (self._dialog.given_up or self._follower.over):
            try:
                from relayline.client.streams.sockets import AsyncLink  # noqa: PLC0415  likewise

                self._link = await AsyncLink.open(self._dialog, self._follower.cursor)
                self._dialog.opened()
            except (ImportError, NoSocket):
                self._dialog.given_up = True
        return self._link

    async def _connection(self) -> AsyncGenerator[Event, None]:
        if (link := await self._linked()) is None:
            async with aclosing(super()._connection()) as events:
                async for event in events:
                    yield event
            return
        self._follower.connected()
        async with aclosing(link.events()) as frames:
            async for frame in frames:
                self._dialog.brought()
                for event in self._follower.take(frame):
                    yield event
        self._link = None
        self._dialog.closed(link.close_code)
        _check_end(self._follower, link.close_code)


def _check_end(follower: Follower, code: int | None) -> None:
    """Take note of the end of a socket.

    Raises:
        ConnectionLost: the run has not ended.
    """
    if code == RUN_ENDED:
        follower.at_end()
    elif not follower.ended:
        raise ConnectionLost(
            f"the API closed the socket ({code}): try again", "the server closed the socket"
        )
