"""A Postgres that is down, restarted, killed, or not what it has to be; and what is said of it."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
from collections.abc import Iterator
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import pytest

from relayline.journal.port import JournalUnavailable
from relayline.journal.postgres.database import CHECK_S, WAIT_S
from relayline.journal.postgres.migrate import Migrated, migrate
from relayline.journal.postgres.sql import REVISION
from relayline.journal.table import EVERY
from tests.journal.samples import delta, end, fact, follow, fresh_run, seqs, texts
from tests.journal.storage import opened
from tests.postgres_server import PASSWORD, QUOTED_PASSWORD, PostgresServer

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """One that these tests stop and kill; facts reach its disk."""
    with PostgresServer({"full_page_writes": "off"}) as server:
        yield server


@pytest.fixture
def dsn(server: PostgresServer) -> str:
    return server.create_database(f"test_{uuid4().hex}")


async def _refusal(dsn: str) -> str:
    async with opened(dsn) as journal:
        with pytest.raises(JournalUnavailable) as caught:
            await journal.check()
        with pytest.raises(JournalUnavailable):
            await journal.append(fresh_run(), [fact("k")])
    said = str(caught.value)
    assert f"{urlsplit(dsn).hostname}:{urlsplit(dsn).port}{urlsplit(dsn).path}" in said
    assert PASSWORD not in said
    assert QUOTED_PASSWORD not in said
    return said


async def test_a_restart_interrupts_nobody(server: PostgresServer, dsn: str) -> None:
    await migrate(dsn)
    async with opened(dsn) as journal:
        run = fresh_run()
        following = asyncio.create_task(follow(journal, run))
        for n in range(30):
            if n == 10:
                await asyncio.to_thread(server.stop)
                starting = asyncio.create_task(asyncio.to_thread(server.start))
            await journal.append(run, [fact(f"{n}", f"{n}"), delta()])
        await starting
        await journal.append(run, [end()])
        assert seqs(await following) == list(range(1, 62))


async def test_what_was_acknowledged_outlives_the_kill_of_postgres(
    server: PostgresServer, dsn: str
) -> None:
    await migrate(dsn)
    acknowledged, unknown, killed = list[str](), set[str](), asyncio.Event()
    async with opened(dsn, relaxed_deltas=False) as journal:
        run = fresh_run()

        async def write() -> None:
            for n in itertools.count():
                try:
                    await journal.append(run, [fact(f"{n}", f"{n}") if n % 3 else delta(f"{n}")])
                except JournalUnavailable:
                    unknown.add(f"{n}")  # whether it was committed, nobody can know
                else:
                    acknowledged.append(f"{n}")
                if killed.is_set():
                    return

        writing = asyncio.create_task(write())
        while len(acknowledged) < 10:
            await asyncio.sleep(0.01)
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(server.start)
        killed.set()
        await writing
        stored = texts(await journal.read(EVERY, run, limit=10_000))
    assert [text for text in stored if text not in unknown] == acknowledged
    assert len(stored) == len(set(stored))


async def test_while_postgres_is_down_all_is_refused_and_afterwards_served(
    server: PostgresServer, dsn: str
) -> None:
    await migrate(dsn)
    async with opened(dsn) as journal:
        run = fresh_run()
        await journal.append(run, [fact("k", "kept")])
        tail = asyncio.create_task(follow(journal, run, 1))
        await asyncio.sleep(0.1)
        await asyncio.to_thread(server.stop)
        refused = (
            journal.append(run, [fact("k2")]),
            journal.append(run, [delta()]),
            journal.read(EVERY, run),
            journal.check(),
            tail,
        )
        for answer in await asyncio.gather(*refused, return_exceptions=True):
            assert isinstance(answer, JournalUnavailable)
            assert "is it running, and is RELAYLINE_JOURNAL right?" in str(answer)
            assert PASSWORD not in str(answer)
        await asyncio.to_thread(server.start)
        assert texts(await journal.read(EVERY, run)) == ["kept"]
        again = asyncio.create_task(follow(journal, run, 1))
        await journal.append(run, [end()])
        assert seqs(await again) == [2]


async def test_who_starts_waits_for_postgres_and_who_asks_again_is_told_soon(
    server: PostgresServer, dsn: str
) -> None:
    await migrate(dsn)
    clock = asyncio.get_running_loop().time
    await asyncio.to_thread(server.stop)
    async with opened(dsn) as journal:
        first = asyncio.create_task(journal.check())
        await asyncio.sleep(2 * CHECK_S)
        await asyncio.to_thread(server.start)
        await first
        await asyncio.to_thread(server.stop)
        began = clock()
        with pytest.raises(JournalUnavailable, match="Connect call failed"):
            await journal.check()
        assert clock() - began < WAIT_S
        await asyncio.to_thread(server.start)
        await journal.check()


async def test_a_run_that_somebody_has_locked_holds_up_itself_only_for_a_while(
    server: PostgresServer, dsn: str
) -> None:
    await migrate(dsn)
    admin = await asyncpg.connect(dsn)
    async with opened(dsn) as journal:
        run = fresh_run()
        await journal.append(run, [delta()])
        async with admin.transaction():
            await admin.execute("SELECT FROM relayline.runs WHERE run_id = $1 FOR UPDATE", run)
            with pytest.raises(JournalUnavailable, match="another session holds a lock"):
                await journal.append(run, [delta()])
        assert await journal.append(run, [delta()]) == [(2, True)]
    await admin.close()


async def test_a_database_without_our_schema_is_told_apart(
    server: PostgresServer, dsn: str
) -> None:
    assert "run `relayline migrate`" in await _refusal(dsn)
    assert "create that database" in await _refusal(server.dsn("no_such_database"))
    wrong = dsn.replace(QUOTED_PASSWORD, "wr0ng")
    said = await _refusal(wrong)
    assert "check its user and password" in said
    assert "wr0ng" not in said


async def test_a_read_only_database_is_told_apart(dsn: str) -> None:
    await migrate(dsn)
    admin = await asyncpg.connect(dsn)
    name = urlsplit(dsn).path[1:]
    await admin.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    await admin.close()
    assert "name the primary" in await _refusal(dsn)


async def test_on_a_standby_tails_are_told_so_and_it_is_not_stormed() -> None:
    with PostgresServer({"log_connections": "on"}) as standby:
        dsn = standby.create_database("ours")
        await migrate(dsn)
        await asyncio.to_thread(standby.stand_by)
        before = standby.log.read_text().count("connection authorized")
        clock = asyncio.get_running_loop().time
        async with opened(dsn) as journal:
            until = clock() + 2
            while clock() < until:
                with pytest.raises(JournalUnavailable, match="name the primary"):
                    await follow(journal, fresh_run())
        assert standby.log.read_text().count("connection authorized") - before < 15


async def test_reads_that_wait_in_line_wait_no_longer_than_the_first(
    server: PostgresServer, dsn: str
) -> None:
    await migrate(dsn)
    admin = await asyncpg.connect(dsn)
    clock = asyncio.get_running_loop().time
    async with opened(dsn) as journal:
        async with admin.transaction():
            await admin.execute("LOCK TABLE relayline.runs IN ACCESS EXCLUSIVE MODE")
            began = clock()
            reads = (journal.head(EVERY, fresh_run()) for _ in range(40))
            refused = await asyncio.gather(*reads, return_exceptions=True)
            assert clock() - began < 2 * WAIT_S
        assert {type(answer) for answer in refused} == {JournalUnavailable}
        began = clock()
        reads = (journal.head(EVERY, fresh_run()) for _ in range(40))
        assert await asyncio.gather(*reads) == [None] * 40
        assert clock() - began < WAIT_S
    await admin.close()


async def test_a_postgres_that_falls_silent_is_given_up_and_forgotten(
    server: PostgresServer, dsn: str
) -> None:
    await migrate(dsn)
    admin = await asyncpg.connect(dsn)
    clock = asyncio.get_running_loop().time
    async with opened(dsn) as journal:
        await asyncio.gather(*(journal.head(EVERY, fresh_run()) for _ in range(40)))
        backends = await admin.fetch("""
            SELECT pid FROM pg_stat_activity
            WHERE datname = current_database() AND application_name = 'relayline'
        """)
        for backend in backends:
            os.kill(backend["pid"], signal.SIGSTOP)
        try:
            began = clock()
            reads = (journal.head(EVERY, fresh_run()) for _ in range(40))
            refused = await asyncio.gather(*reads, return_exceptions=True)
            assert clock() - began < 2 * WAIT_S
            assert {type(answer) for answer in refused} == {JournalUnavailable}
            assert await journal.head(EVERY, fresh_run()) is None
        finally:
            for backend in backends:
                os.kill(backend["pid"], signal.SIGCONT)
    await admin.close()


async def test_a_postgres_that_accepts_and_never_answers_is_given_up_by_all_at_once() -> None:
    silent: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda _, writer: silent.append(writer), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    clock = asyncio.get_running_loop().time
    async with opened(f"postgresql://relayline@127.0.0.1:{port}/ours") as journal:
        began = clock()
        reads = (journal.head(EVERY, fresh_run()) for _ in range(40))
        refused = await asyncio.gather(*reads, return_exceptions=True)
        assert clock() - began < 2 * WAIT_S
    assert {type(answer) for answer in refused} == {JournalUnavailable}
    for writer in silent:
        writer.close()
    server.close()


async def test_migrating_again_and_from_several_places_changes_nothing(dsn: str) -> None:
    done = await asyncio.gather(*(migrate(dsn) for _ in range(4)))
    assert sorted(done, key=str) == [Migrated(REVISION, REVISION)] * 3 + [Migrated(None, REVISION)]
    async with opened(dsn) as journal:
        run = fresh_run()
        await journal.append(run, [fact("k", "kept")])
        assert await migrate(dsn) == Migrated(REVISION, REVISION)
        assert texts(await journal.read(EVERY, run)) == ["kept"]


async def test_a_schema_from_before_is_refused_and_a_later_one_is_not(dsn: str) -> None:
    await migrate(dsn)
    admin = await asyncpg.connect(dsn)
    await admin.execute("UPDATE relayline.alembic_version SET version_num = '9999'")
    async with opened(dsn) as journal:
        await journal.check()
        await admin.execute("UPDATE relayline.alembic_version SET version_num = '0000'")
        needed = f"0000, this version needs {REVISION}.*migrate"
        with pytest.raises(JournalUnavailable, match=needed):
            await journal.check()
    await admin.close()


async def test_a_migration_that_is_refused_says_why(server: PostgresServer) -> None:
    with pytest.raises(JournalUnavailable, match="create that database") as caught:
        await migrate(server.dsn("no_such_database"))
    assert QUOTED_PASSWORD not in str(caught.value)
