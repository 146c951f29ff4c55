"""Who watches a run in Postgres is told of each append that brought something, once."""

from __future__ import annotations

import asyncio
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest

from relayline.journal.port import Fence, StaleAttempt
from relayline.journal.postgres.journal import PostgresJournal
from relayline.journal.postgres.sql import channel_of
from tests.journal.samples import delta, fact, fresh_run
from tests.journal.storage import new_storage
from tests.postgres_server import PostgresServer

FENCE = Fence("step/1", 2)


@pytest.mark.parametrize("relaxed_deltas", [True, False])
async def test_each_append_that_brings_something_is_told_once(
    postgres: PostgresServer, tmp_path: Path, relaxed_deltas: bool
) -> None:
    dsn = new_storage("postgres", tmp_path, lambda: postgres).partition(":")[2]
    run_id, told = fresh_run(), asyncio.Queue[str]()
    listener = await asyncpg.connect(dsn)
    await listener.add_listener(channel_of(run_id), lambda *notice: told.put_nowait(notice[-1]))
    journal = PostgresJournal(dsn, relaxed_deltas=relaxed_deltas)
    async with asyncio.timeout(10):
        for appended in ([fact("a")], [delta()], [fact("b"), delta()]):
            await journal.append(run_id, appended, FENCE)
            assert await told.get() == run_id
        await journal.append(run_id, [fact("a")], FENCE)
        await journal.append(run_id, [], FENCE)
        with pytest.raises(StaleAttempt):
            await journal.append(run_id, [fact("c")], Fence(FENCE.scope, 1))
        await journal.close()
        last = uuid4().hex
        await listener.execute("SELECT pg_notify($1, $2)", channel_of(run_id), last)
        assert await told.get() == last
    await listener.close()
