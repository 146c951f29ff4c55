"""A run's events as they come, blocking or asynchronous."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from contextlib import aclosing, closing
from inspect import GEN_CLOSED, getgeneratorstate
from typing import TYPE_CHECKING, Self

import httpx

from relayline.client.errors import RelaylineError
from relayline.client.events import Event
from relayline.client.streams.follower import Follower
from relayline.client.streams.text import Fold, TextPiece
from relayline.client.transport import AsyncTransport, Transport
from relayline.contracts.runs import RunError, RunStatus
from relayline.contracts.runs.output import output_text
from relayline.projections.rendered import Rendered

if TYPE_CHECKING:
    from relayline.client.run import AsyncRun, Run


class _Folding:
    """What the events so far come to."""

    def __init__(self, follower: Follower) -> None:
        self._follower = follower
        self._fold = Fold()

    @property
    def cursor(self) -> int:
        """`seq` of the newest event that was given out: `stream(after=cursor)` continues here."""
        return self._follower.cursor

    @property
    def ended(self) -> bool:
        """True when the run has ended and all its events were given out."""
        return self._follower.ended

    @property
    def rendered(self) -> Rendered:
        """What a person sees after the events given out so far: texts, tools, open requests.

        Of a stream that does not start at 0, the part since then.
        """
        return self._fold.rendered

    def new_text(self) -> list[TextPiece]:
        """What has changed of the model's text since this was last asked, by step.

        A piece with `replace` voids what was shown of its step.
        """
        return self._fold.pieces()

    @property
    def status(self) -> RunStatus:
        """Where the run stands after these events; `queued` when none came."""
        return self.rendered.status

    @property
    def output(self) -> str | None:
        """The answer of a run that has completed, whole; None before, and of any other end.

        JSON is given as text; `run.result` gives the value.
        """
        output = self.rendered.output
        return None if output is None else output_text(output)

    @property
    def error(self) -> RunError | None:
        """Why the run has failed; None unless it has."""
        return self.rendered.error


class Stream(_Folding):
    """Iterate it: every event of the run, once and in order, until the run has ended.

    Survives lost connections: it reconnects with growing waits and continues where it was. Two
    types of events are notices, with `seq` 0: `worker.unavailable`, and `events.lost`, after which
    everything that stands comes again from the start. Leaving it early, close it, or use `with`.

    Iterating raises:
        NotFound: there is no such run.
        InvalidRequest: the cursor is beyond the newest event.
        Expired: events after the cursor are past retention.
        ConnectionLost: the server did not come back within the client's `patience_s`; by default
            that has no end.
    """

    def __init__(
        self,
        run: Run,
        transport: Transport,
        follower: Follower,
        answer: httpx.Response | None = None,
    ) -> None:
        super().__init__(follower)
        self.run = run
        """The run, to look at it or to steer it."""
        self._transport = transport
        self._answer = answer
        self._closed = False
        self._events = self._follow()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[Event]:
        return self

    def __next__(self) -> Event:
        ended = getgeneratorstate(self._events) == GEN_CLOSED  # also by Ctrl-C
        if ended and not (self._follower.over or self._closed):
            self._events = self._follow()
        event = next(self._events)
        self._fold.take(event)
        return event

    def close(self) -> None:
        """Close the connection; the run continues."""
        self._closed = True
        self._events.close()
        if self._answer:
            self._answer.close()

    def text(self) -> Iterator[TextPiece]:
        """The model's text as it grows, to the end of the run; reads this stream's events.

        The pieces are those of `new_text` after each event.
        """
        yield from self.new_text()
        for _ in self:
            yield from self.new_text()

    def _follow(self) -> Generator[Event, None, None]:
        follower = self._follower
        while not follower.over:
            try:
                yield from self._connection()
                follower.closed()
            except (httpx.HTTPError, RelaylineError) as error:
                wait_s, notices = follower.failed(error)
                yield from notices
                time.sleep(wait_s)

    def _connection(self) -> Generator[Event, None, None]:
        follower, transport = self._follower, self._transport
        first, self._answer = self._answer, None
        answer = first or transport.open(follower.request(transport.http))
        with closing(answer):
            follower.opened(answer)
            for chunk in answer.iter_bytes():
                yield from follower.feed(chunk)


class AsyncStream(_Folding):
    """As `Stream`, with `async for` and `async with`."""

    def __init__(
        self,
        run: AsyncRun,
        transport: AsyncTransport,
        follower: Follower,
        answer: httpx.Response | None = None,
    ) -> None:
        super().__init__(follower)
        self.run = run
        """As in `Stream`."""
        self._transport = transport
        self._answer = answer
        self._events = self._follow()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __aiter__(self) -> AsyncIterator[Event]:
        return self

    async def __anext__(self) -> Event:
        event = await anext(self._events)
        self._fold.take(event)
        return event

    async def aclose(self) -> None:
        """Close the connection; the run continues."""
        await self._events.aclose()
        if self._answer:
            await self._answer.aclose()

    async def text(self) -> AsyncGenerator[TextPiece, None]:
        """As `Stream.text`."""
        for piece in self.new_text():
            yield piece
        async for _ in self:
            for piece in self.new_text():
                yield piece

    async def _follow(self) -> AsyncGenerator[Event, None]:
        follower = self._follower
        while not follower.over:
            try:
                async with aclosing(self._connection()) as events:
                    async for event in events:
                        yield event
                follower.closed()
            except (httpx.HTTPError, RelaylineError) as error:
                wait_s, notices = follower.failed(error)
                for notice in notices:
                    yield notice
                await asyncio.sleep(wait_s)

    async def _connection(self) -> AsyncGenerator[Event, None]:
        follower, transport = self._follower, self._transport
        first, self._answer = self._answer, None
        answer = first or await transport.open(follower.request(transport.http))
        async with aclosing(answer):
            follower.opened(answer)
            async for chunk in answer.aiter_bytes():
                for event in follower.feed(chunk):
                    yield event
