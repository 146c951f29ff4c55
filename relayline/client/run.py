"""One run of a server: look at it, follow it, steer it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from typing import Any, Unpack

import httpx

from relayline.client import calls
from relayline.client.backoff import Backoff, Retry
from relayline.client.calls import Call
from relayline.client.commands import Commands
from relayline.client.errors import RelaylineError, no_answer
from relayline.client.events import Event
from relayline.client.forks import ForkFields, forking
from relayline.client.streams.conversation import AsyncConversation, Conversation
from relayline.client.streams.follower import Follower, Reading, Turn
from relayline.client.streams.stream import AsyncStream, Stream
from relayline.client.transport import AsyncTransport, Options, Transport
from relayline.client.waiting import T, Waiting, result_of
from relayline.contracts.answers import (
    ProgressView,
    RunAccepted,
    RunView,
)
from relayline.contracts.command_answers import CommandReceipt, CommandView
from relayline.contracts.commands import AnyCommand


class Run(Commands[CommandReceipt]):
    """A run, by its id; holds no state of it. `Client.submit` and `Client.run` make one.

    Any method raises `NotFound` when there is no such run, and the errors of
    `relayline.client.errors` when the server refuses, fails or does not answer.
    """

    def __init__(
        self, transport: Transport, run_id: str, accepted: RunAccepted | None = None
    ) -> None:
        self.id = run_id
        self.accepted = accepted
        """The receipt of `submit`; None for a run that was not submitted here."""
        self._transport = transport

    def get(self, *, wait_s: float = 0, turn_of: str | None = None) -> RunView:
        """The run as it stands; with `wait_s` (at most 60), as soon as it has ended.

        A conversation is also told of at the end of a turn: the one that the message with the
        command id `turn_of` begins, if given.
        """
        return self._transport.send(calls.get(self.id, wait_s, turn_of))

    def wait(self, timeout_s: float | None = None, *, turn_of: str | None = None) -> RunView:
        """The run, once it has ended, however it did; survives lost connections.

        With `turn_of`, the command id of a message: once the turn that it begins has ended, as
        `last_turn`, or it was refused, as `command` says.

        Raises:
            WaitTimeout: it has not ended in `timeout_s`; None waits as long as it takes.
        """
        patience = Backoff(self._transport.options.patience_s)
        waiting = Waiting(self.id, timeout_s, patience, turn_of)
        pause_s: float | None = 0
        while pause_s is not None:
            time.sleep(pause_s)
            try:
                view = self._transport.send(waiting.poll())
            except RelaylineError as error:
                pause_s = waiting.failed(error)
            else:
                pause_s = waiting.answered(view)
        return view

    def result(
        self, model: type[T], timeout_s: float | None = None, *, turn_of: str | None = None
    ) -> T:
        """Wait as `wait` does; the output as an instance of that class: `str`, a pydantic model.

        Raises:
            NotCompleted: the run, or the turn, ended without an output.
            UnexpectedAnswer: the output does not fit the class.
        """
        return result_of(self.wait(timeout_s, turn_of=turn_of), model)

    def progress(self) -> ProgressView:
        """Where the run stands now, with what it waits for."""
        return self._transport.send(calls.progress(self.id))

    def events(self, *, after: int = 0) -> Iterator[Event]:
        """The events so far with `seq > after`, in order, page by page."""
        ended = False
        while not ended:
            page = self._transport.send(calls.events(self.id, after))
            yield from page.events
            ended = page.ended or page.next <= after
            after = page.next

    def stream(
        self,
        *,
        after: int = 0,
        on_retry: Callable[[Retry], None] | None = None,
        turn_of: str | None = None,
    ) -> Stream:
        """The events with `seq > after` as they come, to the end of the run.

        Args:
            after: The cursor; 0 for all events.
            on_retry: Told of each wait before a new connection.
            turn_of: The command id of a message: only the events of the turn that it begins.
        """
        how = self._transport.options
        turn = None if turn_of is None else Turn(turn_of)
        return Stream(self, self._transport, _follower(how, self.id, after, on_retry, turn))

    def converse(
        self, *, after: int | None = None, on_retry: Callable[[Retry], None] | None = None
    ) -> Conversation:
        """A conversation with the run on one connection: events with `seq > after`, and commands.

        Args:
            after: The cursor; None: from now on.
            on_retry: As in `stream`.
        """
        if after is None:
            after = self._transport.send(calls.newest(self.id)).next
        follower = _follower(self._transport.options, self.id, after, on_retry)
        return Conversation(self, self._transport, follower)

    def send(self, command: AnyCommand) -> CommandReceipt:
        """Send a command from `relayline.contracts.commands`; the named methods call this."""
        return self._transport.send(calls.send(self.id, command))

    def fork(self, **fields: Unpack[ForkFields]) -> Run:
        """Start a run that begins with this one's past, up to a step.

        Args:
            fields: `ForkFields`: `from_step`, `message`, `edits`, `model`, …

        Raises:
            InvalidRequest: there is no such past; `error.field` names what is wrong.
        """
        accepted = self._transport.send(forking(self.id, fields))
        return Run(self._transport, accepted.run_id, accepted)

    def erase(self) -> None:
        """Erase the run for good, if it has ended; an erased one stays erased.

        Raises:
            Conflict: it has not ended.
        """
        self._transport.send(calls.erase(self.id))

    def command(self, command_id: str, *, wait_s: float = 0) -> CommandView:
        """The outcome of a command; with `wait_s` (at most 30), as soon as it is known."""
        return self._transport.send(calls.command(self.id, command_id, wait_s))


class AsyncRun(Commands[Coroutine[Any, Any, CommandReceipt]]):
    """As `Run`, to be awaited."""

    def __init__(
        self, transport: AsyncTransport, run_id: str, accepted: RunAccepted | None = None
    ) -> None:
        self.id = run_id
        self.accepted = accepted
        """As in `Run`."""
        self._transport = transport

    async def get(self, *, wait_s: float = 0, turn_of: str | None = None) -> RunView:
        """As `Run.get`."""
        return await self._transport.send(calls.get(self.id, wait_s, turn_of))

    async def wait(self, timeout_s: float | None = None, *, turn_of: str | None = None) -> RunView:
        """As `Run.wait`."""
        patience = Backoff(self._transport.options.patience_s)
        waiting = Waiting(self.id, timeout_s, patience, turn_of)
        pause_s: float | None = 0
        while pause_s is not None:
            await asyncio.sleep(pause_s)
            try:
                view = await self._transport.send(waiting.poll())
            except RelaylineError as error:
                pause_s = waiting.failed(error)
            else:
                pause_s = waiting.answered(view)
        return view

    async def result(
        self, model: type[T], timeout_s: float | None = None, *, turn_of: str | None = None
    ) -> T:
        """As `Run.result`."""
        return result_of(await self.wait(timeout_s, turn_of=turn_of), model)

    async def progress(self) -> ProgressView:
        """As `Run.progress`."""
        return await self._transport.send(calls.progress(self.id))

    async def events(self, *, after: int = 0) -> AsyncGenerator[Event, None]:
        """As `Run.events`."""
        ended = False
        while not ended:
            page = await self._transport.send(calls.events(self.id, after))
            for event in page.events:
                yield event
            ended = page.ended or page.next <= after
            after = page.next

    def stream(
        self,
        *,
        after: int = 0,
        on_retry: Callable[[Retry], None] | None = None,
        turn_of: str | None = None,
    ) -> AsyncStream:
        """As `Run.stream`."""
        how = self._transport.options
        turn = None if turn_of is None else Turn(turn_of)
        return AsyncStream(self, self._transport, _follower(how, self.id, after, on_retry, turn))

    async def converse(
        self, *, after: int | None = None, on_retry: Callable[[Retry], None] | None = None
    ) -> AsyncConversation:
        """As `Run.converse`."""
        if after is None:
            after = (await self._transport.send(calls.newest(self.id))).next
        follower = _follower(self._transport.options, self.id, after, on_retry)
        return AsyncConversation(self, self._transport, follower)

    async def send(self, command: AnyCommand) -> CommandReceipt:
        """As `Run.send`."""
        return await self._transport.send(calls.send(self.id, command))

    async def fork(self, **fields: Unpack[ForkFields]) -> AsyncRun:
        """As `Run.fork`."""
        accepted = await self._transport.send(forking(self.id, fields))
        return AsyncRun(self._transport, accepted.run_id, accepted)

    async def erase(self) -> None:
        """As `Run.erase`."""
        await self._transport.send(calls.erase(self.id))

    async def command(self, command_id: str, *, wait_s: float = 0) -> CommandView:
        """As `Run.command`."""
        return await self._transport.send(calls.command(self.id, command_id, wait_s))


def submitted_stream(transport: Transport, call: Call[RunAccepted]) -> Stream:
    """Start a run whose stream is the answer.

    Raises:
        RelaylineError: the server refuses, fails or does not answer.
    """
    how = transport.options
    try:
        answer = transport.open(call.request(transport.http, how.silence_s))
    except httpx.HTTPError as error:
        raise no_answer(how.base_url, error) from error
    try:
        run = Run(transport, calls.run_of_stream(how.base_url, answer))
    except RelaylineError:
        answer.close()
        raise
    return Stream(run, transport, _follower(how, run.id, turn=_first_turn(call)), answer)


async def async_submitted_stream(transport: AsyncTransport, call: Call[RunAccepted]) -> AsyncStream:
    """As `submitted_stream`."""
    how = transport.options
    try:
        answer = await transport.open(call.request(transport.http, how.silence_s))
    except httpx.HTTPError as error:
        raise no_answer(how.base_url, error) from error
    try:
        run = AsyncRun(transport, calls.run_of_stream(how.base_url, answer))
    except RelaylineError:
        await answer.aclose()
        raise
    return AsyncStream(run, transport, _follower(how, run.id, turn=_first_turn(call)), answer)


def _follower(
    how: Options,
    run_id: str,
    after: int = 0,
    on_retry: Callable[[Retry], None] | None = None,
    turn: Turn | None = None,
) -> Follower:
    reading = Reading(run_id, after, how.silence_s, turn)
    return Follower(how.base_url, reading, Backoff(how.patience_s), on_retry)


def _first_turn(call: Call[RunAccepted]) -> Turn | None:
    """What the answer of a submission shows of a conversation; None: all of the run."""
    return Turn() if call.body and call.body.get("open") else None
