"""The clients of the HTTP API, blocking and asynchronous, with the same methods."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from typing import Self, Unpack

import httpx

from relayline.client import calls, server_calls
from relayline.client.calls import RunFields
from relayline.client.files.saying import Said
from relayline.client.files.transfers import AsyncFiles, Files
from relayline.client.listing import RunFilters
from relayline.client.queue import AsyncQueueCalls, QueueCalls
from relayline.client.run import AsyncRun, Run, async_submitted_stream, submitted_stream
from relayline.client.streams.stream import AsyncStream, Stream
from relayline.client.transport import (
    DEFAULT_URL,
    SILENCE_S,
    AsyncTransport,
    Transport,
    options,
    with_key,
)
from relayline.client.webhooks import AsyncWebhooks, Webhooks
from relayline.contracts.answers import InboxKind, InboxView, RunCounts, RunList, RunListItem
from relayline.contracts.operation.agent_answers import AgentView
from relayline.contracts.operation.system import Health

_PAGE = 100
"""Runs on a page; the most that the server gives."""


class Client(QueueCalls):
    """Speaks to one Relayline API; close it, or use `with`. Threads may share it.

    Every method raises a `RelaylineError` when the server refuses, fails or does not answer; its
    text is one line for people. Only `Run.stream` and `Run.wait` try again by themselves.
    """

    def __init__(
        self,
        base_url: str = DEFAULT_URL,
        *,
        api_key: str | None = None,
        headers: Mapping[str, str] | None = None,
        silence_s: float = SILENCE_S,
        patience_s: float | None = None,
    ) -> None:
        """Make a client; that opens no connection.

        Args:
            base_url: `http://HOST:PORT`.
            api_key: Proves who asks; None: that of the environment, `RELAYLINE_API_KEY`, if there
                is one.
            headers: Sent with every request, e.g. what a proxy asks for.
            silence_s: After that much silence a stream counts as dead and is opened again; the
                server sends something every 10 s.
            patience_s: How long streams and waits try to reach a server that does not answer
                before they raise; None: as long as it takes.

        Raises:
            InvalidArgument: `base_url` is not such an address, or no key can be like that.
        """
        sent = with_key(headers, api_key)
        self._transport = Transport(options(base_url, sent, silence_s, patience_s))
        self.webhooks = Webhooks(self._transport)
        self.files = Files(self._transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._transport.http.close()

    def submit(
        self,
        agent: str,
        input: Said,  # noqa: A002  the protocol's word
        **fields: Unpack[RunFields],
    ) -> Run:
        """Start a run.

        Args:
            agent: One of `agents()`.
            input: What the person says: a text, or texts and parts (`image_part`, `file_part`).
            fields: `RunFields`: `model`, `limits`, `priority`, `start_at`, …

        Raises:
            InvalidArgument: `start_at` has no time zone.
            InvalidRequest: a field is wrong, or the key was used with another request.
        """
        call = calls.submit(agent, input, fields)
        accepted = self._transport.send(call)
        return Run(self._transport, accepted.run_id, accepted)

    def submit_and_stream(
        self,
        agent: str,
        input: Said,  # noqa: A002  the protocol's word
        **fields: Unpack[RunFields],
    ) -> Stream:
        """Start a run and stream it from its first event on, in one request; as `submit`.

        `Stream.run` is the run.
        """
        call = calls.submit(agent, input, fields)
        return submitted_stream(self._transport, call)

    def run(self, run_id: str) -> Run:
        """The run of that id; asks nothing, so that it may not exist."""
        return Run(self._transport, run_id)

    def list(
        self, *, limit: int = 20, cursor: str | None = None, **filters: Unpack[RunFilters]
    ) -> RunList:
        """One page of the runs that match, newest first; at most 100."""
        return self._transport.send(calls.listing(filters, limit, cursor))

    def runs(self, **filters: Unpack[RunFilters]) -> Iterator[RunListItem]:
        """All runs that match, newest first, page by page."""
        cursor: str | None = None
        first = True
        while first or cursor is not None:
            first = False
            page = self.list(limit=_PAGE, cursor=cursor, **filters)
            yield from page.runs
            cursor = page.cursor

    def counts(self, **filters: Unpack[RunFilters]) -> RunCounts:
        """How many runs match, by status."""
        return self._transport.send(calls.counts(filters))

    def inbox(
        self,
        *,
        kind: InboxKind | Sequence[InboxKind] | None = None,
        agent: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> InboxView:
        """One page of all that waits for a person, most urgent first; at most 100."""
        return self._transport.send(calls.inbox(kind, agent, limit, cursor))

    def agents(self) -> tuple[AgentView, ...]:
        """The agents that can be run, by name."""
        return self._transport.send(server_calls.agents()).agents

    def health(self) -> Health:
        """`ok` while the server's process answers."""
        return self._transport.send(server_calls.health())

    def ready(self) -> Health:
        """Whether the server has what it needs; `unavailable`, with the parts, is no error."""
        return self._transport.send(server_calls.ready())


