"""The watcher of the Postgres journal: delivers new events to tails, over one connection."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from contextlib import suppress
from typing import TYPE_CHECKING

from relayline.contracts.envelope import StoredEvent
from relayline.journal.changes import Changes
from relayline.journal.port import JournalUnavailable
from relayline.journal.postgres.database import FAULTS, RETRY_S, Database, is_transient
from relayline.journal.postgres.run_rows import ROWS_CHANNEL
from relayline.journal.postgres.sql import NEWER, channel_of
from relayline.journal.subscription import TAIL_PAGE, Subscription

if TYPE_CHECKING:
    from relayline.journal.postgres.database import Connection

LOOK_S = 1.0
"""All watched runs are checked this often, so a lost notification costs at most this delay."""
_LONGEST_PAUSE_S = 1.0
"""The longest pause between failing connections; when it is reached, the tails fail, too."""


class Watcher:
    """Listens while there are subscriptions, and fetches new events of all runs with one query.

    A NOTIFY names a run. One query fetches its new events and those of all other runs notified
    meanwhile. A subscription whose tail has not reached the end of the run falls behind instead,
    and the tail reads the journal. A lost notification costs at most `LOOK_S`.

    A broken connection may mean that Postgres crashed and lost events that were not on its disk. So
    with each new connection all subscriptions fall behind and all positions are dropped.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._subscriptions: defaultdict[str, set[Subscription]] = defaultdict(set)
        self._channels: Counter[str] = Counter()
        """How many watched runs share each channel."""
        self._listening: set[str] = set()
        self._positions: dict[str, int] = {}
        """The newest delivered `seq` of each run whose newest page a tail has read."""
        self._woken: set[str] = set()
        self._changes: set[Changes] = set()
        """Who wants to know of changed rows."""
        self._changed: set[str] = set()
        self._wake = asyncio.Event()
        self._next_look = 0.0
        """When to check all watched runs again, by the event loop's clock."""
        self._pause_s = RETRY_S
        """Pause before the next connection; doubles after each one that failed at once."""
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    def subscribe(self, run_id: str) -> Subscription:
        """Deliver events of the run from now on; the first `take` returns None.

        Raises:
            JournalUnavailable: the journal was closed.
        """
        if self._closed:
            raise self._database.closed()
        subscription = Subscription(run_id)
        if run_id not in self._subscriptions:
            self._channels[channel_of(run_id)] += 1
            self._wake.set()
        self._subscriptions[run_id].add(subscription)
        self._begin()
        return subscription

    def watch_rows(self) -> Changes:
        """Deliver the ids of changed rows from the first `take` on, which returns None.

        Raises:
            JournalUnavailable: the journal was closed.
        """
        if self._closed:
            raise self._database.closed()
        changes = Changes()
        self._changes.add(changes)
        self._wake.set()
        self._begin()
        return changes

    def unwatch_rows(self, changes: Changes) -> None:
        """Deliver no more; safe to call twice."""
        self._changes.discard(changes)
        self._wake.set()

    def _begin(self) -> None:
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="journal watcher")

    def caught_up(self, run_id: str, seq: int) -> None:
        """Fetch events after `seq`, because a tail has read the run up to there, its end."""
        if run_id in self._subscriptions:
            self._positions.setdefault(run_id, seq)

    def unsubscribe(self, subscription: Subscription) -> None:
        """Deliver no more; safe to call twice."""
        run_id = subscription.run_id
        if run_id not in self._subscriptions:
            return
        self._subscriptions[run_id].discard(subscription)
        if not self._subscriptions[run_id]:
            self._forget(run_id)

    async def close(self) -> None:
        """Stop listening and fail all tails; safe to call twice."""
        self._closed = True
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        self._fail_all(self._database.closed())

    def _forget(self, run_id: str) -> None:
        del self._subscriptions[run_id]
        self._positions.pop(run_id, None)
        self._channels[channel_of(run_id)] -= 1
        self._wake.set()

    async def _run(self) -> None:
        while True:
            while not self._subscriptions and not self._changes:
                self._wake.clear()
                await self._wake.wait()
            try:
                connection = await self._database.connect()
                try:
                    await self._serve(connection)
                finally:
                    connection.terminate()
            except JournalUnavailable as error:
                self._fail_all(error)
            except FAULTS as error:
                if not is_transient(error) or self._pause_s >= _LONGEST_PAUSE_S:
                    self._fail_all(self._database.unavailable(error))
            await asyncio.sleep(self._pause_s)
            self._pause_s = min(2 * self._pause_s, _LONGEST_PAUSE_S)

    async def _serve(self, connection: Connection) -> None:
        """Listen and deliver until the connection fails."""
        connection.add_termination_listener(lambda _connection: self._wake.set())
        self._listening.clear()
        self._positions.clear()
        for of_run in self._subscriptions.values():
            for subscription in of_run:
                subscription.fall_behind()
        for changes in self._changes:
            changes.begun = False
        while not connection.is_closed():
            self._wake.clear()
            await self._listen(connection)
            self._tell_rows()
            await self._fetch_new(connection)
            self._pause_s = RETRY_S
            await self._await_news()
        raise ConnectionResetError("the connection was closed")

    async def _listen(self, connection: Connection) -> None:
        """Listen on the channels of watched runs; check runs of a new channel at once."""
        wanted = set(+self._channels) | ({ROWS_CHANNEL} if self._changes else set())
        for channel in wanted - self._listening:
            await connection.add_listener(channel, self._notice)
            self._woken.update(run for run in self._subscriptions if channel_of(run) == channel)
        for channel in self._listening - wanted:
            await connection.remove_listener(channel, self._notice)
        self._listening = wanted

    def _tell_rows(self) -> None:
        """Deliver the ids of changed rows; who is new reads the list first."""
        changed, self._changed = self._changed, set()
        for changes in self._changes:
            if not changes.begun:
                changes.begun = True
                changes.miss()
            elif changed:
                changes.deliver(changed)

    def _notice(self, _connection: object, _pid: int, channel: str, run_id: object) -> None:
        if channel == ROWS_CHANNEL:
            self._changed.add(str(run_id))
            self._wake.set()
        elif run_id in self._subscriptions:
            self._woken.add(str(run_id))
            self._wake.set()

    async def _fetch_new(self, connection: Connection) -> None:
        """Fetch and deliver new events of all notified runs, until there are none."""
        while self._woken:
            woken, self._woken = self._woken, set()
            known = {run: self._positions[run] for run in woken if run in self._positions}
            for run in woken.difference(known):
                for subscription in self._subscriptions.get(run, ()):
                    subscription.fall_behind()
            if known:
                asked = (list(known), list(known.values()), TAIL_PAGE)
                rows = await connection.fetch(NEWER, *asked)
                self._deliver([StoredEvent._make(row) for row in rows])

    def _deliver(self, events: list[StoredEvent]) -> None:
        by_run: defaultdict[str, list[StoredEvent]] = defaultdict(list)
        for event in events:
            by_run[event.run_id].append(event)
        for run, batch in by_run.items():
            if run in self._positions:
                self._positions[run] = max(self._positions[run], batch[-1].seq)
                if len(batch) == TAIL_PAGE:
                    self._woken.add(run)
            for subscription in self._subscriptions.get(run, ()):
                subscription.deliver(batch)

    async def _await_news(self) -> None:
        """Wait until a run is notified, or until it is time to check all runs."""
        if not self._subscriptions:  # changed rows are told, never looked for
            await self._wake.wait()
            return
        clock = asyncio.get_running_loop().time
        with suppress(TimeoutError):
            async with asyncio.timeout_at(self._next_look):
                await self._wake.wait()
        if clock() >= self._next_look:
            self._next_look = clock() + LOOK_S
            self._woken.update(self._positions)

    def _fail_all(self, error: JournalUnavailable) -> None:
        readers: list[Subscription | Changes] = [*self._changes]
        readers += [each for of_run in self._subscriptions.values() for each in of_run]
        for run in list(self._subscriptions):
            self._forget(run)
        self._changes.clear()
        self._wake.clear()
        for reader in readers:
            reader.fail(error)
