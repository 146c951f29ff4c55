"""Long polls: answers that wait for a fact of a run, or for its end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial

from starlette.types import Receive

from relayline.api.runs.conversations import Conversations
from relayline.api.runs.views import Views
from relayline.api.streams.feed import Channel, Feed
from relayline.api.streams.sse import Streams, on_disconnect
from relayline.contracts.answers import RunView
from relayline.journal.port import Journal, JournalUnavailable
from relayline.journal.table import Tenant

_log = logging.getLogger(__name__)


class LongPoll:
    """Holds a request until something happens in a run's journal."""

    def __init__(self, feed: Feed, streams: Streams) -> None:
        self._feed = feed
        self._streams = streams

    async def until(  # noqa: PLR0913, PLR0917  one parameter per part
        self,
        receive: Receive,
        tenant: Tenant,
        run_id: str,
        newest: int,
        seconds: float,
        done: Callable[[Channel], Awaitable[bool]],
    ) -> None:
        """Return when `done`, the seconds are over, the client disconnects or the server stops.

        Args:
            receive: The request's channel, which reports that the client disconnects.
            tenant: Whose runs the client may see.
            run_id: The run.
            newest: The journal's newest `seq` now, 0 if none.
            seconds: The most seconds to wait.
            done: Called at once, and again after each event of the run.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        watch = self._feed.watch(tenant, run_id, newest)
        try:
            async with on_disconnect(receive, watch.leave):
                while loop.time() < deadline and not (watch.left or self._streams.closing):
                    if await done(watch.channel):
                        return
                    await watch.sleep_until(deadline)
        finally:
            watch.leave()


class RunPoll:
    """The state of a run, at once or when it, or a turn of a conversation, has ended."""

    def __init__(
        self, views: Views, journal: Journal, poll: LongPoll, conversations: Conversations
    ) -> None:
        self._conversations = conversations
        self._views = views
        self._journal = journal
        self._poll = poll

    async def find(
        self,
        receive: Receive,
        tenant: Tenant,
        run_id: str,
        seconds: float,
        command_id: str | None = None,
    ) -> RunView:
        """The run; with `seconds`, as soon as it or its turn has ended or they are over.

        Args:
            receive: The request's channel.
            tenant: Whose runs the client may see.
            run_id: The run.
            seconds: The most seconds to wait.
            command_id: Wait for the end of the turn that this command begins, or its refusal.

        Raises:
            ApiError, JournalUnavailable: as `Views.find`.
        """
        view = await self._views.find(tenant, run_id)
        if seconds and not view.status.ended:
            head = await self._journal.head(tenant, run_id)
            newest = head.last_seq if head else 0
            over = _Over(partial(self._conversations.is_over, tenant, run_id, command_id))
            if not (head and head.ended):
                await self._poll.until(receive, tenant, run_id, newest, seconds, over.is_over)
            view = await self._views.find(tenant, run_id)
        await self._add_turns(tenant, view, command_id)
        return view

    async def _add_turns(self, tenant: Tenant, view: RunView, command_id: str | None) -> None:
        """Add command and turns, as far as the journal can be asked."""
        try:
            if command_id is not None:
                view.command = await self._conversations.command(tenant, view, command_id)
            await self._conversations.add(tenant, view)
        except JournalUnavailable as error:
            _log.warning("journal unavailable, turns left out", extra={"reason": str(error)})


class _Over:
    """Looks again after each fact until the turn is over."""

    def __init__(self, look: Callable[[], Awaitable[bool]]) -> None:
        self._look = look
        self._facts = -1

    async def is_over(self, channel: Channel) -> bool:
        if channel.over:
            return True
        if channel.facts == self._facts:
            return False
        self._facts = channel.facts
        return await self._look()
