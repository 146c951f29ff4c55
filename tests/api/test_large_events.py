"""A run of large events is read in bounded portions, by the page and by a stream far behind."""

from __future__ import annotations

from typing import Any

from temporalio.client import Client

from relayline.api.streams import buffer, events, viewer
from relayline.contracts.envelope import NewEvent, StoredEvent
from relayline.contracts.events import MessageDelta
from relayline.journal.sqlite.journal import SqliteJournal
from relayline.journal.table import Tenant
from relayline.runtime.settings import Settings
from tests.api.flaky import FlakyJournal
from tests.api.serving import completed, deltas, envelopes, follow, run_id, serving, started

SIZE = 200_000
LARGE = [NewEvent(body=MessageDelta(text="x" * SIZE))] * 50


class Weighing(FlakyJournal):
    """Notes how many bytes of data each read gave."""

    def __init__(self, inner: SqliteJournal) -> None:
        super().__init__(inner)
        self.weights: list[int] = []

    async def read(
        self, tenant: Tenant, run_id: str, after: int = 0, limit: int = 1000, **more: Any
    ) -> list[StoredEvent]:
        found = await super().read(tenant, run_id, after, limit, **more)
        self.weights.append(sum(len(event.data.encode()) for event in found))
        return found


async def test_a_page_of_large_events_is_short_and_the_next_one_goes_on(
    journal: SqliteJournal, no_temporal: Client
) -> None:
    run, weighing = run_id(), Weighing(journal)
    await journal.append(run, [started(), *LARGE, completed()])
    seen: list[dict[str, Any]] = []
    ended, pages = False, 0
    async with serving(Settings(), weighing, no_temporal) as api:
        while not ended:
            query = {"after": len(seen), "limit": 1000}
            page = (await api.http.get(f"/v1/runs/{run}/events", params=query)).json()
            seen, ended, pages = seen + page["events"], page["ended"], pages + 1
            assert page["next"] == len(seen)
    assert pages == len(LARGE) * SIZE // events.PAGE_BYTES + 1
    assert seen == await envelopes(journal, run)
    assert max(weighing.weights) <= events.PAGE_BYTES


async def test_a_stream_far_behind_holds_few_large_events_at_a_time(
    journal: SqliteJournal, no_temporal: Client
) -> None:
    run, weighing = run_id(), Weighing(journal)
    await journal.append(run, [started(), *LARGE, *deltas(buffer.MAX_FRAMES)])
    await journal.append(run, [completed()])
    async with serving(Settings(), weighing, no_temporal) as api:
        assert await follow(api, run, 0) == await envelopes(journal, run)
    assert len(weighing.weights) > len(LARGE)
    assert max(weighing.weights) <= viewer.PAGE_BYTES
