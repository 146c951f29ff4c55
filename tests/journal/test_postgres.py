"""What the Postgres journal does beyond the port: groups, wake-ups, lost words."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from uuid import uuid4

import asyncpg
import pytest

from relayline.contracts.envelope import StoredEvent
from relayline.journal.port import Fence, JournalUnavailable, StaleAttempt
from relayline.journal.postgres.journal import PostgresJournal
from relayline.journal.postgres.sql import APPEND, append_arguments
from relayline.journal.rows import new_row
from relayline.journal.table import EVERY
from tests.journal.samples import delta, end, fact, follow, fresh_run, seqs, tailing, texts
from tests.journal.storage import opened
from tests.postgres_server import MIGRATED, PostgresServer


@pytest.fixture
def dsn(postgres: PostgresServer) -> str:
    return postgres.create_database(f"test_{uuid4().hex}", MIGRATED)


@pytest.fixture
async def journal(dsn: str) -> AsyncIterator[PostgresJournal]:
    async with opened(dsn) as journal:
        yield journal


@pytest.fixture
async def admin(dsn: str) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    connection = await asyncpg.connect(dsn)
    yield connection
    await connection.close()


async def test_what_is_appended_at_a_time_shares_commits_and_each_gets_its_own_answer(
    journal: PostgresJournal, admin: asyncpg.Connection[asyncpg.Record]
) -> None:
    runs = [fresh_run() for _ in range(60)]
    await journal.append(runs[0], [], Fence("call", 2))
    appends = [journal.append(run, [fact("k")], Fence("call", 1)) for run in runs]
    answers = await asyncio.gather(*appends, return_exceptions=True)
    assert isinstance(answers[0], StaleAttempt)
    assert answers[1:] == [[(1, True)]] * 59
    commits = await admin.fetchval("SELECT count(DISTINCT xmin::text) FROM relayline.events")
    assert commits <= 5


@pytest.mark.parametrize("relaxed", [True, False])
async def test_only_deltas_commit_without_waiting_for_the_disk(
    dsn: str, admin: asyncpg.Connection[asyncpg.Record], *, relaxed: bool
) -> None:
    await admin.execute("""
        CREATE FUNCTION note_commit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            NEW.data := format('{"text":"%s"}', current_setting('synchronous_commit'));
            RETURN NEW; END $$;
        CREATE TRIGGER note_commit BEFORE INSERT ON relayline.events
            FOR EACH ROW EXECUTE FUNCTION note_commit()
    """)
    run = fresh_run()
    async with opened(dsn, relaxed_deltas=relaxed) as journal:
        await journal.append(run, [delta()])
        await journal.append(run, [delta(), fact("k")])
        stored = texts(await journal.read(EVERY, run))
    assert stored == ["off" if relaxed else "on", "on", "on"]


async def test_a_lost_word_is_made_up_for(
    journal: PostgresJournal, admin: asyncpg.Connection[asyncpg.Record]
) -> None:
    run = fresh_run()
    await journal.append(run, [delta("first")])
    async with asyncio.timeout(10), tailing(journal, run) as tail:
        assert texts(await anext(tail)) == ["first"]
        arguments = list(append_arguments(run, [new_row(delta("unheard"))], None))
        arguments[1] = "nobody_listens_here"
        await admin.fetch(APPEND, *arguments)
        assert texts(await anext(tail)) == ["unheard"]


async def test_a_lost_word_is_made_up_for_although_others_are_heard_all_the_time(
    journal: PostgresJournal, admin: asyncpg.Connection[asyncpg.Record]
) -> None:
    run, busy = fresh_run(), fresh_run()
    await journal.append(run, [delta("first")])
    talking = asyncio.create_task(follow(journal, busy))

    async def talk() -> None:
        while True:
            await journal.append(busy, [delta()])

    async with asyncio.timeout(10), tailing(journal, run) as tail:
        assert texts(await anext(tail)) == ["first"]
        speaker = asyncio.create_task(talk())
        await asyncio.sleep(0.2)  # until both are listened for
        await journal.append(run, [delta("heard")])
        assert texts(await anext(tail)) == ["heard"]
        arguments = list(append_arguments(run, [new_row(delta("unheard"))], None))
        arguments[1] = "nobody_listens_here"
        await admin.fetch(APPEND, *arguments)
        assert texts(await anext(tail)) == ["unheard"]
    speaker.cancel()
    await asyncio.wait({speaker})
    await journal.append(busy, [end()])
    await talking


async def test_tails_and_appends_outlive_the_loss_of_every_connection(
    journal: PostgresJournal, admin: asyncpg.Connection[asyncpg.Record]
) -> None:
    runs = [fresh_run() for _ in range(5)]
    following = [asyncio.create_task(follow(journal, run)) for run in runs * 2]
    for n in range(60):
        if n % 20 == 10:
            await admin.fetch("""
                SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE application_name = 'relayline' AND datname = current_database()
            """)
        await asyncio.gather(*(_insist(journal, run, f"{n}") for run in runs))
    await asyncio.gather(*(journal.append(run, [end()]) for run in runs))
    for run, events in zip(runs * 2, await asyncio.gather(*following), strict=True):
        assert seqs(events) == list(range(1, 62)), run
        assert [text for text in texts(events) if text] == [str(n) for n in range(60)]


async def _insist(journal: PostgresJournal, run: str, text: str) -> None:
    """As an activity's next attempt would: the key makes it safe."""
    while True:
        with suppress(JournalUnavailable):
            await journal.append(run, [fact(text, text)])
            return


async def test_while_nobody_watches_postgres_is_left_alone(
    journal: PostgresJournal, admin: asyncpg.Connection[asyncpg.Record]
) -> None:
    run = fresh_run()
    await journal.append(run, [delta()])
    async with tailing(journal, run) as tail:
        await anext(tail)
    await asyncio.sleep(0.1)
    last = """
        SELECT max(state_change) FROM pg_stat_activity
        WHERE application_name = 'relayline' AND datname = current_database()
    """
    before = await admin.fetchval(last)
    await asyncio.sleep(1.3)
    assert await admin.fetchval(last) == before
    async with asyncio.timeout(10), tailing(journal, run, 1) as tail:
        waiting = asyncio.create_task(anext(tail))
        await journal.append(run, [delta("again")])
        assert texts(await waiting) == ["again"]


async def test_a_run_of_many_events_is_handed_out_whole_to_a_tail_that_kept_up(
    journal: PostgresJournal,
) -> None:
    run, got = fresh_run(), list[StoredEvent]()
    async with asyncio.timeout(15), tailing(journal, run) as tail:
        waiting = asyncio.create_task(anext(tail))
        await asyncio.sleep(0.05)
        await journal.append(run, [delta() for _ in range(950)])
        await journal.append(run, [end()])
        got.extend(await waiting)
        async for batch in tail:
            got.extend(batch)
    assert seqs(got) == list(range(1, 952))
