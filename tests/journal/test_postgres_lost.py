"""A Postgres that crashed and lost relaxed deltas after they were given out: all are told."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from uuid import uuid4

import pytest

from relayline.contracts.envelope import StoredEvent
from relayline.journal.port import EventsLost, Head, Journal
from relayline.journal.postgres.migrate import migrate
from relayline.journal.table import EVERY
from tests.journal.samples import delta, end, fact, follow, fresh_run, seqs, tailing
from tests.journal.storage import insist, opened
from tests.postgres_server import FORGETFUL, PostgresServer

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with PostgresServer(FORGETFUL) as server:
        yield server


async def watch(journal: Journal, run: str, got: list[StoredEvent]) -> None:
    """Follow the run to its end as a viewer's channel does."""

    async def follow_on() -> None:
        async with tailing(journal, run, got[-1] if got else 0) as tail:
            async for batch in tail:
                got.extend(batch)

    await insist(follow_on)


async def given(got: list[StoredEvent], count: int) -> None:
    while len(got) < count:
        await asyncio.sleep(0.001)


@pytest.mark.parametrize("more", [1, 20])
async def test_tails_are_told_when_events_are_lost_that_they_were_given(
    server: PostgresServer, more: int
) -> None:
    dsn, run = server.create_database(f"test_{uuid4().hex}"), fresh_run()
    await migrate(dsn)
    async with opened(dsn) as journal:
        await journal.append(run, [fact("1"), fact("2"), fact("3")])
        got: list[StoredEvent] = []
        watching = asyncio.create_task(watch(journal, run, got))
        server.hold_back()
        for count in range(4, 10):
            await journal.append(run, [delta()])
            await given(got, count)
        await asyncio.to_thread(server.crash)
        assert await insist(lambda: journal.head(EVERY, run)) == Head(1, 3, ended=False)
        events = [*(fact(f"new/{n}") for n in range(more)), end()]
        await insist(lambda: journal.append(run, events))
        with pytest.raises(EventsLost, match=r"event 9 (is|was)"):
            await watching
        assert seqs(got) == list(range(1, 10))
        assert seqs(await follow(journal, run)) == list(range(1, 5 + more))


async def test_tails_that_were_given_nothing_that_is_lost_go_on(server: PostgresServer) -> None:
    dsn, run = server.create_database(f"test_{uuid4().hex}"), fresh_run()
    await migrate(dsn)
    async with opened(dsn) as journal:
        got: list[StoredEvent] = []
        watching = asyncio.create_task(watch(journal, run, got))
        await journal.append(run, [delta(), fact("2")])
        await given(got, 2)
        server.hold_back()
        await asyncio.to_thread(server.crash)
        await insist(lambda: journal.append(run, [delta(), end()]))
        await watching
        assert seqs(got) == [1, 2, 3, 4]
