"""One journal reader per watched run; frames are encoded once; each viewer has a position."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Sequence
from contextlib import aclosing

from relayline.api.serving.metrics import Metrics
from relayline.api.streams.buffer import MAX_FRAMES, Frames
from relayline.api.streams.frames import LOST, UNAVAILABLE, notice
from relayline.api.streams.viewer import RETRY_S, Viewer, Watch
from relayline.api.streams.watchdog import Watchdog
from relayline.contracts.envelope import StoredEvent
from relayline.journal.port import CursorExpired, EventsLost, Journal, JournalUnavailable
from relayline.journal.table import Tenant
from relayline.projections.selection import Selection

LINGER_S = 0.5
"""How long a run is followed after its last viewer has left."""
_TURN_OVER = "turn.completed"
_log = logging.getLogger(__name__)


class Channel:
    """One followed run: a task tails the journal into a bounded buffer of frames.

    Its readers are of one tenant, or may see every tenant's runs.
    """

    def __init__(self, feed: Feed, tenant: Tenant, run_id: str, after: int) -> None:
        self.tenant = tenant
        self.run_id = run_id
        self.journal = feed.journal
        self.metrics = feed.metrics
        self.watches: set[Watch] = set()
        self.frames = Frames(after)
        self.facts = 0
        """Facts seen so far; changes when something other than a delta comes."""
        self.over = False
        """True when nothing more will come."""
        self.loss = b""
        """The last frame of every viewer when the journal has lost events that were sent."""
        self.last_event_at = asyncio.get_running_loop().time()
        """When the last event came, on the loop's clock."""
        self.delivered = 0
        """Events sent and not yet counted in the metrics; counting each would cost too much."""
        self.turn_ends: dict[int, int] = {}
        """`seq` of each `turn.completed` seen so far, by turn."""
        self.notice = b""
        """The frame that says what the run is missing; empty when it is missing nothing."""
        self.notices = 0
        """The number of notices so far."""
        self._missing: str | None = None
        self._newest: StoredEvent | None = None
        self._feed = feed
        self.task = asyncio.create_task(self._follow(), name=f"follow {run_id}")
        self.task.add_done_callback(self._followed)

    @property
    def key(self) -> tuple[Tenant, str]:
        """What the feed knows it by."""
        return self.tenant, self.run_id

    def set_missing(self, what: str | None) -> None:
        """Tell every viewer what the run is missing, once for as long as it is missing."""
        if what == self._missing:
            return
        self._missing = what
        self.notice = b""
        if what is not None:
            self.notices += 1
            self.notice = notice(self.run_id, UNAVAILABLE, what)
            self.wake_all()

    def leave(self, watch: Watch) -> None:
        """Remove a watch; after the last one the channel closes in `LINGER_S`."""
        self.watches.discard(watch)
        self._count()
        if not self.watches:
            asyncio.get_running_loop().call_later(LINGER_S, self._feed.drop_idle, self)

    def wake_all(self) -> None:
        """Wake every watch."""
        for watch in self.watches:
            watch.wake()

    async def _follow(self) -> None:
        """Tail until the terminal fact or a loss; retry after other failures of the journal."""
        try:
            while True:
                try:
                    return await self._tail()
                except JournalUnavailable as error:
                    _log.warning("journal unavailable, retrying", extra={"reason": str(error)})
                    await asyncio.sleep(RETRY_S)
        except CursorExpired:
            _log.info("events were swept while watched", extra={"run_id": self.run_id})
        except EventsLost as error:
            reason = str(error)
            _log.warning("events lost", extra={"run_id": self.run_id, "reason": reason})
            self.loss = notice(self.run_id, LOST, reason)
        finally:
            self.over = True
            self.wake_all()

    async def _tail(self) -> None:
        async with aclosing(
            self.journal.tail(self.tenant, self.run_id, self._newest or self.frames.last)
        ) as batches:
            async for batch in batches:
                self._add(batch)

    def _followed(self, task: asyncio.Task[None]) -> None:
        """The task has returned, was cancelled, or failed, which ends its streams."""
        if not task.cancelled() and (error := task.exception()):
            _log.error("following failed", exc_info=error, extra={"run_id": self.run_id})
            self._feed.forget(self)

    def _add(self, batch: Sequence[StoredEvent]) -> None:
        for event in batch:
            self.frames.add(event)
            self.facts += event.key is not None
            if event.type == _TURN_OVER:
                self.turn_ends[json.loads(event.data)["turn"]] = event.seq
        self._newest = newest = batch[-1]
        self.over = newest.ends_run
        self.last_event_at = asyncio.get_running_loop().time()
        self.metrics.event_lag.observe(max(0.0, time.time() - newest.at_us / 1e6))
        self.set_missing(None)
        self._count()
        self.frames.trim()
        self.wake_all()

    def _count(self) -> None:
        self.metrics.events_delivered.inc(self.delivered)
        self.delivered = 0


class Feed:
    """The runs that are watched in this process."""

    def __init__(self, journal: Journal, metrics: Metrics, watchdog: Watchdog) -> None:
        self.journal = journal
        self.metrics = metrics
        self._watchdog = watchdog
        self._channels: dict[tuple[Tenant, str], Channel] = {}

    @property
    def followed(self) -> int:
        """Runs that are being followed."""
        return len(self._channels)

    def view(
        self,
        tenant: Tenant,
        run_id: str,
        after: int,
        newest: int,
        selection: Selection | None = None,
    ) -> Viewer:
        """A viewer at `after`; `newest` is the journal's newest `seq` now, 0 if none."""
        return Viewer(self.channel(tenant, run_id, after, newest), after, selection)

    def channel(self, tenant: Tenant, run_id: str, after: int, newest: int) -> Channel:
        """What a viewer at `after` needs; arguments as those of `view`."""
        return self._channel(tenant, run_id, max(after, newest - MAX_FRAMES // 2))

    def watch(self, tenant: Tenant, run_id: str, newest: int) -> Watch:
        """A watch of what comes after `newest`."""
        return Watch(self._channel(tenant, run_id, newest))

    def drop_idle(self, channel: Channel) -> None:
        """Stop following a run that has no watches left."""
        if not channel.watches and self._channels.get(channel.key) is channel:
            self.forget(channel)
            channel.task.cancel()

    def forget(self, channel: Channel) -> None:
        """The next viewer gets a new channel."""
        self._watchdog.forget(channel)
        if self._channels.get(channel.key) is channel:
            del self._channels[channel.key]

    def wake_all(self) -> None:
        """Wake every watch, for when the server stops."""
        for channel in tuple(self._channels.values()):
            channel.wake_all()

    async def close(self) -> None:
        """Stop following all runs."""
        await self._watchdog.close()
        channels = list(self._channels.values())
        self._channels.clear()
        for channel in channels:
            channel.task.cancel()
        await asyncio.gather(*(channel.task for channel in channels), return_exceptions=True)

    def _channel(self, tenant: Tenant, run_id: str, after: int) -> Channel:
        channel = self._channels.get((tenant, run_id))
        if channel is None or channel.over:  # it may have been reset since: look again
            channel = Channel(self, tenant, run_id, after)
            self._channels[channel.key] = channel
            self._watchdog.watch(channel)
        return channel
