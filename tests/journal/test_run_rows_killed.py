"""Rows and facts agree after processes were killed, and after Postgres crashed."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest

from relayline.contracts.envelope import NewEvent
from relayline.contracts.events import StepStarted
from relayline.journal.postgres.migrate import migrate
from relayline.journal.table import EVERY, RunFilter, Storage
from tests.journal.rows import STARTED, fold_of, keyed, pages, queued, row
from tests.journal.samples import delta, fresh_run
from tests.journal.storage import insist, opened
from tests.journal.test_processes import kill_after, start
from tests.postgres_server import FORGETFUL, PostgresServer

pytestmark = pytest.mark.slow


async def test_rows_are_what_the_facts_tell_after_kill_9(storage: str, table: Storage) -> None:
    run = fresh_run()
    await table.append(run, keyed(queued(), STARTED))
    writers = [await start("live", storage, run, f"w{n}") for n in range(3)]
    written = await asyncio.gather(*(kill_after(writer, 60) for writer in writers))
    listed = [it async for page in pages(table, EVERY, RunFilter(), 20) for it in page]
    assert {it.row.run_id for it in listed} >= {text for lines in written for _, text in lines}
    for it in listed:
        assert it.row == await fold_of(table, it.row.run_id)


async def test_rows_are_what_the_facts_tell_after_postgres_crashed() -> None:
    """Facts wait for the disk and rows with them; the deltas behind them are lost."""
    with PostgresServer(FORGETFUL) as server:
        dsn, run = server.create_database(f"test_{uuid4().hex}"), fresh_run()
        await migrate(dsn)
        async with opened(dsn) as table:
            await table.append(run, keyed(queued(), STARTED))
            server.hold_back()
            await table.append(run, [delta(), delta()])
            await asyncio.to_thread(server.crash)
            found = await insist(lambda: row(table, run))
            assert found == await fold_of(table, run)
            step = NewEvent(body=StepStarted(model="m"), key="step", step=1)
            await insist(lambda: table.append(run, [step]))
            found = await row(table, run)
            assert (found.step, found) == (1, await fold_of(table, run))
