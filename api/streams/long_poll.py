"""Long polls: answers that wait for a fact of a run, or for its end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from starlette.types import Receive

from relayline.api.runs.views import Views
from relayline.api.streams.feed import Channel, Feed
from relayline.api.streams.sse import Streams, on_disconnect
from relayline.contracts.answers import RunView
from relayline.journal.port import Journal
from relayline.journal.table import Tenant


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
    """The state of a run, at once or when it has ended."""

    def __init__(self, views: Views, journal: Journal, poll: LongPoll) -> None:
        self._views = views
        self._journal = journal
        self._poll = poll

    async def find(self, receive: Receive, tenant: Tenant, run_id: str, seconds: float) -> RunView:
        """The run; with `seconds`, as soon as it has ended or they are over.

        Raises:
            ApiError, JournalUnavailable: as `Views.find`.
        """
        view = await self._views.find(tenant, run_id)
        if not seconds or view.status.ended:
            return view
        head = await self._journal.head(tenant, run_id)
        if head is None or not head.ended:
            newest = head.last_seq if head else 0
            await self._poll.until(receive, tenant, run_id, newest, seconds, _over)
        return await self._views.find(tenant, run_id)


async def _over(channel: Channel) -> bool:
    return channel.over
