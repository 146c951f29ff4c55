"""The live state of runs: one query in flight per run, whose answer all callers share."""

from __future__ import annotations

import asyncio
import logging

from starlette.requests import Request

from relayline.api.errors import ApiError, UnknownRun
from relayline.api.runs.views import Views
from relayline.api.streams.feed import Feed
from relayline.api.streams.sse import SseResponse, Streams
from relayline.api.streams.subscriber import Subscriber
from relayline.api.temporal.gateway import Gateway
from relayline.contracts.answers import ProgressView, RunView
from relayline.journal.port import Journal, JournalUnavailable
from relayline.journal.table import Tenant

MIN_INTERVAL_S = 0.1
"""The least time between two queries of a watched run."""
MAX_INTERVAL_S = 2.0
"""The most time between two queries of a watched run."""
_log = logging.getLogger(__name__)


class ProgressViewer(Subscriber):
    """Yields each change of a run's progress once; only the newest if there were several."""

    def __init__(self, tracker: Tracker) -> None:
        super().__init__()
        self._tracker = tracker
        self._seen = 0
        tracker.viewers.add(self)

    async def next_chunk(self) -> bytes | None:
        """The newest frame if it was not sent yet; None at the end."""
        tracker = self._tracker
        if tracker.version > self._seen:
            self._seen = tracker.version
            return tracker.frame
        return None if tracker.over else b""

    def leave(self) -> None:
        """Stop watching."""
        self._tracker.leave(self)


class Tracker:
    """One watched run: queries it after each new fact, and at intervals."""

    def __init__(self, progress: ProgressFeed, tenant: Tenant, run_id: str, newest: int) -> None:
        self.key = (tenant, run_id)
        self.viewers: set[ProgressViewer] = set()
        self.version = 0
        self.frame = b""
        self.over = False
        self._progress = progress
        self._watch = progress.feed.watch(tenant, run_id, newest)
        self.task = asyncio.create_task(self._track(), name=f"progress of {run_id}")

    def leave(self, viewer: ProgressViewer) -> None:
        """Remove a viewer; the last one stops the queries."""
        self.viewers.discard(viewer)
        if not self.viewers:
            self._progress.forget(self)
            self.task.cancel()

    async def _track(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while not self.over:
                facts = self._watch.channel.facts
                await self._ask()
                await asyncio.sleep(MIN_INTERVAL_S)
                deadline = loop.time() + MAX_INTERVAL_S - MIN_INTERVAL_S
                while self._watch.channel.facts == facts and loop.time() < deadline:
                    await self._watch.sleep_until(deadline)
        finally:
            self._watch.leave()
            self._progress.forget(self)

    async def _ask(self) -> None:
        """Query once and wake the viewers; a failure is ignored until the next query."""
        try:
            view = await self._progress.current(*self.key)
        except UnknownRun:
            self.over = True
        except (ApiError, JournalUnavailable) as error:
            _log.info("progress unknown for now", extra={"reason": str(error)})
            return
        else:
            self.over = view.status.ended
            self._show(f"event: progress\ndata: {view.model_dump_json()}\n\n".encode())
        for viewer in self.viewers:
            viewer.wake()

    def _show(self, frame: bytes) -> None:
        if frame != self.frame:
            self.frame = frame
            self.version += 1


class ProgressFeed:
    """The progress of runs, queried once for all who watch."""

    def __init__(
        self, journal: Journal, gateway: Gateway, views: Views, feed: Feed, streams: Streams
    ) -> None:
        self.feed = feed
        self._streams = streams
        self._journal = journal
        self._gateway = gateway
        self._views = views
        self._asking: dict[tuple[Tenant, str], asyncio.Task[ProgressView]] = {}
        self._trackers: dict[tuple[Tenant, str], Tracker] = {}

    @property
    def tracked(self) -> int:
        """Runs whose progress is watched."""
        return len(self._trackers)

    async def current(self, tenant: Tenant, run_id: str) -> ProgressView:
        """The live state of the run; shares the query in flight.

        Raises:
            UnknownRun: nobody knows the run.
            TemporalUnavailable: neither Temporal nor the journal can answer.
        """
        await self._views.owners.check(tenant, run_id)
        key = (tenant, run_id)
        task = self._asking.get(key)
        if task is None:
            task = self._asking[key] = asyncio.create_task(self._find(tenant, run_id))
            task.add_done_callback(lambda done: self._asked(key, done))
        return await asyncio.shield(task)

    async def stream(self, request: Request, tenant: Tenant, run_id: str) -> SseResponse:
        """A stream of each change until the run ends.

        Raises:
            UnknownRun: nobody knows the run.
            TooManyStreams: the client's address has as many as allowed.
        """
        head = await self._views.head(tenant, run_id)
        slot = await self._streams.reserve(request)
        viewer = self._view(tenant, run_id, head.last_seq if head else 0)
        return self._streams.respond(viewer, slot)

    def forget(self, tracker: Tracker) -> None:
        """The next viewer gets a new tracker."""
        if self._trackers.get(tracker.key) is tracker:
            del self._trackers[tracker.key]

    async def close(self) -> None:
        """Stop all queries."""
        tasks = [*(item.task for item in self._trackers.values()), *self._asking.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _view(self, tenant: Tenant, run_id: str, newest: int) -> ProgressViewer:
        """A viewer; `newest` is the journal's newest `seq` now."""
        tracker = self._trackers.get((tenant, run_id))
        if tracker is None:
            tracker = Tracker(self, tenant, run_id, newest)
            self._trackers[tracker.key] = tracker
        return ProgressViewer(tracker)

    def _asked(self, key: tuple[Tenant, str], task: asyncio.Task[ProgressView]) -> None:
        del self._asking[key]
        if not task.cancelled():
            task.exception()  # callers have it; there may be none left

    async def _find(self, tenant: Tenant, run_id: str) -> ProgressView:
        """The workflow's answer while the run is open, else from the memo or the journal."""
        if not await self._ended(tenant, run_id) and (live := await self._gateway.progress(run_id)):
            return ProgressView(source="query", **live.model_dump())
        return _standing(await self._views.find(tenant, run_id))

    async def _ended(self, tenant: Tenant, run_id: str) -> bool:
        try:
            head = await self._journal.head(tenant, run_id)
        except JournalUnavailable:
            return False
        return head is not None and head.ended


def _standing(view: RunView) -> ProgressView:
    return ProgressView(
        run_id=view.run_id,
        source="journal" if view.source == "journal" else "memo",
        agent=view.agent,
        model=view.model,
        status=view.status,
        step=view.step,
        waiting_for=view.waiting_for,
        attention=view.attention,
        usage=view.usage,
        limits=view.limits,
        started_at=view.created_at,
        last_error=view.error,
    )