class AsyncClient(AsyncQueueCalls):
    """As `Client`, to be awaited: `async with`, `await client.submit(…)`."""

    def __init__(  # noqa: PLR0913  as `Client`
        self,
        base_url: str = DEFAULT_URL,
        *,
        api_key: str | None = None,
        headers: Mapping[str, str] | None = None,
        silence_s: float = SILENCE_S,
        patience_s: float | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """As `Client`; with a `transport`, requests go there and not over the network."""
        sent = with_key(headers, api_key)
        how = options(base_url, sent, silence_s, patience_s)
        self._transport = AsyncTransport(how, transport)
        self.webhooks = AsyncWebhooks(self._transport)
        self.files = AsyncFiles(self._transport)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close all connections."""
        await self._transport.http.aclose()

    async def submit(
        self,
        agent: str,
        input: Said,  # noqa: A002  the protocol's word
        **fields: Unpack[RunFields],
    ) -> AsyncRun:
        """As `Client.submit`."""
        call = calls.submit(agent, input, fields)
        accepted = await self._transport.send(call)
        return AsyncRun(self._transport, accepted.run_id, accepted)

    async def submit_and_stream(
        self,
        agent: str,
        input: Said,  # noqa: A002  the protocol's word
        **fields: Unpack[RunFields],
    ) -> AsyncStream:
        """As `Client.submit_and_stream`."""
        call = calls.submit(agent, input, fields)
        return await async_submitted_stream(self._transport, call)

    def run(self, run_id: str) -> AsyncRun:
        """As `Client.run`."""
        return AsyncRun(self._transport, run_id)

    async def list(
        self, *, limit: int = 20, cursor: str | None = None, **filters: Unpack[RunFilters]
    ) -> RunList:
        """As `Client.list`."""
        return await self._transport.send(calls.listing(filters, limit, cursor))

    async def runs(self, **filters: Unpack[RunFilters]) -> AsyncGenerator[RunListItem, None]:
        """As `Client.runs`."""
        cursor: str | None = None
        first = True
        while first or cursor is not None:
            first = False
            page = await self.list(limit=_PAGE, cursor=cursor, **filters)
            for item in page.runs:
                yield item
            cursor = page.cursor

    async def counts(self, **filters: Unpack[RunFilters]) -> RunCounts:
        """As `Client.counts`."""
        return await self._transport.send(calls.counts(filters))

    async def inbox(
        self,
        *,
        kind: InboxKind | Sequence[InboxKind] | None = None,
        agent: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> InboxView:
        """As `Client.inbox`."""
        return await self._transport.send(calls.inbox(kind, agent, limit, cursor))

    async def agents(self) -> tuple[AgentView, ...]:
        """As `Client.agents`."""
        return (await self._transport.send(server_calls.agents())).agents

    async def health(self) -> Health:
        """As `Client.health`."""
        return await self._transport.send(server_calls.health())

    async def ready(self) -> Health:
        """As `Client.ready`."""
        return await self._transport.send(server_calls.ready())
