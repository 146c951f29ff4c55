"""The journal of a run as clients read it: as pages or as a stream."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request

from relayline.api.errors import CursorAhead
from relayline.api.runs.conversations import Conversations
from relayline.api.runs.submission import PreparedRun
from relayline.api.runs.views import Views
from relayline.api.streams.event_filter import ALL_EVENTS, EventFilter
from relayline.api.streams.feed import Feed
from relayline.api.streams.sse import SseResponse, Streams
from relayline.api.streams.turns import TurnBounds, TurnViewer
from relayline.api.streams.viewer import Viewer
from relayline.contracts.command_answers import CommandReceipt
from relayline.journal.port import CursorExpired, Head, Journal
from relayline.journal.table import Tenant
from relayline.projections.selection import Selection

PAGE_BYTES = 1024 * 1024
"""Data of events on a page; one event may be larger."""
_EMPTY = Head(first_seq=1, last_seq=0, ended=False)


class RunEvents:
    """Every event of a run, in order, each once.

    Every method raises `UnknownRun`, `TemporalUnavailable` and `JournalUnavailable` as `Views.head`
    does, `CursorAhead` for a cursor beyond the newest event, and `CursorExpired` when events after
    it were swept.
    """

    def __init__(
        self,
        views: Views,
        journal: Journal,
        feed: Feed,
        streams: Streams,
        conversations: Conversations,
    ) -> None:
        self._conversations = conversations
        self._views = views
        self._journal = journal
        self._feed = feed
        self._streams = streams

    async def page(
        self,
        tenant: Tenant,
        run_id: str,
        cursor: int,
        limit: int,
        wanted: EventFilter = ALL_EVENTS,
    ) -> str:
        """At most `limit` events after the cursor, as JSON text of an `EventPage`."""
        head = await self._head(tenant, run_id)
        _check(cursor, head)
        selection = await wanted.selection(self._journal, tenant, run_id)
        events = await self._journal.read(
            tenant, run_id, cursor, limit, max_bytes=PAGE_BYTES, selection=selection
        )
        newest = events[-1].seq if events else wanted.looked_at(cursor, head.last_seq)
        newest_ends = events[-1].ends_run if events else head.ended
        ended = newest_ends and newest >= head.last_seq
        has_more = events and events[0].seq > head.first_seq
        listed = ",".join(event.envelope_json() for event in events)
        return (
            f'{{"events":[{listed}],"next":{newest},'
            f'"previous":{events[0].seq if has_more else "null"},'
            f'"ended":{"true" if ended else "false"}}}'
        )

    async def stream(
        self,
        request: Request,
        tenant: Tenant,
        run_id: str,
        cursor: int,
        wanted: EventFilter = ALL_EVENTS,
    ) -> SseResponse | None:
        """A stream of the events after the cursor; None if nothing wanted comes any more.

        Raises:
            TooManyStreams: the client's address has as many as allowed.
        """
        head = await self._head(tenant, run_id)
        newest = _newest(cursor, head)
        if newest is None:
            return None
        selection = await wanted.selection(self._journal, tenant, run_id)
        if head.ended and selection is not None:
            left = await self._journal.read(tenant, run_id, cursor, 1, selection=selection)
            if not left:
                return None
        slot = await self._streams.reserve(request)
        viewer = self._feed.view(tenant, run_id, cursor, newest, selection)
        return self._streams.respond(viewer, slot)

    async def stream_turn(  # noqa: PLR0913, PLR0917  a stream with its turn
        self,
        request: Request,
        tenant: Tenant,
        run_id: str,
        cursor: int,
        command_id: str | None,
        wanted: EventFilter,
    ) -> SseResponse | None:
        """A stream of one turn's events after the cursor; None if nothing wanted comes any more.

        Args:
            request: The request.
            tenant: Whose runs the client may see.
            run_id: The run.
            cursor: Only later events.
            command_id: The message that begins the turn; None: the newest turn.
            wanted: Only these of the turn's events.

        Raises:
            TooManyStreams: the client's address has as many as allowed.
        """
        newest = await self.newest(tenant, run_id, cursor)
        bounds = TurnBounds(self._conversations, tenant, run_id, command_id)
        await bounds.look()
        selection = await wanted.selection(self._journal, tenant, run_id)
        if newest is None:
            return None
        if bounds.ends_at is not None:
            after = max(cursor, bounds.begins_after or 0)
            left = await self._journal.read(tenant, run_id, after, 1, selection=selection)
            if not left or left[0].seq > bounds.ends_at:
                return None
        slot = await self._streams.reserve(request)
        channel = self._feed.channel(tenant, run_id, cursor, newest)
        return self._streams.respond(TurnViewer(channel, cursor, bounds, selection), slot)

    async def stream_message(
        self,
        request: Request,
        tenant: Tenant,
        run_id: str,
        send: Callable[[], Awaitable[CommandReceipt]],
    ) -> SseResponse:
        """Send a message and stream its turn; a refused one has its refusal alone.

        Raises:
            TooManyStreams: the client's address has as many as allowed; nothing was sent.
        """
        head = await self._head(tenant, run_id)
        slot = await self._streams.reserve(request)
        try:
            receipt = await send()
        except BaseException:
            slot.release()
            raise
        bounds = TurnBounds(self._conversations, tenant, run_id, receipt.command_id)
        channel = self._feed.channel(tenant, run_id, 0, head.last_seq)
        headers = {"X-Command-Id": receipt.command_id}
        return self._streams.respond(TurnViewer(channel, 0, bounds), slot, headers)

    async def newest(self, tenant: Tenant, run_id: str, cursor: int) -> int | None:
        """The newest `seq`; None if the run has ended and nothing comes after the cursor."""
        return _newest(cursor, await self._head(tenant, run_id))

    async def selection(self, tenant: Tenant, run_id: str, wanted: EventFilter) -> Selection | None:
        """What a stream of these reads; None: all events."""
        return await wanted.selection(self._journal, tenant, run_id)

    async def stream_new(
        self,
        request: Request,
        tenant: Tenant,
        prepared: PreparedRun,
        start: Callable[[], Awaitable[object]],
    ) -> SseResponse:
        """Watch, then start the run, so that the viewer is waiting when the first event comes.

        Raises:
            TooManyStreams: the client's address has as many as allowed; nothing was started.
        """
        slot = await self._streams.reserve(request)
        run_id = prepared.run.run_id
        viewer = self._new_viewer(tenant, prepared)
        try:
            await start()
        except BaseException:
            viewer.leave()
            slot.release()
            raise
        headers = {"Location": prepared.links.self, "X-Run-Id": run_id}
        return self._streams.respond(viewer, slot, headers)

    def _new_viewer(self, tenant: Tenant, prepared: PreparedRun) -> Viewer:
        """Of the whole run, or of the first turn of a conversation."""
        run_id = prepared.run.run_id
        if prepared.run.idle_s is None:
            return self._feed.view(tenant, run_id, 0, 0)
        bounds = TurnBounds(self._conversations, tenant, run_id, None)
        bounds.begins_after, bounds.turn = 0, 1
        return TurnViewer(self._feed.channel(tenant, run_id, 0, 0), 0, bounds)

    async def _head(self, tenant: Tenant, run_id: str) -> Head:
        return await self._views.head(tenant, run_id) or _EMPTY


def _newest(cursor: int, head: Head) -> int | None:
    """As `RunEvents.newest`."""
    if head.ended and cursor >= head.last_seq:
        return None
    _check(cursor, head)
    return head.last_seq


def _check(cursor: int, head: Head) -> None:
    """Refuse a cursor that the journal can't serve.

    Raises:
        CursorAhead: it is beyond the newest event.
        CursorExpired: events after it were swept.
    """
    if cursor > head.last_seq:
        raise CursorAhead(
            f"the cursor is {cursor} and the newest event has seq {head.last_seq}",
            newest=head.last_seq,
        )
    if cursor + 1 < head.first_seq:
        raise CursorExpired(head.first_seq)
