"""Both clients behind one asynchronous face, so that every test runs against each of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from relayline.client import AsyncClient, Client, Event, Retry
from tests.client.stand_in import RUN, StandIn

_T = TypeVar("_T")
_OVER = object()


class Caller:
    """Calls methods of one of the two clients, by the same names and with the same arguments.

    The blocking one is called from a thread, as a program without an event loop would.
    """

    def __init__(self, make: Callable[..., Client | AsyncClient]) -> None:
        self.make = make

    @asynccontextmanager
    async def open(self, url: str, **how: Any) -> AsyncGenerator[Any, None]:
        """A client, closed at the end."""
        client = self.make(url, **how)
        try:
            yield client
        finally:
            await self.call(client.close if isinstance(client, Client) else client.aclose)

    async def call(self, method: Callable[..., Any], *args: Any, **named: Any) -> Any:
        """What the method gives, awaited where it must be."""
        if self.make is AsyncClient:
            answer = method(*args, **named)
            return await answer if asyncio.iscoroutine(answer) else answer
        return await asyncio.to_thread(method, *args, **named)

    async def items(self, source: Any) -> AsyncGenerator[Any, None]:
        """What an iterator of that client gives."""
        if self.make is AsyncClient:
            async for item in source:
                yield item
            return
        iterator: Iterator[Any] = iter(source)
        while (item := await asyncio.to_thread(next, iterator, _OVER)) is not _OVER:
            yield item

    async def close(self, stream: Any) -> None:
        """Close a stream before its end."""
        await self.call(stream.close if self.make is Client else stream.aclose)

    async def follow(
        self, stand_in: StandIn, after: int = 0, retries: list[Retry] | None = None, **how: Any
    ) -> tuple[list[Event], list[Retry]]:
        """All events of a stream, and the retries on the way, which `retries` has at once."""
        retries = [] if retries is None else retries
        async with self.open(stand_in.url, **how) as client:
            stream = client.run(RUN).stream(after=after, on_retry=retries.append)
            return [event async for event in self.items(stream)], retries
