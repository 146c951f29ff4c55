"""What no journal can hold is refused for good, by itself, and touches nobody else."""

from __future__ import annotations

import asyncio
import os
from uuid import uuid4

import pytest

from relayline.contracts.envelope import NewEvent
from relayline.journal.port import Fence, Journal, Unstorable
from relayline.journal.table import EVERY
from tests.journal.samples import delta, fact, fresh_run, texts
from tests.journal.storage import opened
from tests.postgres_server import MIGRATED, PostgresServer

UNSTORABLE = {
    "NUL in the key": fact("command/a\0b/accepted"),
    "half a pair in the key": fact("command/a\ud800b/accepted"),
    "half a pair in the text": fact("k", "half \ud83d of it"),
    "step out of range": delta().model_copy(update={"step": 2**31}),
    "attempt out of range": delta().model_copy(update={"attempt": -(2**31) - 1}),
}


@pytest.mark.parametrize("event", UNSTORABLE.values(), ids=UNSTORABLE)
async def test_what_can_not_be_held_is_refused_whole_and_alone(
    journal: Journal, event: NewEvent
) -> None:
    run, others = fresh_run(), [fresh_run() for _ in range(10)]
    results = await asyncio.gather(
        journal.append(run, [delta(), event], Fence("call", 2)),
        *(journal.append(other, [fact("k")]) for other in others),
        return_exceptions=True,
    )
    assert isinstance(results[0], Unstorable)
    assert results[1:] == [[(1, True)]] * len(others)
    assert await journal.head(EVERY, run) is None
    assert await journal.append(run, [delta()], Fence("call", 1)) == [(1, True)]


@pytest.mark.parametrize("key", ["a\0b", "a\ud800b"])
async def test_no_fact_has_a_key_that_can_not_be_held(journal: Journal, key: str) -> None:
    run = fresh_run()
    await journal.append(run, [fact("k")])
    assert await journal.get(EVERY, run, key) is None


async def test_what_postgres_itself_can_not_hold_is_refused_alone(
    postgres: PostgresServer,
) -> None:
    dsn = postgres.create_database(f"test_{uuid4().hex}", MIGRATED)
    too_long = os.urandom(8000).hex()  # for an index
    runs = [fresh_run() for _ in range(10)]
    async with opened(dsn) as journal:
        given = [[fact("k", "kept"), delta()] for _ in runs * 2]
        given[7] = [delta(), fact(too_long)]
        appends = (journal.append(*it) for it in zip(runs * 2, given, strict=True))
        results = await asyncio.gather(*appends, return_exceptions=True)
        assert isinstance(results[7], Unstorable)
        assert "can't store this (index row requires" in str(results[7])
        others = results[:7] + results[8:]
        assert [result for result in others if isinstance(result, Exception)] == []
        for run in runs:
            again = [] if run == runs[7] else ["x"]
            assert texts(await journal.read(EVERY, run)) == ["kept", "x", *again]
